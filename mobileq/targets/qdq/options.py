"""How quantized models are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IntegerType = Literal["int8", "uint8"]


@dataclass(frozen=True)
class QdqOptions:
    """What there is to choose.

    Attributes:
        kernels: "integer": all that integer kernels take and give has a pair. "inputs": only what
            convolutions and products take, for runtimes whose integer kernels give floats
            (OpenVINO); ONNX Runtime (1.26) then computes convolutions in float.
        per_channel: A scale for each output channel of weights, not one for all.
        reduce_range: Weights of 7 bits: on x86 without VNNI, uint8 times int8 is summed in pairs in
            16 bits, which products of 8 bits exceed.
    """

    kernels: Literal["integer", "inputs"] = "integer"
    activation_type: IntegerType = "uint8"
    weight_type: IntegerType = "int8"
    per_channel: bool = True
    reduce_range: bool = False
