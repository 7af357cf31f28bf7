"""Models that come quantized: QuantizeLinear and DequantizeLinear pairs around float operators.

Training for quantization exports them, and so do quantizers (ONNX Runtime's `quantize_static` in
its QDQ format, NNCF, TensorRT's tools). Such a model is taken apart: a plain float model, which
every step here knows, and the scales and zero-points that stood in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.errors import InputError
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.graph.op_facts import WEIGHTY, only_moves
from mobileq.graph.outline import all_graphs, all_nodes, subgraphs
from mobileq.graph.pair_parameters import (
    DEQUANTIZE,
    PAIR,
    QUANTIZE,
    constant_names,
    constant_values,
    parameters,
    weight_parameters,
)
from mobileq.graph.prune import prune
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import GraphProto, ModelProto, NodeProto

    Array = npt.NDArray[Any]

_INTEGER_PREFIXES = ("QLinear", "QGemm", "QAttention", "QEmbed")
_INTEGER_OPS = frozenset({"MatMulIntegerToFloat", "DynamicQuantizeMatMul"})
_INT8_BOUNDS = {"int8": (-128, 127), "uint8": (0, 255)}
_AS_PAIRS = (
    "Export it with QuantizeLinear and DequantizeLinear pairs"
    " (quantize_static(..., quant_format=QuantFormat.QDQ)), or give the float model."
)


def has_quantizers(model: ModelProto) -> bool:
    """Whether the model comes quantized in any format."""
    return any(node.op_type in PAIR or _works_on_integers(node) for node in all_nodes(model))


def strip_quantizers(model: ModelProto) -> tuple[ModelProto, GivenQuantization, tuple[str, ...]]:
    """The float model inside a quantized one, its scales, and notices.

    Activations lose their pairs: whoever read what a pair gives reads the tensor that it was given.
    Constants become what DequantizeLinear makes of them. Other tensors keep their names, and inputs
    and outputs all of theirs.

    Raises:
        InputError: It is not quantized in pairs, its inputs or outputs are integers, a scale is
            computed when it runs, or its activations are not 8 bits with one scale per tensor.
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper

    _require_pairs(model)
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    graph = stripped.graph
    values = constant_values(stripped)
    pairs = [node for node in graph.node if node.op_type in PAIR]
    folded = [n for n in pairs if n.op_type == DEQUANTIZE and n.output[0] in values]
    weights = {n.output[0]: found for n in folded if (found := weight_parameters(n, values))}
    fixed = constant_names(graph)
    pairs = [node for node in pairs if node.output[0] not in fixed]
    sources = _sources(graph, {node.output[0] for node in pairs})
    ranges, repeated = _ranges(pairs, sources, values)
    names = _final_names(graph, sources)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values[n.output[0]]), n.output[0]) for n in folded
    )
    _rewrite(graph, {node.output[0] for node in (*folded, *pairs)}, names)
    given = GivenQuantization(
        ranges={names.get(name, name): found for name, found in ranges.items()},
        constants=weights,
        unquantized=_unquantized(stripped, {node.output[0] for node in folded}),
    )
    return stripped, given, tuple(_notices(given, repeated))


def _works_on_integers(node: NodeProto) -> bool:
    return node.op_type.startswith(_INTEGER_PREFIXES) or node.op_type in _INTEGER_OPS


def _require_pairs(model: ModelProto) -> None:
    integer = {node.op_type for node in all_nodes(model) if _works_on_integers(node)}
    if integer:
        raise InputError(
            f"The model is quantized with integer operators ({', '.join(sorted(integer)[:3])}).",
            _AS_PAIRS,
        )
    for graph in list(all_graphs(model))[1:]:
        for node in graph.node:
            if node.op_type in PAIR:
                raise InputError(
                    f"The model is quantized inside of an If, Loop or Scan ('{node.name}').",
                    "Export it without control flow, or give the float model.",
                )


def _unquantized(model: ModelProto, folded: Collection[str]) -> tuple[str, ...]:
    """What the weighty operators give whose weights are constant and come of no pair."""
    fixed, of_pairs = constant_names(model.graph), set(folded)
    found = []
    for node in model.graph.node:
        if not of_pairs.isdisjoint(node.input) and node.output[0] in fixed:
            of_pairs.update(node.output)  # a transposed weight
        elif node.op_type in WEIGHTY and node.input[1] in fixed.difference(of_pairs):
            found.append(node.output[0])
    return tuple(found)


