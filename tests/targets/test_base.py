"""Targets are found by name."""

import pytest

from mobileq.errors import UsageError
from mobileq.targets.base import load_target, target_names


def test_every_name_is_a_target_of_that_name():
    assert "tflite" in target_names()
    for name in target_names():
        target = load_target(name)
        assert target.name == name
        assert target.suffix.startswith(".")


def test_unknown_target_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="'coreml'") as caught:
        load_target("coreml")
    assert all(name in caught.value.hint for name in target_names())
