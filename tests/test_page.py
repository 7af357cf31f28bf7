"""Words and figures as results tell them."""

from __future__ import annotations

import pytest

from mobileq.evaluate.report import Lost
from mobileq.page import number


@pytest.mark.parametrize(
    ("value", "form", "told"),
    [(-0.00001, ".4f", "0.0000"), (-0.02, ".4f", "-0.0200"), (7, "d", "7"), ("int8", "", "int8")],
)
def test_what_rounds_to_nothing_has_no_sign(value: float | str, form: str, told: str) -> None:
    assert number(value, form) == told


def test_a_loss_that_is_none_is_not_told_as_a_gain() -> None:
    assert str(Lost(value=-1e-9, error=0.0)) == "0.0000 ±0.0000"
    assert str(Lost(value=-0.02, error=None)) == "-0.0200"
