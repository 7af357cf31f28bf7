"""The facts hold in ONNX's own examples of each operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx.defs
import pytest
from onnx import NodeProto, helper, numpy_helper

from mobileq.graph import op_facts
from mobileq.graph.op_facts import Fact, only_moves, ops_with

Example = tuple[NodeProto, list[Any], list[Any]]
EVERYTHING = ~Fact(0)


def arrays(folder: Path, kind: str, count: int) -> list[Any]:
    paths = (folder / f"{kind}_{at}.pb" for at in range(count))
    return [numpy_helper.to_array(onnx.load_tensor(path)) for path in paths]


@pytest.fixture(scope="module")
def examples() -> dict[str, list[Example]]:
    """{operator: (node, inputs, outputs) of each test that ONNX has of it alone, on tensors}."""
    found = defaultdict(list)
    for folder in sorted((Path(onnx.__file__).parent / "backend/test/data/node").iterdir()):
        graph = onnx.load(folder / "model.onnx").graph
        ends = (*graph.input, *graph.output)
        if len(graph.node) > 1 or not all(each.type.HasField("tensor_type") for each in ends):
            continue
        node, data = graph.node[0], folder / "test_data_set_0"
        if node.op_type in ops_with(EVERYTHING):
            inputs = arrays(data, "input", len(graph.input))
            outputs = arrays(data, "output", len(graph.output))
            found[node.op_type].append((node, inputs, outputs))
    return found


def of(examples: dict[str, list[Example]], ops: frozenset[str]) -> Iterator[Example]:
    """Examples of these operators on numbers, with at least one value in and out."""
    for op in sorted(ops):
        for node, inputs, outputs in examples[op]:
            given = [each for each in (*inputs, *outputs[:1]) if isinstance(each, np.ndarray)]
            if len(given) > 1 and given[0].dtype.kind in "fiu" and given[-1].size:
                yield node, inputs, outputs


def test_operators_are_those_of_the_standard():
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    assert ops_with(EVERYTHING) <= known


def test_what_rearranges_keeps_each_value(examples):
    for node, inputs, outputs in of(examples, op_facts.REARRANGING - {"Dropout"}):
        np.testing.assert_array_equal(
            np.sort(outputs[0], None), np.sort(inputs[0], None), node.name
        )


def test_what_selects_makes_up_no_value(examples):
    seen = set()
    for node, inputs, outputs in of(examples, op_facts.MOVING | {"Resize", "Upsample"}):
        if only_moves(node) and node.op_type != "Dropout":
            for output in outputs[: None if node.op_type == "Split" else 1]:
                seen.add(node.op_type)
                # A window may hold nothing but padding; boxes may lie outside of the picture.
                extra = {-np.inf, 10.0} if node.op_type in ("MaxPool", "Resize") else set()
                assert set(output.ravel()) - extra <= set(inputs[0].ravel()), node
    assert {"Slice", "Gather", "GatherND", "MaxPool", "Resize", "Tile", "Compress"} <= seen


def test_ranks_are_kept(examples):
    seen = set()
    for node, inputs, outputs in of(examples, ops_with(Fact.ELEMENTWISE | Fact.KEEPS_RANK)):
        seen.add(node.op_type)
        assert outputs[0].ndim == max(np.ndim(each) for each in inputs), node
    assert len(seen) > 80


def test_elementwise_functions_have_the_shape_that_their_inputs_broadcast_to(examples):
    for node, inputs, outputs in of(examples, ops_with(Fact.ELEMENTWISE)):
        # Some examples of Cast have a second input, without values, that it does not read.
        shapes = [each.shape for each in inputs if each.size]
        if node.op_type != "PRelu":
            assert outputs[0].shape == np.broadcast_shapes(*shapes), node


@pytest.mark.parametrize(
    ("node", "moves"),
    [
        (helper.make_node("Resize", ["x"], ["y"]), True),
        (helper.make_node("Resize", ["x"], ["y"], mode="nearest"), True),
        (helper.make_node("Resize", ["x"], ["y"], mode="linear"), False),
        (helper.make_node("AveragePool", ["x"], ["y"]), False),
        (helper.make_node("Pad", ["x"], ["y"]), False),
        (helper.make_node("Tile", ["x"], ["y"]), True),
    ],
)
def test_resizing_to_the_nearest_only_moves_values(node: NodeProto, moves: bool):
    assert only_moves(node) is moves
