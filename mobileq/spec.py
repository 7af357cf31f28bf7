"""The types that flow through everything: what a model takes, gives, and how to read it.

All are frozen and compare by value. They are read back from JSON and TOML strictly: an unknown
field, a value of the wrong type or one out of bounds is an error (see `mobileq.manifest`), and so
is a value that contradicts another (see `mobileq.consistency`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Layout = Literal["NCHW", "NHWC"]
ResizeMode = Literal["letterbox", "letterbox_top_left", "stretch"]
ChannelOrder = Literal["RGB", "BGR", "GRAY"]
Task = Literal["detect", "classify", "unknown"]
DecodeKind = Literal["yolov5", "yolov8", "yolox", "nanodet", "picodet", "end2end", "ssd"]
HeadKind = Literal["decoded", "raw"]
BoxUnit = Literal["pixel", "normalized"]
BoxFormat = Literal["cxcywh", "xyxy", "yxyx"]
OutputRole = Literal[
    "predictions",  # boxes and scores of all anchors in one tensor
    "class_scores",  # [anchors, classes], after the sigmoid
    "class_logits",  # before the sigmoid
    "box_distribution",  # [anchors, 4 * bins]: logits of the distances left, top, right, bottom
    "box_regression",  # raw box branch of heads without a distribution
    "objectness_logits",
    "boxes",  # [1, N, 4] of an in-graph post-processing
    "classes",  # [1, N]
    "scores",  # [1, N]
    "count",  # [1]
]
Precision = Literal["fp32", "fp16", "dynamic", "int8", "int8-full", "int16x8", "w8"]
CALIBRATED: tuple[Precision, ...] = ("int8", "int8-full", "int16x8")
"""Whose activations are integers, with ranges that come from pictures or from the model."""
IoDtype = Literal["float32", "int8", "uint8"]
Engine = Literal["direct", "tensorflow"]
MnnMethod = Literal["mobileq", "KL", "ADMM", "EMA"]
MnnWeights = Literal["MAX_ABS", "ADMM"]

# Bounds of what is read. Beyond them no model was ever meant, and arithmetic or memory gives way.
# NaN lies within none.
Dim = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""Length of an axis; -1 where it is known only at run time."""
Axis = Annotated[int, Meta(ge=0, le=15)]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
PixelValue = Annotated[int, Meta(ge=0, le=255)]
Real = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1)]
Bytes = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all: frozen, keyword-only, strict when read back."""


class QuantParams(Spec, frozen=True, kw_only=True):
    """`real = scale * (quantized - zero_point)`; one entry, or one per index along `axis`."""

    scale: tuple[Annotated[float, Meta(ge=0, le=1e38)], ...]
    zero_point: tuple[Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)], ...]
    axis: Axis | None = None


class TensorSpec(Spec, frozen=True, kw_only=True):
    """One input or output.

    `name`, always the ONNX model's, is how everything in the project calls the tensor. In an
    artifact, `artifact_name` is what the file itself calls it, and `shape`, `dtype` and `layout`
    are the file's.
    """

    name: Name
    shape: tuple[Dim, ...]
    dtype: Name
    layout: Layout | None = None
    quant: QuantParams | None = None
    artifact_name: str | None = None
    permutation: tuple[Axis, ...] | None = None
    """`file_array = model_array.transpose(permutation)`; None where the orders are the same."""


class PreprocessSpec(Spec, frozen=True, kw_only=True):
    """How a picture becomes the input tensor.

    GRAY makes one channel of three first, `(9798 * R + 19235 * G + 3735 * B + 16384) >> 15`, as
    OpenCV rounds ITU-R BT.601. Resize (OpenCV's INTER_LINEAR_EXACT, integer arithmetic) and pad in
    8 bits, then per channel `value = (pixel * rescale_factor - image_mean) / image_std` in float32.
    Mean and standard deviation are in the order of `channel_order`, one of each for GRAY. Integer
    inputs take the pixel itself.
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

    def __post_init__(self) -> None:
        for name, values in (("image_mean", self.image_mean), ("image_std", self.image_std)):
            if len(values) != self.channels:
                raise ValueError(
                    f"{name} has {len(values)} values where {self.channel_order} has "
                    f"{self.channels}"
                )

    @property
    def channels(self) -> int:
        """Of the input tensor."""
        return 1 if self.channel_order == "GRAY" else 3

    def tensor_shape(self, batch: int = 1) -> tuple[int, ...]:
        """Of the input tensor."""
        if self.layout == "NCHW":
            return (batch, self.channels, self.height, self.width)
        return (batch, self.height, self.width, self.channels)


class HeadOutput(Spec, frozen=True, kw_only=True):
    """What one output tensor of a head holds, and for which stride where it is of one only."""

    name: Name
    role: OutputRole
    stride: Pixels | None = None


class DecodeSpec(Spec, frozen=True, kw_only=True):
    """How output tensors become boxes, scores and classes.

    `anchors` holds, per stride, (width, height) pairs in input pixels (YOLOv5). `reg_max` is the
    number of bins of a box side's distance distribution (DFL: 16, NanoDet: 8), else 0.
    `distance_bins`: the distance each bin stands for, in strides; 0, 1 ... reg_max - 1 where empty
    (a model rebuilt from a quantized one may have 0.945 in place of 1).
    """

    kind: DecodeKind
    class_count: Annotated[int, Meta(ge=1, le=10_000)]
    outputs: Annotated[tuple[HeadOutput, ...], Meta(min_length=1)]
    head: HeadKind = "decoded"
    strides: tuple[Pixels, ...] = ()
    anchors: tuple[tuple[tuple[Positive, Positive], ...], ...] = ()
    reg_max: Annotated[int, Meta(ge=0, le=1024)] = 0
    distance_bins: tuple[Real, ...] = ()
    box_format: BoxFormat = "cxcywh"
    box_unit: BoxUnit = "pixel"
    score_threshold: Share = 0.25
    iou_threshold: Share = 0.45


def batch_of(inputs: tuple[TensorSpec, ...]) -> int:
    """How many pictures a model takes at a time, in its first input."""
    shape = inputs[0].shape if inputs else ()
    return shape[0] if len(shape) == 4 and shape[0] > 0 else 1


class ModelSpec(Spec, frozen=True, kw_only=True):
    """A model as everything else sees it. `decode` is None where detections can't be decoded.

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
    labels: tuple[str, ...] = ()

    @property
    def batch(self) -> int:
        """How many pictures it takes at a time."""
        return batch_of(self.inputs)


class QuantRecipe(Spec, frozen=True, kw_only=True):
    """How a file was made, enough to make it again from the same model and calibration samples.

    `keep_float` names, for each group of ops that stays float, the tensor that it gives; `repairs`
    the steps that prepared the weights (see `mobileq.quantize.repairs`), in order. `per_channel`:
    weights have a scale for each output channel, as all files that mobileq makes.
    """

    precision: Precision
    engine: Engine = "direct"
    calibrator: str | None = None
    per_channel: bool = True
    keep_float: tuple[Name, ...] = ()
    repairs: tuple[str, ...] = ()
    head: HeadKind = "decoded"
    io: IoDtype = "float32"
    mnn_method: MnnMethod | None = None
    """Who quantizes an int8 .mnn file: mobileq, or MNN's own quantizer by one of its methods."""
    mnn_weights: MnnWeights | None = None
    """Of MNN's own quantizer."""


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
    ops: dict[str, int] = {}
    tool_versions: dict[str, str] = {}
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short name, unique in a bundle: `tflite-int8`."""
        return f"{self.target}-{self.precision}"
