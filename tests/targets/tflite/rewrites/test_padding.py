"""SAME is right, whatever a kernel and its stride are."""

from __future__ import annotations

import numpy as np
import pytest

from mobileq.targets.tflite.rewrites.padding import spell_out_same

from ...tiny import sqnr_db
from .one_convolution import Convolution, kinds, run


@pytest.mark.parametrize(
    ("convolution", "wanted"),
    [
        (Convolution((12, 12), 4, (1, 3), 2, None), ["PAD", "CONV_2D"]),
        (Convolution((12, 12), 4, (2, 2), 3, None), ["CONV_2D"]),
        (Convolution((12, 13), 4, (3, 3), 4, None), ["PAD", "CONV_2D"]),
        # The second row, or column, that is left over is zeros' place.
        (Convolution((13, 13), 4, (2, 2), 3, None), ["CONV_2D"]),
        (Convolution((12, 12), 4, (3, 3), 2, None), ["CONV_2D"]),
    ],
)
def test_short_kernels_are_padded_by_an_op_of_its_own(convolution, wanted):
    model = convolution.file()
    result = run(model, plainly=True)
    spell_out_same(model)
    assert kinds(model) == wanted
    np.testing.assert_array_equal(run(model, plainly=True), result)
    off = run(model, plainly=False).astype(int) - result
    assert abs(off).max() <= 1  # XNNPACK rounds halves otherwise


@pytest.mark.parametrize(("precision", "sqnr"), [("fp32", 100.0), ("int8", 30.0)])
def test_short_kernels_are_converted(convert, precision, sqnr):
    file = convert("short", precision)
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > sqnr
