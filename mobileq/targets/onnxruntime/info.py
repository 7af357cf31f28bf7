"""What ONNX Runtime says of itself."""

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

OrtKernels = Literal["integer", "inputs"]
OrtFormat = Literal["QDQ", "QOperator"]
OrtTypes = Literal["U8S8", "S8S8", "U8U8"]
OrtGranularity = Literal["channel", "tensor"]
OrtReduceRange = Literal["no", "yes"]

OrtMethod = Literal["mobileq", "MinMax", "Entropy", "Percentile"]
OrtFile = Literal["onnx", "ort"]

PRODUCER = "mobileq-onnxruntime"
"""Not mobileq's name alone, which models to convert may have, as the demo's does."""
METHOD, FILE = "ort_method", "ort_file"
KERNELS, FORMAT, TYPES = "ort_kernels", "ort_format", "ort_types"
GRANULARITY, REDUCE_RANGE = "ort_granularity", "ort_reduce_range"


class OrtChoices(TypedDict, total=False):
    """Its options as keyword arguments."""

    ort_method: OrtMethod
    ort_kernels: OrtKernels
    ort_format: OrtFormat
    ort_types: OrtTypes
    ort_granularity: OrtGranularity
    ort_reduce_range: OrtReduceRange
    ort_file: OrtFile


INFO = TargetInfo(
    name="onnxruntime",
    title="ONNX Runtime",
    suffix=".onnx",
    suffix_option=FILE,
    # Behind the IR version, one byte, stands who wrote the file: field 2, its length, the name.
    mark=(2, b"\x12" + bytes([len(PRODUCER)]) + PRODUCER.encode()),
    implementation="mobileq.targets.onnxruntime.target:OrtTarget",
    precisions=(
        PrecisionInfo(name="fp32", gentler=None, tolerance=FLOAT32, is_default=True),
        PrecisionInfo(name="fp16", gentler="fp32", tolerance=FLOAT16, is_default=True),
        PrecisionInfo(name="dynamic", gentler="fp16", is_default=True),
        PrecisionInfo(name="int8", gentler="dynamic"),
        PrecisionInfo(name="int8-full", gentler="int8"),
    ),
    options=(
        TargetOption(
            name=METHOD,
            choices=get_args(OrtMethod),
            help="Who makes int8 of ONNX Runtime: mobileq, or its own MinMax, Entropy, Percentile.",
            precisions=("int8",),
            concerns="int8 of ONNX Runtime",
            others=("MinMax", "Entropy", "Percentile"),
            others_keep_float=True,
            after="keep_float",
        ),
        TargetOption(
            name=KERNELS,
            choices=get_args(OrtKernels),
            help="int8 of ONNX Runtime: integer kernels, or rounded inputs of float ones.",
            precisions=("int8",),
            concerns="int8 of ONNX Runtime",
            after=METHOD,
        ),
        TargetOption(
            name=FORMAT,
            choices=get_args(OrtFormat),
            help="int8 of ONNX Runtime: QDQ pairs, or QOperator.",
            precisions=("int8", "int8-full"),
            concerns="int8 of ONNX Runtime",
            after=KERNELS,
        ),
        TargetOption(
            name=TYPES,
            choices=get_args(OrtTypes),
            help="Types of activations and weights: U8S8, S8S8, U8U8.",
            precisions=("int8", "int8-full"),
            concerns="int8 of ONNX Runtime",
            after=FORMAT,
        ),
        TargetOption(
            name=GRANULARITY,
            choices=get_args(OrtGranularity),
            help="A scale of weights for each output channel, or for each tensor.",
            precisions=("int8", "int8-full"),
            concerns="int8 of ONNX Runtime",
            after=TYPES,
        ),
        TargetOption(
            name=REDUCE_RANGE,
            choices=get_args(OrtReduceRange),
            help="yes: weights of 7 bits, for x86 without VNNI.",
            precisions=("int8", "int8-full"),
            concerns="int8 of ONNX Runtime",
            after=GRANULARITY,
            metavar="no|yes",
        ),
        TargetOption(
            name=FILE,
            choices=get_args(OrtFile),
            help="onnx, or ort for a reduced build, with the list of its operators.",
            # Half precision is widened where the processor has no kernels for it.
            precisions=("fp32", "dynamic", "int8", "int8-full"),
            concerns="ONNX Runtime",
            after=REDUCE_RANGE,
            metavar="onnx|ort",
        ),
    ),
    # No other range holds all values with finer steps.
    fixed_ranges={"Sigmoid": (0.0, 255 / 256)},
    float_kinds=("convolution", "activation", "arithmetic"),
    natives=(NativePackage(title="ONNX Runtime", package="onnxruntime", module="onnxruntime"),),
)
