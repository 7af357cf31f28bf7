"""Tensors that the converter forgot to make."""

from __future__ import annotations

from contextlib import closing

import pytest

from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import sqnr_db


@pytest.mark.parametrize(("precision", "least"), [("fp32", 100), ("int8", 30)])
def test_tensor_that_convolutions_and_others_take_is_there_for_all(convert, precision, least):
    file = convert("branches", precision)
    opened = TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    with closing(opened) as runner:
        found = runner.run(file.model.feeds)
    assert sqnr_db(file.model.wanted["y"], found["y"]) > least
