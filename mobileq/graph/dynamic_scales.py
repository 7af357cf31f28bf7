"""Models by `quantize_dynamic`: the float model inside.

Its operators take codes whose scale is found anew in each run, and give sums that a Cast and a Mul
by the scales turn into numbers. Of a code (x - zero) * scale is what it stands for, so that x
itself in its place, with the scale 1 and the zero-point 0, gives the same but for the rounding.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mobileq.graph.outline import all_nodes, attribute, consumers
from mobileq.graph.rewrites.integer_products import PRODUCTS, factors
from mobileq.graph.rewrites.rule import Rule, attributes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from mobileq.graph.rewrites.rule import Editing

_DYNAMIC = "DynamicQuantizeLinear"
_FLOAT = 1
"""`TensorProto.DataType`."""


def dynamic_notices(model: ModelProto) -> tuple[str, ...]:
    """What a person should know of such a model."""
    if not any(node.op_type == _DYNAMIC for node in all_nodes(model)):
        return ()
    return (
        f"The model finds its scales anew for every picture ({_DYNAMIC}): files are made of the"
        " float model inside; --precision dynamic makes one that does the same.",
    )


def float_inside(model: ModelProto) -> Rule:
    """The rule that writes what is float inside of the model, and leaves other codes alone."""
    codes, products = _loose(model)
    sums: dict[str, str] = {}

    def apply(node: NodeProto, edit: Editing) -> str | None:
        if node.op_type == _DYNAMIC and node.output[0] in codes:
            edit.emit("Identity", [edit.constant(1.0, "float32")], [node.output[1]])
        elif node.op_type in PRODUCTS and node.output[0] in products:
            values = factors(node, edit, codes)
            if values is None:
                return "a shape is not known"
            op_type = PRODUCTS[node.op_type]
            sums[node.output[0]] = edit.emit(op_type, values, **attributes(node))
        elif node.op_type == "Cast" and node.input[0] in sums:
            edit.emit("Identity", [sums[node.input[0]]], node.output)
        else:
            return "its codes are not only of products"
        return None

    return Rule("float_inside", frozenset({_DYNAMIC, "Cast", *PRODUCTS}), apply)


def _loose(model: ModelProto) -> tuple[dict[str, str], set[str]]:
    """{codes that only products read: the numbers}, and products of nothing but such codes and
    constants, which are only cast to float."""
    readers = consumers(model.graph)
    makers = {node.output[0]: node for node in model.graph.node if node.op_type == _DYNAMIC}
    ends = {value.name for value in model.graph.output}
    constant = {tensor.name for tensor in model.graph.initializer}
    codes = {name: node for name, node in makers.items() if ends.isdisjoint(node.output)}
    while True:
        products = {
            node.output[0]
            for node in model.graph.node
            if node.op_type in PRODUCTS
            and node.output[0] not in ends
            and all(name in constant or name in codes for name in node.input[:2])
            and all(_is_to_float(each) for each in readers.get(node.output[0], []))
        }
        kept = {n: made for n, made in codes.items() if _only_in(made, readers, products)}
        if len(kept) == len(codes):
            return {name: node.input[0] for name, node in codes.items()}, products
        codes = kept


def _is_to_float(node: NodeProto) -> bool:
    to = attribute(node, "to")
    return node.op_type == "Cast" and to is not None and to.i == _FLOAT


def _only_in(
    node: NodeProto, readers: dict[str, list[NodeProto]], products: Collection[str]
) -> bool:
    """Whether products alone read the codes, and the zero-point where they do."""
    codes, _, zero = node.output
    reading = [*readers.get(codes, []), *readers.get(zero, [])]
    return all(
        each.output[0] in products
        and all(
            ([*each.input, "", ""][at + 2] == zero) == (each.input[at] == codes) for at in (0, 1)
        )
        for each in reading
    )
