"""Copies of the edge leave the maximum of a window what it is."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.rewrites.pool_edges import repeat_edges

from ...tiny import sqnr_db
from .one_convolution import kinds, run


def pooling(size, kernel, strides, zeros, fill=-128):
    """A file of a PADV2 and a MAX_POOL_2D in int8."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.operatorCodes, model.subgraphs = 3, [], [graph]
    model.buffers, graph.tensors, graph.operators = [schema.BufferT()], [], []
    sides = list(zip(size, zeros, kernel, strides, strict=True))
    results = [(n + sum(pads) - k) // step + 1 for n, pads, k, step in sides]

    def tensor(name, height, width):
        return editing.int8_tensor(name, [1, height, width, 3], 0.02, -11)

    graph.inputs = [editing.add_tensor(model, tensor(b"x", *size))]
    graph.outputs = [editing.add_tensor(model, tensor(b"y", *results))]
    op = schema.OperatorT()
    op.opcodeIndex = editing.opcode_index(model, "MAX_POOL_2D", 2)
    op.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    op.builtinOptions = options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = kernel
    options.strideH, options.strideW = strides
    options.padding = schema.Padding.VALID
    padded = tensor(b"p", *(n + sum(pads) for n, pads, _, _ in sides))
    at = editing.add_tensor(model, padded)
    amounts = editing.add_constant(model, b"amounts", np.array([(0, 0), *zeros, (0, 0)], np.int32))
    value = editing.add_scalar_like(model, padded, fill)
    pads = [0, amounts, value]
    editing.append_op(model, "PADV2", pads, [at])
    editing.require_version(model, graph.operators[-1], 2)
    op.inputs, op.outputs = [at], [1]
    graph.operators.append(op)
    return model


pairs = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(pairs, pairs),
)
def test_result_is_the_same_to_the_byte(size, kernel, strides, zeros):
    sides = zip(size, zeros, kernel, strict=True)
    assume(all(length + sum(pads) >= window for length, pads, window in sides))
    model = pooling(size, kernel, strides, zeros)
    wanted = run(model, plainly=True)
    repeat_edges(model)
    for plainly in (True, False):
        np.testing.assert_array_equal(run(model, plainly=plainly), wanted)


@pytest.mark.parametrize(
    ("zeros", "fill", "wanted"),
    [
        # ResNet's: no window reaches the last row, or column, of even sizes.
        (((1, 1), (1, 1)), -128, ["SLICE", "CONCATENATION"] * 2 + ["MAX_POOL_2D"]),
        (((0, 1), (0, 0)), -128, ["SLICE", "CONCATENATION", "MAX_POOL_2D"]),
        (((1, 1), (1, 1)), -11, ["PADV2", "MAX_POOL_2D"]),  # zeros, which may be the maximum
        (((3, 1), (1, 1)), -128, ["PADV2", "MAX_POOL_2D"]),  # windows of nothing else
    ],
)
def test_paddings_are_copies_where_they_say_nothing(zeros, fill, wanted):
    model = pooling((8, 8), (3, 3), (2, 2), zeros, fill)
    repeat_edges(model)
    assert kinds(model) == wanted


@pytest.mark.parametrize(("precision", "io"), [("int8", "float32"), ("int8-full", "uint8")])
def test_converted_file_has_no_padding_of_its_own(convert, precision, io):
    file = convert("padded_pool", precision, io)
    assert not any(op.startswith("PADV2") for op in file.converted.ops)
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > 30.0
