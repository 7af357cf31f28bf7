"""TFLITE_METADATA: what a .tflite file says of itself to Task Library, MediaPipe Tasks, ML Binding.

Source: tflite-support's metadata_schema.fbs (schema version 1.1.0), and what MediaPipe 1.2.3 wants:
names of a detector's tensors, one mean and one deviation for all channels, RGB. What the schema has
no words for (letterbox, center crop, a softmax to be added) it does not say; the description of the
input does.
"""

from __future__ import annotations

from typing import NamedTuple

from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec, readings
from mobileq.spec.base import Meaning
from mobileq.targets.tflite.tables import Enum, Float, Int, Table, finished

NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
"""The first version of the schema that has all the fields below."""

# ModelMetadata
_NAME, _DESCRIPTION, _SUBGRAPHS, _MODEL_FILES, _MIN_PARSER = 0, 1, 3, 6, 7
# SubGraphMetadata
_INPUTS, _OUTPUTS = 2, 3
# TensorMetadata, of which name and description are as above
_CONTENT, _PROCESS_UNITS, _STATS, _TENSOR_FILES = 3, 4, 5, 6
# Content: a union of properties, and a range of axes; ProcessUnit: a union of options
_KIND, _OF_KIND, _RANGE = 0, 1, 2
_FEATURE, _IMAGE, _BOUNDING_BOX = Enum(1), Enum(2), Enum(3)
_NORMALIZATION, _THRESHOLDING = Enum(1), Enum(3)
# AssociatedFile
_TYPE, _DESCRIPTIONS, _AXIS_LABELS, _VALUE_LABELS = 2, Enum(1), Enum(2), Enum(3)

_UNKNOWN = Enum(0)
_COLOR_SPACES = {"RGB": Enum(1), "GRAY": Enum(2), "BGR": _UNKNOWN}
"""Of ImageProperties."""
_NAMES = {
    "boxes": "location",
    "classes": "category",
    "scores": "score",
    "count": "number of detections",
}
"""By which MediaPipe and Task Library tell a detector's outputs."""


class LabelFile(NamedTuple):
    """Class names, one a line. `output` is the tensor that they are about, None for the model."""

    output: str | None
    name: str
    labels: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is packed. A line is a name, whatever that had in it."""
        return "".join(" ".join(label.splitlines()) + "\n" for label in self.labels)


def label_files(spec: ModelSpec) -> tuple[LabelFile, ...]:
    """The label files that belong into the zip: one, or one for each of a model's heads.

    Google's metadata writer packs labels.txt, and refuses a file that has one already; so ours
    have other names.
    """
    if not spec.labels:
        return ()
    named = [
        (output, meaning.labels) for output, meaning in _meanings(spec).items() if meaning.labels
    ]
    if len(named) < 2:
        output = named[0][0] if named else None
        return (LabelFile(output, "classes.txt", spec.labels),)
    return tuple(
        LabelFile(output, f"classes_{number}.txt", spec.labels[slice(*labels)])
        for number, (output, labels) in enumerate(named)
    )


def standard_metadata(
    spec: ModelSpec, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> bytes | None:
    """The flatbuffer; None of a model that takes no picture, of which the schema says nothing.

    Args:
        inputs: The file's, in its order.
        outputs: Likewise.
    """
    preprocess = spec.preprocess
    if preprocess is None:
        return None
    picture, *others = inputs
    meanings = _meanings(spec)
    files = label_files(spec)
    graph: Table = {
        _INPUTS: [_picture(spec.inputs[0], picture, preprocess), *map(_plain, others)],
        _OUTPUTS: [_output(each, meanings.get(each.name), files) for each in outputs],
    }
    model: Table = {_NAME: spec.name, _SUBGRAPHS: [graph], _MIN_PARSER: _PARSER}
    unbound = [_file(each, _DESCRIPTIONS) for each in files if each.output is None]
    if unbound:
        model[_MODEL_FILES] = unbound
    return finished(model, _IDENTIFIER)


def _meanings(spec: ModelSpec) -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for reading in readings(spec).values():
        found.update(reading.meanings(spec.outputs))
    return found


def _plain(tensor: TensorSpec) -> Table:
    return {_NAME: tensor.name, _CONTENT: {_KIND: _FEATURE, _OF_KIND: {}}}


def _picture(model: TensorSpec, file: TensorSpec, preprocess: PreprocessSpec) -> Table:
    mean, std = _normalization(model, preprocess)
    colors = _COLOR_SPACES[preprocess.channel_order]
    if file.dtype.startswith("float"):
        low, high = (
            tuple((code - m) / s for m, s in zip(mean, std, strict=True)) for code in (0, 255)
        )
    else:
        low, high = (0.0,), (255.0,)
        if not _takes_pixels(file, mean, std):
            colors = _UNKNOWN
    return {
        _NAME: "image",
        _DESCRIPTION: f"A picture, {preprocess.channel_order}: {preprocess.resizing}.",
        _CONTENT: {_KIND: _IMAGE, _OF_KIND: {0: colors}},
        _PROCESS_UNITS: [{_KIND: _NORMALIZATION, _OF_KIND: {0: mean, 1: std}}],
        _STATS: {0: high, 1: low},
    }


def _normalization(
    model: TensorSpec, preprocess: PreprocessSpec
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of pixels from 0 to 255: `(pixel - mean) / std`; one where all agree.

    A model that takes pixels as they are has neither, whatever is written beside it.
    """
    if not model.dtype.startswith("float"):
        return (0.0,), (1.0,)
    factor = preprocess.rescale_factor
    mean = tuple(value / factor for value in preprocess.image_mean)
    std = tuple(value / factor for value in preprocess.image_std)
    if len(set(mean)) == len(set(std)) == 1:
        return mean[:1], std[:1]
    return mean, std


