"""What a converted file takes, gives, is made of and says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mobileq.spec import ModelSpec, Spec, TensorSpec


class QuantizedTensor(Spec, frozen=True, kw_only=True):
    """An activation that a file keeps in integers: real = scale * (code - zero_point).

    `min` and `max` are the real values of its lowest and highest code.
    """

    name: str
    dtype: str
    scale: float
    zero_point: int
    min: float
    max: float


def quantized_tensor(
    name: str, dtype: str, scale: float, zero_point: int, lowest: int, highest: int
) -> QuantizedTensor:
    """Of its lowest and highest code."""
    return QuantizedTensor(
        name=name,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        min=scale * (lowest - zero_point),
        max=scale * (highest - zero_point),
    )


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """As its target reads it; nothing of it was run.

    Attributes:
        inputs, outputs: Under the file's own names.
        ops: How many of which type.
        tensor_types: How many tensors of which type, weights included.
        quantized: Activations in integers, in the file's order.
        spec: What mobileq wrote into it; None in a file that others made.
        metadata: What others wrote into it, in the form of an ONNX file's metadata_props.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: Mapping[str, int]
    tensor_types: Mapping[str, int]
    quantized: tuple[QuantizedTensor, ...] = ()
    spec: ModelSpec | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
