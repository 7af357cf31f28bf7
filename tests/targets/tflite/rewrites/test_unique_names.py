"""Names of tensors."""

from __future__ import annotations

import copy

from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.rewrites.unique_names import make_names_unique


def test_tensors_of_several_graphs_get_names_of_their_own(convert):
    model = flatbuffer.read_model(convert("conv", "fp32").path)
    assert not make_names_unique(model)
    before = [tensor.name for tensor in model.subgraphs[0].tensors]
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))
    assert make_names_unique(model)
    assert [tensor.name for tensor in model.subgraphs[0].tensors] == before
    names = [tensor.name for graph in model.subgraphs for tensor in graph.tensors]
    assert len(set(names)) == len(names) == 2 * len(before)
