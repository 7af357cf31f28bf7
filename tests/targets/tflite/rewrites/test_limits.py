"""Limits in integers."""

from __future__ import annotations

import pytest

from ...tiny import sqnr_db


@pytest.mark.parametrize(("precision", "io"), [("int8", "float32"), ("int8-full", "int8")])
def test_limits_of_fewer_axes_than_what_they_limit_are_integers(convert, precision, io):
    file = convert("limits", precision, io)
    ops = file.converted.ops
    assert (ops["MAXIMUM int8"], ops["MINIMUM int8"]) == (3, 2)
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > 30.0
