"""What a file is made of: how many ops of which types, and which work on floats."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mobileq.errors import UnsupportedOperatorError
from mobileq.targets.tflite.contents import dtype_name, enum_names, op_name


def op_counts(model: Any) -> dict[str, int]:
    """{op type: how many}, most frequent first."""
    ops = (op for graph in model.subgraphs for op in graph.operators or ())
    counted = Counter(op_name(model, op) for op in ops)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def typed_op_counts(model: Any) -> dict[str, int]:
    """{"op type number type": how many}, the number type being that of its first output."""
    counted = Counter(
        f"{op_name(model, op)} {dtype_name(graph.tensors[int(op.outputs[0])])}"
        for graph in model.subgraphs
        for op in graph.operators or ()
        if len(op.outputs)
    )
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def float_ops(model: Any) -> tuple[str, ...]:
    """Types of the ops that take or give floats, each once."""
    found = dict.fromkeys(
        op_name(model, op)
        for graph in model.subgraphs
        for op in graph.operators or ()
        for index in (*op.inputs, *op.outputs)
        if int(index) >= 0 and dtype_name(graph.tensors[int(index)]).startswith("float")
    )
    return tuple(found)


def tensor_types(model: Any) -> dict[str, int]:
    """{tensor type: how many}, most frequent first."""
    counted = Counter(dtype_name(tensor) for tensor in model.subgraphs[0].tensors)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def custom_ops(model: Any) -> tuple[str, ...]:
    """Names of the ops that no TFLite runtime has by itself."""
    known = set(enum_names("BuiltinOperator").values())
    return tuple(name for name in op_counts(model) if name not in known)


def require_known_ops(model: Any, name: str) -> None:
    """No custom op, which no interpreter on a phone knows. Raises UnsupportedOperatorError.

    Args:
        name: The model's.
    """
    unknown = custom_ops(model)
    if unknown:
        raise UnsupportedOperatorError(
            f"onnx2tf made the custom op {unknown[0]} of {name}, which no interpreter knows.",
            "Export the model without it, or cut the graph before it.",
        )
