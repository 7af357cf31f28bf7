"""Small read-only views of an ONNX model: who makes a tensor, who reads it, what goes in and out.

Nothing here changes the model it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mobileq.errors import InputError
from mobileq.spec import Layout, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

DYNAMIC = -1
"""Stands for a dimension that is not known before the model runs."""

_CHANNEL_COUNTS = (1, 3, 4)

_NUMPY_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "str",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4_e2m1fn",
}
"""`TensorProto.DataType` to the name numpy (or ml_dtypes) has for it."""
_OTHER_KINDS = {
    "sequence_type": "is a list (a sequence)",
    "optional_type": "may be missing (an optional)",
    "map_type": "is a dictionary (a map)",
    "sparse_tensor_type": "is a sparse tensor",
}
"""`TypeProto.value` -> what is said of it."""


def graph_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """The inputs a caller must feed.

    Up to IR version 3 every initializer had to be listed as an input as well; those are weights.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    weights.update(tensor.values.name for tensor in model.graph.sparse_initializer)
    return [value for value in model.graph.input if value.name not in weights]


def producers(graph: GraphProto) -> dict[str, NodeProto]:
    """Tensor name -> the node of `graph` that makes it (subgraphs are not entered)."""
    return {name: node for node in graph.node for name in node.output if name}


def consumers(graph: GraphProto) -> dict[str, list[NodeProto]]:
    """Tensor name -> the nodes of `graph` that read it, in graph order."""
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            if name:
                readers.setdefault(name, []).append(node)
    return readers


def attribute(node: NodeProto, name: str) -> AttributeProto | None:
    """The node's attribute of that name, or None."""
    return next((item for item in node.attribute if item.name == name), None)


def node_label(node: NodeProto) -> str:
    """How messages call a node: by its name, or by what it gives where it has none.

    PyTorch names all nodes; models that were edited or written by hand may not.
    """
    return f"node {node.name!r}" if node.name else f"the node that gives {node.output[0]!r}"


