"""Shuffled channels need no op that XNNPACK lacks, and come out as they did."""

from __future__ import annotations

import numpy as np
import pytest

from mobileq.targets.tflite.rewrites.shuffles import _shuffle

from ...tiny import sqnr_db


@pytest.mark.parametrize(
    ("precision", "io", "least"),
    [
        ("fp32", "float32", 100.0),
        ("int8", "float32", 30.0),
        ("int8-full", "int8", 30.0),
        ("int16x8", "float32", 40.0),
    ],
)
def test_shuffles_are_transposed(convert, precision, io, least):
    file = convert("shuffled", precision, io)
    kinds = [op.split()[0] for op in file.converted.ops]
    assert "GATHER" not in kinds
    # Of the two shuffles and of the output.
    assert sum(n for op, n in file.converted.ops.items() if op.startswith("TRANSPOSE")) == 3
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > least


@pytest.mark.parametrize(
    ("indices", "count", "wanted"),
    [
        ([0, 3, 1, 4, 2, 5], 6, (2, 0)),
        ([0, 2, 4, 1, 3, 5], 6, (3, 0)),
        ([4, 2, 5], 6, (2, 3)),
        ([0, 2, 4], 6, (3, 0)),
        ([0, 1, 2, 3, 4, 5], 6, (0, 0)),
        ([0, 3, 1, 2], 6, (0, 0)),
        ([5, 2], 6, (0, 0)),
        ([7, 3], 6, (0, 0)),
        ([-1, 3], 6, (0, 0)),
        ([0, 1], 2, (0, 0)),
    ],
)
def test_which_indices_are_a_piece_of_a_shuffle(indices, count, wanted):
    assert _shuffle(np.array(indices, np.int32), count) == wanted
