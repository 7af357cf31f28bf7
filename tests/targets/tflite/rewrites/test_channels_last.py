"""What stands channels first between convolutions is turned, and the numbers are the same."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.rewrites.channels_last import put_channels_last

from ...tiny import sqnr_db
from .one_convolution import kinds, run

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class Made:
    """A float file of x [1, 4, 6, 8], channels last, op by op."""

    def __init__(self) -> None:
        self.model, graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.operatorCodes, self.model.subgraphs = 3, [], [graph]
        self.model.buffers, graph.tensors, graph.operators = [schema.BufferT()], [], []
        self.graph = graph
        self.x = self.tensor(1, 4, 6, 8)
        graph.inputs = [self.x]

    def tensor(self, *shape: int) -> int:
        name = f"t{len(self.graph.tensors)}".encode()
        return editing.add_tensor(self.model, editing.float_tensor(name, list(shape)))

    def turned(self, source: int, order: tuple[int, ...]) -> int:
        given = self.graph.tensors[source].shape
        result = self.tensor(*(given[axis] for axis in order))
        editing.add_transpose(self.model, source, result, order, result)
        return result

    def op(self, kind: str, sources: list[int], *shape: int, **options: int) -> int:
        result = self.tensor(*shape)
        editing.append_op(self.model, kind, sources, [result], **options)
        return result

    def pooled(self, source: int) -> int:
        """[1, 4, 6, 8] to [1, 1, 1, 8]."""
        axes = editing.add_constant(self.model, b"axes", np.array([1, 2], np.int32))
        result = self.op("MEAN", [source, axes], 1, 1, 1, 8)
        options = schema.ReducerOptionsT()
        options.keepDims = True
        made = self.graph.operators[-1]
        made.builtinOptionsType, made.builtinOptions = schema.BuiltinOptions.ReducerOptions, options
        return result

    def gathered(self, source: int, channels: list[int], *shape: int) -> int:
        taken = editing.add_constant(self.model, b"taken", np.array(channels, np.int32))
        result = self.op("GATHER", [source, taken], *shape)
        options = schema.GatherOptionsT()
        options.axis = 1
        made = self.graph.operators[-1]
        made.builtinOptionsType, made.builtinOptions = schema.BuiltinOptions.GatherOptions, options
        return result

    def ends_with(self, *outputs: int) -> schema.ModelT:
        self.graph.outputs = list(outputs)
        return self.model


def unit() -> Made:
    """PicoDet's: a hard swish, a split, squeeze and excitation, a concatenation and a shuffle."""
    made = Made()
    first = made.turned(made.op("RELU", [made.x], 1, 4, 6, 8), FIRST)
    swished = made.op("HARD_SWISH", [first], 1, 8, 4, 6)
    one = made.tensor(1, 4, 4, 6)
    editing.add_slice(made.model, swished, one, (0, 0, 0, 0))
    two = made.tensor(1, 4, 4, 6)
    editing.add_slice(made.model, swished, two, (0, 4, 0, 0))
    gate = made.tensor(1, 8, 1, 1)
    editing.add_reshape(made.model, made.pooled(made.x), gate, (1, 8, 1, 1))
    term = editing.add_constant(made.model, b"term", np.array([3.0], np.float32))
    gate = made.op("ADD", [gate, term], 1, 8, 1, 1)
    joined = made.op("CONCATENATION", [two, one], 1, 8, 4, 6, axis=1)
    gated = made.op("MUL", [joined, gate], 1, 8, 4, 6)
    mixed = made.gathered(gated, [0, 4, 1, 5, 2, 6, 3, 7], 1, 8, 4, 6)
    made.graph.outputs = [made.op("RELU", [made.turned(mixed, LAST)], 1, 4, 6, 8)]
    return made


def test_an_island_loses_its_transposes_and_the_numbers_are_the_same() -> None:
    wanted = run(unit().model, plainly=True)
    model = unit().model
    assert put_channels_last(model)
    found = kinds(model)
    assert "TRANSPOSE" not in found
    assert "RESHAPE" not in found
    np.testing.assert_array_equal(run(model, plainly=True), wanted)
    assert not put_channels_last(model)


def outside(kind: str) -> schema.ModelT:
    """Something that keeps channels first where they are."""
    made = Made()
    first = made.turned(made.x, FIRST)
    inner = made.op("LOGISTIC", [first], 1, 8, 4, 6)
    back = made.turned(inner, LAST)
    if kind == "an output":
        return made.ends_with(inner, back)
    if kind == "the end":
        return made.ends_with(back)
    flat = made.tensor(1, 192)
    editing.add_reshape(made.model, inner, flat, (1, 192))
    return made.ends_with(flat, made.op("RELU", [back], 1, 4, 6, 8))


@pytest.mark.parametrize("kind", ["an output", "the end", "another reader"])
def test_what_others_read_channels_first_stays(kind: str) -> None:
    model = outside(kind)
    assert not put_channels_last(model)
    assert kinds(model).count("TRANSPOSE") == 2


def test_a_turn_that_others_read_stays_for_them() -> None:
    def made() -> schema.ModelT:
        made = Made()
        first = made.turned(made.x, FIRST)
        flat = made.tensor(1, 192)
        editing.add_reshape(made.model, first, flat, (1, 192))
        back = made.turned(made.op("LOGISTIC", [first], 1, 8, 4, 6), LAST)
        both = made.tensor(1, 192)
        editing.add_reshape(made.model, back, both, (1, 192))
        return made.ends_with(made.op("ADD", [flat, both], 1, 192))

    model = made()
    assert put_channels_last(model)
    assert kinds(model).count("TRANSPOSE") == 1
    np.testing.assert_array_equal(run(model, plainly=True), run(made(), plainly=True))


@pytest.mark.parametrize(
    ("precision", "io", "least"),
    [("fp32", "float32", 100.0), ("int8", "float32", 28.0), ("int8-full", "int8", 28.0)],
)
def test_gated_and_shuffled_channels(convert, precision, io, least):
    file = convert("gated", precision, io)
    ops = [op.split()[0] for op in file.converted.ops for _ in range(file.converted.ops[op])]
    assert "GATHER" not in ops
    # Of the shuffle and of the output.
    assert ops.count("TRANSPOSE") == 2
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > least
