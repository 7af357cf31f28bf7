"""A model cut into endings."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from mobileq.preparation.prepare import PreparedModel
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.partial_runs import Prefixes, suffixes, types_of


@pytest.mark.parametrize("count", [1, 3, 10, 1000])
def test_every_group_is_in_exactly_one_suffix(
    demo: PreparedModel, groups: tuple[OpGroup, ...], count: int
) -> None:
    parts, types = suffixes(demo.model, groups, count), types_of(demo.model)
    assert 1 <= len(parts) <= count
    assert [group.name for part in parts for group in part.groups] == [g.name for g in groups]
    for part in parts:
        nodes = part.model(types).graph.node
        for group in part.groups:
            given = tuple(name for at in group.nodes for name in nodes[at].output)
            assert given == group.tensors


def test_what_suffixes_give_is_what_the_whole_model_gives(
    demo: PreparedModel, groups: tuple[OpGroup, ...], samples: list[dict[str, Any]]
) -> None:
    parts, types = suffixes(demo.model, groups, 6), types_of(demo.model)
    assert len(parts) > 2
    outputs, taken = Prefixes(demo.model, parts).run(samples[0])
    whole = onnxruntime.InferenceSession(
        demo.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    wanted = dict(zip(outputs, whole.run(list(outputs), samples[0]), strict=True))
    for part, feeds in zip(parts, taken, strict=True):
        session = onnxruntime.InferenceSession(
            part.model(types).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        assert set(feeds) == {value.name for value in session.get_inputs()}
        for value, found in zip(session.get_outputs(), session.run(None, feeds), strict=True):
            np.testing.assert_allclose(found, wanted[value.name], rtol=1e-4, atol=2e-3)
    assert len(parts[-1].model(types).graph.node) < len(demo.model.graph.node) / 2
