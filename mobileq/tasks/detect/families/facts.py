"""What the families look at, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from mobileq.graph.outline import guess_layout
from mobileq.spec import BoxUnit, DecodeSpec, Layout, PreprocessSpec, ResizeMode, TensorSpec
from mobileq.tasks.detect.evidence import Evidence, OutputEvidence


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The input that takes the picture."""

    width: int
    height: int
    layout: Layout
    dtype: str
    channels: int = 3
    batch: int = 1

    def preprocess(
        self,
        resize_mode: ResizeMode = "letterbox",
        *,
        bgr: bool = False,
        rescale_factor: float = 1.0 / 255.0,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> PreprocessSpec:
        """Of the picture's size and layout; a gray one takes the mean over the colours.

        A model that takes bytes takes the pixels as they are, whatever it does to them.
        """
        if self.dtype == "uint8":
            rescale_factor, mean, std = 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        gray = self.channels == 1
        return PreprocessSpec(
            width=self.width,
            height=self.height,
            resize_mode=resize_mode,
            channel_order="GRAY" if gray else "BGR" if bgr else "RGB",
            rescale_factor=rescale_factor,
            image_mean=(sum(mean) / 3,) if gray else mean,
            image_std=(sum(std) / 3,) if gray else std,
            layout=self.layout,
        )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A model as the families see it.

    `names` are the class names somebody has given, by option or in the file. `evidence` is None
    where there is no graph to read (a .tflite).
    """

    picture: Picture
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    names_in_file: bool = True
    """`names` are the file's own; those given by option may differ, which is an error later on."""
    evidence: Evidence | None = None
    forced: bool = False
    """Somebody has named the family: doubts that only tell it from others are not raised."""

    def about(self, output: TensorSpec) -> OutputEvidence | None:
        """What the graph reveals about an output, None without a graph."""
        return None if self.evidence is None else self.evidence.outputs.get(output.name)

    def preprocess(
        self,
        resize_mode: ResizeMode,
        *,
        bgr: bool = False,
        rescale_factor: float = 1.0,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> PreprocessSpec:
        """See `Picture.preprocess`; families whose models take raw pixels are the rule here."""
        return self.picture.preprocess(
            resize_mode, bgr=bgr, rescale_factor=rescale_factor, mean=mean, std=std
        )


@dataclass(frozen=True, kw_only=True)
class Match:
    """A family fits: how to feed the model and how to read it.

    `background_label`: class 0 stands for "no object", and the names start at class 1.
    """

    family: str
    preprocess: PreprocessSpec
    decode: DecodeSpec
    notices: tuple[str, ...] = ()
    background_label: bool = False


Answer = Match | str
"""A match, or the reason why the family does not fit."""


def find_picture(inputs: tuple[TensorSpec, ...]) -> Picture | str:
    """The picture input, or the reason why there is none."""
    if len(inputs) != 1:
        return f"it has {len(inputs)} inputs; one picture is expected"
    (tensor,) = inputs
    layout = tensor.layout or guess_layout(tensor.shape)
    if len(tensor.shape) != 4 or layout is None:
        return f"its input {list(tensor.shape)} is no picture with the channels first or last"
    channels_first = layout == "NCHW"
    channels = tensor.shape[1] if channels_first else tensor.shape[3]
    height, width = tensor.shape[2:] if channels_first else tensor.shape[1:3]
    if channels not in (1, 3):
        return f"its input has {channels} channels; 1 or 3 are expected"
    if min(tensor.shape) < 1:
        return f"its input {list(tensor.shape)} has no fixed height and width"
    return Picture(
        width=width,
        height=height,
        layout=layout,
        dtype=tensor.dtype,
        channels=channels,
        batch=tensor.shape[0],
    )


def per_picture(outputs: tuple[TensorSpec, ...], batch: int) -> tuple[TensorSpec, ...] | str:
    """The outputs as those of a batch of 1, or the reason why they have no row for each picture."""
    if batch == 1:
        return outputs
    for output in outputs:
        if output.shape[:1] != (batch,):
            return f"its output {shape_text(output)} has no row for each of {batch} pictures"
    return tuple(
        msgspec.structs.replace(output, shape=(1, *output.shape[1:])) for output in outputs
    )


def box_unit_of(output: TensorSpec) -> BoxUnit:
    """Normalized where a quantized output's whole range is too small for pixels, else pixels."""
    if output.quant is None or len(output.quant.scale) != 1:
        return "pixel"
    highest = 255 if output.dtype == "uint8" else 127 if output.dtype == "int8" else 32767
    largest = output.quant.scale[0] * (highest - output.quant.zero_point[0])
    return "normalized" if largest < 4.0 else "pixel"


def box_unit_notice(facts: Facts, output: TensorSpec) -> tuple[str, ...]:
    """A notice where boxes may be normalized unseen: Ultralytics' .tflite exports are."""
    if facts.evidence is not None or output.quant is not None or facts.picture.layout == "NCHW":
        return ()
    return (
        "Boxes are taken to be in pixels; where the file gives 0..1, as Ultralytics' own .tflite"
        ' exports do, write box_unit = "normalized" in [decode] of a --spec file.',
    )


def assumed_classes_notice(count: int) -> str:
    """What to tell where a final output does not show how many classes there are."""
    return (
        f"The file does not say how many classes there are; {count} are assumed, as in COCO."
        " Give their names with --labels."
    )


def shape_text(output: TensorSpec) -> str:
    """`[1, 84, ?]`."""
    return "[" + ", ".join("?" if dim < 0 else str(dim) for dim in output.shape) + "]"