def _takes_pixels(file: TensorSpec, mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    """Whether the code of each pixel, in an input of integers, is the pixel itself.

    MediaPipe (1.2.3) and Task Library give pixels to an input of bytes whatever its scale is; a
    color space that they don't know keeps them from it.
    """
    if file.quant is None:
        return True
    scale, zero_point = file.quant.scale[0], file.quant.zero_point[0]
    least = -128 if file.dtype == "int8" else 0
    codes = (
        (pixel - m) / s / scale + zero_point - least - pixel
        for pixel in (0, 255)
        for m, s in zip(mean, std, strict=True)
    )
    return all(abs(off) < _HALF for off in codes)


_HALF = 0.501
"""Of a code: so far off is a zero-point that had to be rounded, as 127.5."""


def _output(tensor: TensorSpec, meaning: Meaning | None, files: tuple[LabelFile, ...]) -> Table:
    if meaning is None:
        return _plain(tensor)
    table: Table = {
        _NAME: _NAMES.get(meaning.role) or meaning.name or tensor.name,
        _CONTENT: _content(meaning),
    }
    kind = _AXIS_LABELS if meaning.role == "class_scores" else _VALUE_LABELS
    own = [_file(each, kind) for each in files if each.output == tensor.name]
    if own:
        table[_TENSOR_FILES] = own
    if meaning.threshold:
        threshold = {0: Float(meaning.threshold)}
        table[_PROCESS_UNITS] = [{_KIND: _THRESHOLDING, _OF_KIND: threshold}]
    return table


def _content(meaning: Meaning) -> Table:
    if meaning.role == "boxes":
        boundaries, ratio = Enum(1), Enum(0)
        box: Table = {0: meaning.corners, 1: boundaries, 2: ratio}
        return {_KIND: _BOUNDING_BOX, _OF_KIND: box, _RANGE: _SECOND_AXIS}
    table: Table = {_KIND: _FEATURE, _OF_KIND: {}}
    if meaning.role in ("classes", "scores"):
        table[_RANGE] = _SECOND_AXIS
    return table


_SECOND_AXIS: Table = {0: Int(2), 1: Int(2)}
"""Of [1, N, ...]: there are N of them."""


def _file(file: LabelFile, kind: Enum) -> Table:
    return {_NAME: file.name, _DESCRIPTION: "Names of the classes, in order.", _TYPE: kind}
