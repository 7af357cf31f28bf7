"""What ONNX Runtime says of itself."""

from __future__ import annotations

from mobileq.targets.info import FLOAT16, FLOAT32, PrecisionInfo, TargetInfo

INFO = TargetInfo(
    name="onnxruntime",
    title="ONNX Runtime",
    suffix=".onnx",
    # Behind the IR version, one byte, stands who wrote the file.
    mark=(2, b"\x12\x07mobileq"),
    implementation="mobileq.targets.onnxruntime.target:OrtTarget",
    precisions=(
        PrecisionInfo(name="fp32", gentler=None, tolerance=FLOAT32, is_default=True),
        PrecisionInfo(name="fp16", gentler="fp32", tolerance=FLOAT16, is_default=True),
        PrecisionInfo(name="dynamic", gentler="fp16", is_default=True),
    ),
    float_kinds=(),
)
