"""What a .mnn file takes, gives and is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileq.external.child import call
from mobileq.spec import QuantParams, TensorSpec


@dataclass(frozen=True)
class MnnOutline:
    """Inputs and outputs under the file's names; ops by type; weights by how they are kept.

    `tensors` names what its ops give and can be read; `quantized` has (scale, zero-point, lowest
    code, highest code) by the tensor's name. MNN tells scales with six decimals.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    weight_types: dict[str, int]
    tensors: tuple[str, ...]
    quantized: dict[str, tuple[float, int, int, int]]

    def quant(self, name: str) -> QuantParams | None:
        """Of the tensor, where it is in integers."""
        if name not in self.quantized:
            return None
        scale, zero_point = self.quantized[name][:2]
        return QuantParams(scale=(scale,), zero_point=(zero_point,))


def read_outline(path: Path) -> MnnOutline:
    """Read a .mnn file in a child process.

    Raises:
        InputError: It is not an MNN file.
        ToolError: MNN crashed on it, as it does on damaged files.
    """
    found = call(
        "mobileq.targets.mnn.worker:MnnWorker",
        "outline",
        {"path": str(path)},
        stage=f"reading {path.name}",
        tool="MNN",
        advice="The file is probably damaged: convert the model again.",
    )
    return outline_of(found)


def outline_of(found: Mapping[str, Any]) -> MnnOutline:
    """Of the worker's answer to `outline`, or to `session` with the graph's `contents`."""
    quant, order = found["quant"], {name: index for index, name in enumerate(found["order"])}
    # A session lists them by name, the graph in the model's order.
    outputs = sorted(found["outputs"], key=lambda tensor: order.get(tensor["name"], len(order)))
    ordered = sorted(found["ops"].items(), key=lambda item: (-item[1], item[0]))
    return MnnOutline(
        inputs=tuple(_tensor(tensor, quant) for tensor in found["inputs"]),
        outputs=tuple(_tensor(tensor, quant) for tensor in outputs),
        ops=dict(ordered),
        weight_types=found["weights"],
        tensors=tuple(found["given"]),
        quantized={name: (*affine,) for name, affine in quant.items()},
    )


def _tensor(tensor: Mapping[str, Any], quant: Mapping[str, Sequence[Any]]) -> TensorSpec:
    scale, zero_point = quant.get(tensor["name"], (None, 0))[:2]
    shape = tuple(tensor["shape"])
    return TensorSpec(
        name=tensor["name"],
        shape=shape,
        dtype=tensor["dtype"],
        layout=("NHWC" if tensor["nhwc"] else "NCHW") if len(shape) == 4 else None,
        quant=QuantParams(scale=(scale,), zero_point=(zero_point,)) if scale else None,
    )
