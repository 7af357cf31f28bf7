"""Tensors of the file and of the model."""

from __future__ import annotations

import copy

import pytest

from mobileq.targets.tflite import contents, flatbuffer
from mobileq.targets.tflite.correspondence import file_ranges, float_outputs
from mobileq.targets.tflite.rewrites.unique_names import make_names_unique

from ..tiny import sqnr_db


def test_inside_of_a_loop_stays_float(convert):
    model = flatbuffer.read_model(convert("conv", "fp32").path)
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))
    make_names_unique(model)
    known = {contents.tensor_name(tensor): (-1.0, 1.0) for tensor in model.subgraphs[0].tensors}
    inside = model.subgraphs[1]
    given = {contents.tensor_name(inside.tensors[int(op.outputs[0])]) for op in inside.operators}
    assert float_outputs(model, (), known) == given


def test_what_an_op_moves_has_the_range_of_what_it_takes(convert):
    model = flatbuffer.read_model(convert("mirrored", "fp32").path)
    graph = model.subgraphs[0]
    (op,) = (op for op in graph.operators if contents.op_name(model, op) == "MIRROR_PAD")
    taken, given = (contents.tensor_name(graph.tensors[at]) for at in (op.inputs[0], op.outputs[0]))
    found = file_ranges(model, {"c": taken}, {"c": (-1.0, 2.0)})
    assert found[given] == (-1.0, 2.0)


@pytest.mark.parametrize(("name", "least_db"), [("rim", 25.0), ("inverse_sigmoid", 15.0)])
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_what_no_scale_holds_stays_float(convert, precision: str, name: str, least_db: float):
    """Integers of an infinite constant end the interpreter, and a divisor of 0 the run."""
    file = convert(name, precision)
    (wanted,) = file.model.wanted.values()
    (found,) = file.run().values()
    assert sqnr_db(wanted, found) > least_db
