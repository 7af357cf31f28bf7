"""Hard swish in integers."""

from __future__ import annotations

from ...tiny import sqnr_db


def test_hard_swish_is_made_of_ops_that_xnnpack_has(convert):
    file = convert("hard_swish", "int8")
    found = file.run()["y"]
    assert (file.converted.ops["MUL int8"], file.converted.ops["ADD int8"]) == (2, 1)
    assert "HARD_SWISH int8" not in file.converted.ops
    assert sqnr_db(file.model.wanted["y"], found) > 30.0