def subgraphs(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    """The bodies of If, Loop and Scan among `nodes`, and theirs, outermost first."""
    for node in nodes:
        for item in node.attribute:
            bodies = [item.g] if item.HasField("g") else []
            for body in (*bodies, *item.graphs):
                yield body
                yield from subgraphs(body.node)


def reads(node: NodeProto) -> Iterator[str]:
    """The tensors a node reads, also those the bodies of If and Loop take from around them."""
    for reader in (node, *(inner for body in subgraphs([node]) for inner in body.node)):
        yield from (name for name in reader.input if name)


def needed_nodes(
    nodes: Sequence[NodeProto], ends: Iterable[str], starts: Collection[str] = ()
) -> tuple[list[NodeProto], set[str]]:
    """The nodes that compute `ends` from `starts`, in order, and all tensors they read."""
    wanted = set(ends)
    kept: list[NodeProto] = []
    read: set[str] = set()
    for node in reversed(nodes):
        if not wanted.isdisjoint(name for name in node.output if name):
            kept.append(node)
            own = set(reads(node))
            read |= own
            wanted |= own.difference(starts)
    return kept[::-1], read


def all_graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The main graph and every subgraph in it."""
    yield model.graph
    yield from subgraphs(model.graph.node)


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every node: of the main graph, its subgraphs, and the model's own functions."""
    for graph in all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node
        for graph in subgraphs(function.node):
            yield from graph.node


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every stored tensor: initializers and the tensors in attributes, everywhere."""
    for graph in all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
    for function in model.functions:
        for graph in subgraphs(function.node):
            yield from graph.initializer
    for node in all_nodes(model):
        for item in node.attribute:
            if item.HasField("t"):
                yield item.t
            yield from item.tensors
            for sparse in (
                *([item.sparse_tensor] if item.HasField("sparse_tensor") else []),
                *item.sparse_tensors,
            ):
                yield sparse.values
                yield sparse.indices


def constants(graph: GraphProto) -> dict[str, npt.NDArray[np.generic]]:
    """Tensor name -> value of the initializers and the outputs of Constant nodes."""
    from onnx import numpy_helper

    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        value = attribute(node, "value")
        if node.op_type == "Constant" and value is not None and value.HasField("t"):
            values[node.output[0]] = numpy_helper.to_array(value.t)
    return values


def op_counts(model: ModelProto) -> dict[str, int]:
    """Op type -> number of nodes, subgraphs included, in alphabetical order."""
    counts = Counter(node.op_type for graph in all_graphs(model) for node in graph.node)
    return dict(sorted(counts.items()))


def opset(model: ModelProto) -> int:
    """Version of the standard operators ("" and "ai.onnx" are the same domain), 0 if not given."""
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    return max(versions, default=0)


def dims(value: ValueInfoProto) -> tuple[int, ...] | None:
    """Shape with `DYNAMIC` for each unknown dimension; None where not even the rank is known.

    Exporters write an unknown dimension as a name, as nothing, as 0 or as -1.
    """
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else DYNAMIC
        for dim in value.type.tensor_type.shape.dim
    )


def dtype_name(elem_type: int) -> str:
    """numpy's name of a `TensorProto.DataType`."""
    return _NUMPY_DTYPES.get(elem_type, "unknown")


def guess_layout(shape: tuple[int, ...]) -> Layout | None:
    """Order of a 4-D picture tensor, told by where 1, 3 or 4 channels can only be."""
    if len(shape) != 4:
        return None
    first, last = shape[1] in _CHANNEL_COUNTS, shape[3] in _CHANNEL_COUNTS
    if first == last:
        return None
    return "NCHW" if first else "NHWC"


def require_tensors(model: ModelProto) -> None:
    """Refuse models that take or give sequences, maps or optional values.

    Raises:
        InputError: An input or output is not a tensor, or of an unknown type.
    """
    for kind, values in (("input", graph_inputs(model)), ("output", model.graph.output)):
        for value in values:
            if (what := _no_tensor(value)) is not None:
                raise InputError(
                    f"The model's {kind} '{value.name}'{_beside(model.graph, kind, value.name)} "
                    f"{what}; runtimes of phones take and give tensors.",
                    "Export the model with plain tensors as inputs and outputs.",
                )


def _beside(graph: GraphProto, kind: str, name: str) -> str:
    """The node that takes an input, or makes an output; nothing where none does."""
    for node in graph.node:
        if name in (node.input if kind == "input" else node.output):
            done = "taken" if kind == "input" else "made"
            return f", {done} by {node.op_type} ({node_label(node)}),"
    return ""


def _no_tensor(value: ValueInfoProto) -> str | None:
    """What it is instead, as the end of a sentence."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return _OTHER_KINDS.get(kind or "", "has no type")
    elem_type = value.type.tensor_type.elem_type
    if elem_type in _NUMPY_DTYPES:
        return None
    return f"has elements of a type that is not known ({elem_type})" if elem_type else "has no type"


def with_outputs(model: ModelProto, names: Iterable[str]) -> bytes:
    """The model with these tensors for outputs."""
    import onnx

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    content: bytes = opened.SerializeToString()
    return content


def tensor_specs(model: ModelProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """(inputs, outputs) in the model's order; `DYNAMIC` (-1) for dimensions known only at run time.

    Raises:
        InputError: An input or output is not a tensor, or its rank is not known.
    """
    require_tensors(model)
    return (
        tuple(_tensor_spec(value, "input") for value in graph_inputs(model)),
        tuple(_tensor_spec(value, "output") for value in model.graph.output),
    )


def _tensor_spec(value: ValueInfoProto, kind: str) -> TensorSpec:
    shape = dims(value)
    if shape is None:
        raise InputError(
            f"The shape of the model's {kind} '{value.name}' is not known.",
            "Export the model again with shapes, or give --input-shape NAME:1,3,640,640.",
        )
    return TensorSpec(
        name=value.name,
        shape=shape,
        dtype=dtype_name(value.type.tensor_type.elem_type),
        layout=guess_layout(shape),
    )
