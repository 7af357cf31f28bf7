"""What MNN says of itself."""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

from mobileq.targets.info import (
    FLOAT16,
    NativePackage,
    PrecisionInfo,
    TargetInfo,
    TargetOption,
    Tolerance,
)

MnnMethod = Literal["mobileq", "KL", "ADMM", "EMA"]
MnnWeights = Literal["MAX_ABS", "ADMM"]

METHOD, WEIGHTS = "mnn_method", "mnn_weights"
"""Who quantizes an int8 file, mobileq or MNN's own quantizer by one of its methods; and how that
one takes the weights."""
_FLOAT32 = Tolerance(atol=3e-3, rtol=1e-2, sqnr_db=60.0, rounding=64.0)
"""MNN 3.6.1 computes 3x3 convolutions by Winograd's method, exact to 1e-5 of a tensor's largest
values only; squared in yolov5's boxes that was 0.3 pixels on an 85 pixel box. Where weights magnify
rounding (YOLO11, 12, 26 untrained), it came to 30 times what another order gives."""


class MnnChoices(TypedDict, total=False):
    """Its options as keyword arguments."""

    mnn_method: MnnMethod
    mnn_weights: MnnWeights


INFO = TargetInfo(
    name="mnn",
    title="MNN",
    suffix=".mnn",
    implementation="mobileq.targets.mnn.target:MnnTarget",
    precisions=(
        PrecisionInfo(name="fp32", gentler=None, tolerance=_FLOAT32, is_default=True),
        PrecisionInfo(name="fp16", gentler="fp32", tolerance=FLOAT16, is_default=True),
        PrecisionInfo(name="w8", gentler="fp16", is_default=True),
        PrecisionInfo(name="int8", gentler="w8"),
    ),
    options=(
        TargetOption(
            name=METHOD,
            choices=get_args(MnnMethod),
            help="Who makes int8 .mnn files: mobileq, or MNN's own KL, ADMM or EMA.",
            precisions=("int8",),
            concerns="int8 of MNN",
            others=("KL", "ADMM", "EMA"),
            after="keep_float",
        ),
        TargetOption(
            name=WEIGHTS,
            choices=get_args(MnnWeights),
            help="Weights of MNN's own methods: MAX_ABS or ADMM.",
            precisions=("int8",),
            concerns="int8 of MNN by --mnn-method",
            only_with=METHOD,
            after=METHOD,
        ),
    ),
    # Nothing but convolutions takes integers, and their ranges were tried with TFLite's only.
    fixed_ranges={"Sigmoid": (0.0, 255 / 256)},
    float_kinds=("convolution",),
    natives=(NativePackage(title="MNN", package="mnn", module="MNN"),),
)
