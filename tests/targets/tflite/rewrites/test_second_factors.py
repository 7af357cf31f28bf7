"""Products of two activations in integers."""

from __future__ import annotations

from ...tiny import sqnr_db


def test_second_factor_of_two_activations_has_its_zero_in_the_middle(convert):
    file = convert("attention", "int8")
    found = file.run()["y"]
    assert file.converted.ops["BATCH_MATMUL int8"] == 2
    assert sqnr_db(file.model.wanted["y"], found) > 15.0
