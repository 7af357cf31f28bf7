"""Slices of every second pixel are one op in integer files, and the result is the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.rewrites.focus import join_slices

from ...tiny import sqnr_db
from .one_convolution import kinds, run


@pytest.fixture
def float_file(convert):
    """As onnx2tf writes it."""
    return flatbuffer.read_model(convert("focus", "fp32").path)


@pytest.mark.parametrize(
    ("precision", "io", "least"),
    [
        ("int8", "float32", 30.0),
        ("int8-full", "int8", 30.0),
        ("dynamic", "float32", 30.0),
        ("int16x8", "float32", 40.0),
    ],
)
def test_slices_become_one_op(convert, precision, io, least):
    file = convert("focus", precision, io)
    found = {op.split()[0] for op in file.converted.ops}
    slices = {"STRIDED_SLICE", "CONCATENATION"}
    # TFLite has no SPACE_TO_DEPTH of 16 bits.
    assert found & {*slices, "SPACE_TO_DEPTH"} == (
        slices if precision == "int16x8" else {"SPACE_TO_DEPTH"}
    )
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > least


def test_any_order_of_slices_gives_the_same(float_file):
    graph = float_file.subgraphs[0]
    at = kinds(float_file).index("CONCATENATION")
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 0, 3, 1]):
        model = copy.deepcopy(float_file)
        inputs = graph.operators[at].inputs
        model.subgraphs[0].operators[at].inputs = [int(inputs[each]) for each in order]
        wanted = run(model, plainly=True)
        join_slices(model)
        assert "SPACE_TO_DEPTH" in kinds(model)
        np.testing.assert_allclose(run(model, plainly=True), wanted, rtol=1e-4, atol=1e-3)


def test_slices_that_say_something_else_stay(float_file):
    graph = float_file.subgraphs[0]
    joining = graph.operators[kinds(float_file).index("CONCATENATION")]
    before = kinds(float_file)
    joining.inputs = [int(joining.inputs[each]) for each in (0, 1, 2, 2)]  # one pixel twice
    join_slices(float_file)
    assert kinds(float_file) == before
    graph.outputs = [*map(int, graph.outputs), int(joining.outputs[0])]  # which somebody reads
    join_slices(float_file)
    assert kinds(float_file) == before
