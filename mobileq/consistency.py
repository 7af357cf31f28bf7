"""Whether what a spec says fits together, beyond the bounds of each field.

Everything that is read from outside goes through here once: a bundle's manifest, a spec file, the
description inside a .tflite or .mnn file, and what was concluded of a model that has none.
Each check gives the first contradiction as the end of a sentence that begins with the field.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from mobileq.errors import InputError
from mobileq.field_errors import field_error
from mobileq.spec import (
    Artifact,
    ModelSpec,
    PreprocessSpec,
    QuantParams,
    ReadingSpec,
    TensorSpec,
    batch_of,
    readings,
)
from mobileq.spec.base import Problems

REDESCRIBE = "Update mobileq, or convert the model again."
"""What to do about a file that describes itself wrongly."""
_LARGEST_TENSOR = 2**31 - 1
"""Values: Java's arrays hold no more."""
_LARGEST_PICTURE = 2**27
"""Values, as many as an input of a model that is converted may have."""
_LIMITS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
}
_SAME = 2.0**-24
_LARGEST_REAL = 3.4e38
"""Of float32, whose numbers are the same where they differ by less than that share."""
_NARROWEST, _WIDEST = 0.05, 512.0
"""How far the values of black and white lie apart in any trained model's input: 255 in raw pixels,
1 to 5 in scaled ones."""


def contradiction(model: ModelSpec, field: str = "") -> str | None:
    """The first thing about a model that can't be, or None.

    Args:
        field: Where the model stands in what was read, for the sentence.
    """
    return _first(_of_model(model), field)


def artifact_contradiction(artifact: Artifact, model: ModelSpec, field: str = "") -> str | None:
    """As `contradiction`, of a converted file of the model."""
    return _first(_of_artifact(artifact, model), field)


def consistent_model(described: object, what: str, hint: str) -> ModelSpec:
    """A model from plain dicts and lists, or from a ModelSpec that was put together.

    Raises:
        InputError: A field is missing, unknown, out of bounds or contradicts another. One sentence
            that names `what` and the field.
    """
    try:
        model = msgspec.convert(msgspec.to_builtins(described), ModelSpec)
    except msgspec.ValidationError as error:
        problem = field_error(error, ModelSpec)
        raise InputError(f"{what} cannot be used: {problem}.", hint) from error
    if contradicted := contradiction(model):
        raise InputError(f"{what} cannot be used: {contradicted}.", hint)
    return model


def absurd_range(spec: PreprocessSpec) -> str | None:
    """What to tell of a preprocessing that makes all pictures alike, or values beyond all use."""
    ends = _black_and_white(spec)
    # Zero is the value of a pixel, or nearly: means are of pictures.
    if all(
        _NARROWEST <= white - black <= _WIDEST and black <= 0.1 and white >= -0.1
        for black, white in ends
    ):
        return None
    lowest, highest = min(black for black, _ in ends), max(white for _, white in ends)
    of_pixels = max(*spec.image_mean, *spec.image_std) > 1
    likely = ""
    if of_pixels and spec.rescale_factor < 0.1:
        likely = "; mean and deviation look like those of pixels, which go with rescale_factor = 1"
    elif not of_pixels and spec.rescale_factor >= 0.1:
        likely = "; mean and deviation look like those of fractions, for rescale_factor = 1 / 255"
    return (
        f"With this preprocessing pixels become {lowest:.4g} to {highest:.4g}, which hardly any "
        f"model was trained on{likely}."
    )


def _black_and_white(spec: PreprocessSpec) -> list[tuple[float, float]]:
    """What these become, channel by channel."""
    return [
        (-mean / std, (255 * spec.rescale_factor - mean) / std)
        for mean, std in zip(spec.image_mean, spec.image_std, strict=True)
    ]


def _first(problems: Problems, field: str) -> str | None:
    for inner, text in problems:
        return f"field `{'.'.join(part for part in (field, inner) if part)}`: {text}"
    return None


def _of_model(model: ModelSpec) -> Problems:
    if problem := _name_problem(model.name):
        yield "name", problem
    yield from _of_tensors("inputs", model.inputs)
    yield from _of_tensors("outputs", model.outputs)
    if model.preprocess is not None:
        yield from _of_preprocess(model.preprocess, model.inputs)
    for section, reading in readings(model).items():
        yield from _of_reading(section, reading, model.outputs)
        yield from _of_labels("labels", model, reading)


