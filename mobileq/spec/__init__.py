"""The types that flow through everything: what a model takes, gives, and how to read it.

All are frozen and compare by value. They are read back from JSON and TOML strictly: an unknown
field, a value of the wrong type or one out of bounds is an error (see `mobileq.manifest`), and so
is a value that contradicts another (see `mobileq.consistency`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mobileq.spec.base import (
    Axis,
    Bytes,
    HeadKind,
    Layout,
    Name,
    Pixels,
    PixelValue,
    Positive,
    QuantParams,
    ReadingSpec,
    Real,
    Sha256,
    Spec,
    TensorSpec,
)
from mobileq.spec.classes import ClassesSpec
from mobileq.spec.decode import DecodeSpec

__all__ = [
    "CALIBRATED",
    "Artifact",
    "Axis",
    "Bytes",
    "ChannelOrder",
    "HeadKind",
    "Interpolation",
    "IoDtype",
    "Layout",
    "ModelSpec",
    "Precision",
    "PreprocessSpec",
    "QuantParams",
    "QuantRecipe",
    "ReadingSpec",
    "ResizeMode",
    "Sha256",
    "Spec",
    "Task",
    "TensorRange",
    "TensorRanges",
    "TensorSpec",
    "batch_of",
    "embedded",
    "readings",
]

ResizeMode = Literal["letterbox", "letterbox_top_left", "stretch", "center_crop"]
Interpolation = Literal["bilinear", "bicubic"]
ChannelOrder = Literal["RGB", "BGR", "GRAY"]
Task = Literal["detect", "classify", "unknown"]
Precision = Literal["fp32", "fp16", "dynamic", "int8", "int8-full", "int16x8", "w8"]
CALIBRATED: tuple[Precision, ...] = ("int8", "int8-full", "int16x8")
"""Whose activations are integers, with ranges that come from pictures or from the model."""
IoDtype = Literal["float32", "int8", "uint8"]


class PreprocessSpec(Spec, frozen=True, kw_only=True):
    """How a picture becomes the input tensor.

    GRAY makes one channel of three first, `(9798 * R + 19235 * G + 3735 * B + 16384) >> 15`, as
    OpenCV rounds ITU-R BT.601. Resize (see `mobileq.vision.resize`), pad or crop in 8 bits, then
    per channel `value = (pixel * rescale_factor - image_mean) / image_std` in float32. Mean and
    standard deviation are in the order of `channel_order`, one of each for GRAY. Integer inputs
    take the pixel itself.

    `shortest_edge` counts for "center_crop" alone, which resizes a picture until it just covers an
    area of the input's proportions whose shortest edge that is, and cuts the input's size out of
    the middle: timm's `shortest_edge = floor(side / crop_pct)`. None is the input's own.
    """

    width: Pixels
    height: Pixels
    resize_mode: ResizeMode = "letterbox"
    pad_value: PixelValue = 114
    channel_order: ChannelOrder = "RGB"
    rescale_factor: Positive = 1.0 / 255.0
    image_mean: tuple[Real, ...] = (0.0, 0.0, 0.0)
    image_std: tuple[Positive, ...] = (1.0, 1.0, 1.0)
    layout: Layout = "NCHW"
    interpolation: Interpolation = "bilinear"
    antialias: bool = False
    shortest_edge: Pixels | None = None

    def __post_init__(self) -> None:
        for name, values in (("image_mean", self.image_mean), ("image_std", self.image_std)):
            if len(values) != self.channels:
                raise ValueError(
                    f"{name} has {len(values)} values where {self.channel_order} has "
                    f"{self.channels}"
                )

    @property
    def resizing(self) -> str:
        """How a picture gets the input's size, in a few words."""
        size = f"{self.resize_mode.replace('_', ' ')} to {self.width}x{self.height}"
        if self.resize_mode == "center_crop":
            size += f" of shortest edge {self.shortest_edge or min(self.width, self.height)}"
        elif self.resize_mode != "stretch":
            size += f" on {self.pad_value}"
        way = f"{'antialiased ' if self.antialias else ''}{self.interpolation}"
        return size if way == "bilinear" else f"{size}, {way}"

    @property
    def channels(self) -> int:
        """Of the input tensor."""
        return 1 if self.channel_order == "GRAY" else 3

    def tensor_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Of the input tensor."""
        if self.layout == "NCHW":
            return (batch, self.channels, self.height, self.width)
        return (batch, self.height, self.width, self.channels)


def batch_of(inputs: tuple[TensorSpec, ...]) -> int:
    """How many pictures a model takes at a time, in its first input."""
    shape = inputs[0].shape if inputs else ()
    return shape[0] if len(shape) == 4 and shape[0] > 0 else 1


class ModelSpec(Spec, frozen=True, kw_only=True):
    """A model as everything else sees it. `decode` is None where detections can't be
    decoded, `classes` where classes can't be read.

    Where the first input takes a batch, each of the outputs that are decoded has a row for each
    picture, which is read as a batch of 1 (`mobileq.tasks.detect.decode.arrays.picture_outputs`).
    """

    name: Name
    task: Task
    family: str | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: PreprocessSpec | None = None
    decode: DecodeSpec | None = None
    classes: ClassesSpec | None = None
    labels: tuple[str, ...] = ()

    @property
    def batch(self) -> int:
        """How many pictures it takes at a time."""
        return batch_of(self.inputs)

    @property
    def is_raw(self) -> bool:
        """See `ReadingSpec`."""
        return any(reading.is_raw for reading in readings(self).values())


class QuantRecipe(Spec, frozen=True, kw_only=True):
    """How a file was made, enough to make it again from the same model and calibration samples.

    `keep_float` names, for each group of ops that stays float, the tensor that it gives; `repairs`
    the steps that prepared the weights (see `mobileq.quantize.repairs`), in order. `per_channel`:
    weights have a scale for each output channel, as all files that mobileq makes. `options` are the
    target's own (see `mobileq.targets.info.TargetOption`), where they are not the default.
    """

    precision: Precision
    engine: Name = "direct"
    calibrator: str | None = None
    per_channel: bool = True
    keep_float: tuple[Name, ...] = ()
    repairs: tuple[str, ...] = ()
    head: HeadKind = "decoded"
    io: IoDtype = "float32"
    options: dict[str, str] = msgspec.field(default_factory=dict)

    def option(self, name: str) -> str | None:
        """The value of an option of the target, if there is one: most have `engine` and `io`."""
        return {"engine": self.engine, "io": self.io, **self.options}.get(name)


class TensorRange(Spec, frozen=True, kw_only=True):
    """The real values an activation tensor may take, as calibration found or chose them."""

    min: float
    max: float


TensorRanges = dict[str, TensorRange]


class Artifact(Spec, frozen=True, kw_only=True):
    """One converted file. `path` is relative to the bundle; `ops` counts ops by their
    type and the number type of what they give: {"CONV_2D int8": 60}.

    `decode` says how its outputs become detections where it has another head than the model in
    the manifest (`recipe.head` "raw": the convolutions' outputs); None where it has the same.
    """

    target: Name
    precision: Precision
    path: Name
    sha256: Sha256
    size_bytes: Bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    recipe: QuantRecipe
    decode: DecodeSpec | None = None
    ops: dict[str, int] = msgspec.field(default_factory=dict)
    tool_versions: dict[str, str] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short name, unique in a bundle: `tflite-int8`."""
        return f"{self.target}-{self.precision}"

    @property
    def file_name(self) -> str:
        """`path` without its folder."""
        return self.path.rpartition("/")[2]


def readings(spec: ModelSpec | Artifact) -> dict[str, ReadingSpec]:
    """How tasks read its outputs, by `ReadingSpec.section`, where it says so."""
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return {name: value for name, value in fields.items() if isinstance(value, ReadingSpec)}


_ADDED_TO_PREPROCESS = {"interpolation": "bilinear", "antialias": False, "shortest_edge": None}


def embedded(spec: ModelSpec) -> dict[str, Any]:
    """As plain data, to be written into a model file.

    Without readings that the model does not have, and without newer ways to resize that it does not
    need: a file's bytes are its hash, and stay what they are when a task is added. Some fields have
    always been there, empty or not.
    """
    built: dict[str, Any] = msgspec.to_builtins(spec)
    preprocess = built["preprocess"]
    for name, usual in _ADDED_TO_PREPROCESS.items():
        if preprocess is not None and preprocess[name] == usual:
            del preprocess[name]
    always = ("family", "preprocess", "decode")
    return {name: value for name, value in built.items() if value is not None or name in always}


def embedded_recipe(recipe: QuantRecipe) -> dict[str, Any]:
    """The same of a recipe, for the same reason in the form that it had before targets had options
    of their own: theirs among its fields, and two of them empty in every file."""
    built: dict[str, Any] = msgspec.to_builtins(recipe)
    options = built.pop("options")
    return {**built, "mnn_method": None, "mnn_weights": None, **options}
