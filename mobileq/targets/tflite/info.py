"""What TFLite says of itself."""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

from mobileq.targets.info import (
    FLOAT16,
    FLOAT32,
    NativePackage,
    PrecisionInfo,
    TargetInfo,
    TargetOption,
)

TfliteEngine = Literal["direct", "tensorflow"]
TfliteIo = Literal["float32", "int8", "uint8"]


class TfliteChoices(TypedDict, total=False):
    """Its options as keyword arguments."""

    engine: TfliteEngine
    io: TfliteIo


INFO = TargetInfo(
    name="tflite",
    title="TFLite",
    suffix=".tflite",
    mark=(4, b"TFL3"),
    implementation="mobileq.targets.tflite.target:TfliteTarget",
    precisions=(
        PrecisionInfo(name="fp32", gentler=None, tolerance=FLOAT32, is_default=True),
        PrecisionInfo(name="fp16", gentler="fp32", tolerance=FLOAT16, is_default=True),
        PrecisionInfo(name="dynamic", gentler="fp16", is_default=True),
        PrecisionInfo(name="int8", gentler="dynamic"),
        PrecisionInfo(name="int8-full", gentler="int8"),
        PrecisionInfo(name="int16x8", gentler="fp16"),
    ),
    options=(
        TargetOption(
            name="engine",
            choices=get_args(TfliteEngine),
            help="direct (seconds), or tensorflow (minutes; needs the extra).",
            precisions=None,
            concerns="TFLite",
            others=("tensorflow",),
        ),
        TargetOption(
            name="io",
            choices=get_args(TfliteIo),
            help="Type of an int8 file's inputs and outputs: float32, int8, uint8.",
            precisions=("int8", "int8-full"),
            concerns="int8 of TFLite",
            after="engine",
            metavar="TYPE",
        ),
    ),
    # Its kernel insists on it, and no other range holds all values with finer steps.
    fixed_ranges={"Sigmoid": (0.0, 255 / 256)},
    float_kinds=("convolution", "activation", "arithmetic"),
    natives=(
        NativePackage(title="onnx2tf engine", package="onnx2tf", module="onnx2tf"),
        NativePackage(
            title="TFLite interpreter",
            package="ai-edge-litert",
            module="ai_edge_litert.interpreter",
        ),
    ),
)
