"""What the ops and tensors of a file say of themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from mobileq.spec import QuantParams


@cache
def enum_names(enum: str) -> dict[int, str]:
    """{value: name} of one of the schema's enumerations."""
    from ai_edge_litert import schema_py_generated as schema

    members = vars(getattr(schema, enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def op_name(model: Any, op: Any) -> str:
    """The op's type as TFLite names it: CONV_2D; a custom op by its own name."""
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[op.opcodeIndex]
    # Codes above 127 stand in `builtinCode` only, old files fill the deprecated field only.
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    if builtin == schema.BuiltinOperator.CUSTOM and code.customCode:
        return str(code.customCode.decode(errors="replace"))
    return enum_names("BuiltinOperator").get(builtin, f"BUILTIN_{builtin}")


def ops_of(model: Any, *kinds: str) -> list[Any]:
    """The main graph's ops of these types, in the order they run."""
    return [op for op in model.subgraphs[0].operators if op_name(model, op) in kinds]


def dtype_name(tensor: Any) -> str:
    """The tensor's type as numpy names it."""
    return enum_names("TensorType").get(tensor.type, f"type {tensor.type}").lower()


def tensor_name(tensor: Any) -> str:
    """The tensor's name; "" where the file gives none."""
    return tensor.name.decode(errors="replace") if tensor.name else ""


def tensor_quant(tensor: Any) -> QuantParams | None:
    """Scale and zero-point, or None for a tensor without."""
    quant = tensor.quantization
    if quant is None or quant.scale is None or not len(quant.scale):
        return None
    zero_points: Any = quant.zeroPoint
    if zero_points is None or not len(zero_points):
        zero_points = [0] * len(quant.scale)
    return QuantParams(
        scale=tuple(float(value) for value in quant.scale),
        zero_point=tuple(int(value) for value in zero_points),
        axis=int(quant.quantizedDimension) if len(quant.scale) > 1 else None,
    )


def has_data(model: Any, tensor: Any) -> bool:
    """Whether the tensor is a constant."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def values(model: Any, tensor: Any) -> Any | None:
    """The values of a constant, in its shape; None for what is computed or fed."""
    import numpy as np

    if not has_data(model, tensor):
        return None
    data, shape = model.buffers[tensor.buffer].data, [int(each) for each in tensor.shape]
    return np.frombuffer(bytes(data), np.dtype(dtype_name(tensor)).newbyteorder("<")).reshape(shape)


def float32_values(model: Any, tensor: Any) -> Any | None:
    """The values of a float32 constant, in its shape; None for all else."""
    return values(model, tensor) if dtype_name(tensor) == "float32" else None


def activation_indices(model: Any) -> set[int]:
    """The tensors that are computed, or fed: all but the constants."""
    graph = model.subgraphs[0]
    computed = (int(index) for op in graph.operators for index in op.outputs)
    return {*computed, *map(int, graph.inputs)}