def _of_artifact(artifact: Artifact, model: ModelSpec) -> Problems:
    if artifact.recipe.precision != artifact.precision:
        yield "recipe.precision", f"{artifact.recipe.precision} of a file in {artifact.precision}"
    yield from _of_tensors("inputs", artifact.inputs)
    yield from _of_tensors("outputs", artifact.outputs)
    wanted, found = ({each.name for each in side} for side in (model.inputs, artifact.inputs))
    if wanted != found:
        yield "inputs", f"they are {_listed(found)} where the model has {_listed(wanted)}"
    for section, reading in {**readings(model), **readings(artifact)}.items():
        yield from _of_reading(section, reading, artifact.outputs)
        yield from _of_labels(f"{section}.class_count", model, reading)


def _of_reading(section: str, reading: ReadingSpec, outputs: tuple[TensorSpec, ...]) -> Problems:
    for field, text in reading.contradictions(outputs):
        yield f"{section}.{field}", text


def _of_labels(field: str, model: ModelSpec, reading: ReadingSpec) -> Problems:
    count = reading.label_count
    if count is not None and len(model.labels) != count:
        yield field, f"there are {len(model.labels)} names for {count} classes"


def _name_problem(name: str) -> str | None:
    """Files are named after a model."""
    if name in (".", "..") or any(sign in name for sign in "/\\\0"):
        return f"{name!r} can't be the name of a model, since its files are named after it"
    return None


def _of_tensors(field: str, tensors: tuple[TensorSpec, ...]) -> Problems:
    names = [tensor.name for tensor in tensors]
    for index, tensor in enumerate(tensors):
        place = f"{field}[{index}]"
        if tensor.name in names[:index]:
            yield f"{place}.name", f"there is another '{tensor.name}'"
        if math.prod(abs(dim) for dim in tensor.shape) > _LARGEST_TENSOR:
            yield f"{place}.shape", f"{list(tensor.shape)} is too large"
        order = tensor.permutation
        if order is not None and sorted(order) != list(range(len(tensor.shape))):
            yield f"{place}.permutation", f"it does not name each of {len(tensor.shape)} axes once"
        if tensor.quant is not None:
            yield from _of_quant(f"{place}.quant", tensor.quant, tensor)


def _of_quant(field: str, quant: QuantParams, tensor: TensorSpec) -> Problems:
    count = len(quant.scale)
    if not count or count != len(quant.zero_point):
        yield field, f"{count} scales, {len(quant.zero_point)} zero points"
        return
    if 0.0 in quant.scale:  # a weight that is all zero may have one, at the edge it says nothing
        yield f"{field}.scale", "it holds zero"
    if quant.axis is not None and quant.axis >= len(tensor.shape):
        yield f"{field}.axis", f"the tensor has {len(tensor.shape)} axes"
    elif count > 1 and (quant.axis is None or tensor.shape[quant.axis] != count):
        yield f"{field}.scale", f"{count} scales belong to no axis of {list(tensor.shape)}"
    lowest, highest = _LIMITS.get(tensor.dtype, (-(2**31), 2**31 - 1))
    if not lowest <= min(quant.zero_point) <= max(quant.zero_point) <= highest:
        yield f"{field}.zero_point", f"{tensor.dtype} goes from {lowest} to {highest}"


def _of_preprocess(spec: PreprocessSpec, inputs: tuple[TensorSpec, ...]) -> Problems:
    if spec.channels * spec.width * spec.height > _LARGEST_PICTURE:
        yield "preprocess.width", f"{spec.width} x {spec.height} pixels are too many"
    edge, shorter = spec.shortest_edge, min(spec.width, spec.height)
    if spec.resize_mode == "center_crop" and edge is not None and edge < shorter:
        yield "preprocess.shortest_edge", f"{edge} is less than the input's, which is {shorter}"
    for black, white in _black_and_white(spec):
        if white - black <= _SAME * max(abs(black), abs(white)):
            yield "preprocess.rescale_factor", f"black and white both become {black:.6g}"
        elif max(abs(black), abs(white)) > _LARGEST_REAL:
            yield "preprocess.image_std", f"white becomes {white:.3g}, more than float32 can hold"
    shape = spec.tensor_shape(batch_of(inputs))
    if inputs and inputs[0].shape != shape:
        yield (
            "preprocess (width, height, layout)",
            f"it makes a tensor of {list(shape)} where the model takes {list(inputs[0].shape)}",
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