def _sources(graph: GraphProto, pairs: Collection[str]) -> dict[str, str]:
    """{what the nodes of pairs give: the float tensor that it stands for}. Raises InputError.

    Of a tensor that an operator moved as integers, that is the operator's own output.
    """
    inputs = {value.name for value in graph.input}
    sources: dict[str, str] = {}
    integers: set[str] = set()
    for node in graph.node:
        taken = node.input[0] if node.input else ""
        if node.output[0] in pairs:
            if node.op_type == DEQUANTIZE and taken not in integers:
                raise _integer_end("input", taken) if taken in inputs else _not_paired(node)
            sources[node.output[0]] = sources.get(taken, taken)
            if node.op_type == QUANTIZE:
                integers.add(node.output[0])
        elif not integers.isdisjoint(node.input):
            if not only_moves(node) or integers.intersection(node.input) != {taken}:
                raise _not_paired(node)
            integers.update(node.output)
    for value in graph.output:
        if value.name in integers:
            raise _integer_end("output", value.name)
    return sources


def _integer_end(kind: str, name: str) -> InputError:
    return InputError(
        f"The quantized model's {kind} '{name}' is made of integers.",
        "Export it with float inputs and outputs; --io int8 gives the converted file integer ones.",
    )


def _not_paired(node: NodeProto) -> InputError:
    return InputError(
        f"The operator {node.op_type} ('{node.name or node.output[0]}') works on the integers of a"
        " quantized tensor.",
        _AS_PAIRS,
    )


def _ranges(
    pairs: Iterable[NodeProto], sources: Mapping[str, str], values: Mapping[str, Array]
) -> tuple[dict[str, TensorRange], set[str]]:
    """Of every activation; and the tensors that have several, of which the first is taken."""
    found: dict[str, TensorRange] = {}
    several: set[str] = set()
    for node in pairs:
        name = sources[node.output[0]]
        if node.op_type == DEQUANTIZE and name in found:
            continue  # only what an operator moved as integers has no QuantizeLinear
        scale, zero = parameters(node, values)
        kind = str(zero.dtype)
        if kind not in _INT8_BOUNDS or scale.size != 1:
            how = f"to {kind}" if scale.size == 1 else f"with {scale.size} scales"
            raise InputError(
                f"The activation '{name}' is quantized {how}.",
                "Quantize activations to int8 or uint8, with one scale per tensor.",
            )
        low, high = _INT8_BOUNDS[kind]
        step, offset = float(scale.item()), int(zero.item())
        wanted = TensorRange(min=(low - offset) * step, max=(high - offset) * step)
        if found.setdefault(name, wanted) != wanted:
            several.add(name)
    return found, several


def _final_names(graph: GraphProto, sources: Mapping[str, str]) -> dict[str, str]:
    """{tensor: what it is called once the pairs are gone}; outputs of the model keep their names.

    Where a pair gives an output, the tensor it was given takes that name. One tensor can't have
    two: a second output becomes a copy.
    """
    from onnx import helper

    outputs = [value.name for value in graph.output]
    taken = {value.name for value in graph.input}.union(outputs)
    final = dict(sources)
    for name in outputs:
        source = sources.get(name)
        if source is None:
            continue
        if source in taken or source in final:
            graph.node.append(helper.make_node("Identity", [source], [f"{name}/copy"]))
            final[f"{name}/copy"] = name
            continue
        for each, known in sources.items():
            if known == source:
                final[each] = name
        final[source] = name
    return final


def _rewrite(graph: GraphProto, gone: Collection[str], names: Mapping[str, str]) -> None:
    """Drop the nodes that give `gone`, and call tensors by their new names."""
    from onnx import NodeProto

    kept = []
    for node in graph.node:
        if node.output[0] in gone:
            continue
        copy = NodeProto()
        copy.CopyFrom(node)
        for inner in (copy, *(each for body in subgraphs([copy]) for each in body.node)):
            for at, name in enumerate(inner.input):
                inner.input[at] = names.get(name, name)
        for at, name in enumerate(copy.output):
            copy.output[at] = names.get(name, name)
        kept.append(copy)
    del graph.node[:], graph.value_info[:], graph.quantization_annotation[:]
    graph.node.extend(kept)
    prune(graph)


def _notices(given: GivenQuantization, several: Collection[str]) -> Iterator[str]:
    yield (
        f"The model comes quantized: int8 keeps its own scales ({len(given.ranges)} activations,"
        f" {len(given.constants)} constants), float precisions are made without them."
    )
    if several:
        listed = ", ".join(repr(name) for name in sorted(several)[:3])
        yield (
            f"{len(several)} activations have several scales ({listed}): the first is taken, since"
            " a tensor of a converted file has one."
        )
