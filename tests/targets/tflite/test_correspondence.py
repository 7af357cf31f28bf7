"""Tensors of the file and of the model."""

from __future__ import annotations

import copy

from mobileq.targets.tflite import contents, editing, flatbuffer
from mobileq.targets.tflite.correspondence import float_outputs


def test_inside_of_a_loop_stays_float(convert):
    model = flatbuffer.read_model(convert("conv", "fp32").path)
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))
    editing.make_names_unique(model)
    known = {contents.tensor_name(tensor) for tensor in model.subgraphs[0].tensors}
    inside = model.subgraphs[1]
    given = {contents.tensor_name(inside.tensors[int(op.outputs[0])]) for op in inside.operators}
    assert float_outputs(model, (), known) == given
