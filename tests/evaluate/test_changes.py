"""What two bundles say otherwise."""

from __future__ import annotations

from mobileq.evaluate.changes import changes, layer_changes
from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.report import Report


def test_fields_and_entries_are_named_by_their_paths() -> None:
    before = {"a": {"width": 3, "gone": 1}, "list": [1, 2], "of": [{"x": 1}, {"x": 2}], "b": None}
    after = {"a": {"width": 4}, "list": [1, 3], "of": [{"x": 1}, {"x": 5}], "b": {"c": 1}}
    found = [(each.what, each.before, each.after) for each in changes(before, after)]
    assert found == [
        ("a.width", 3, 4),
        ("a.gone", 1, None),
        ("list", [1, 2], [1, 3]),
        ("of[1].x", 2, 5),
        ("b", None, {"c": 1}),
    ]
    assert changes(after, after) == ()


def test_layers_are_those_whose_noise_differs_the_most_first() -> None:
    def report(**decibels: float | None) -> Report:
        layers = tuple(
            LayerNoise(name=name, op_type="Conv", sqnr_db=value, added=0.0, low=0.0, high=1.0)
            for name, value in decibels.items()
        )
        return Report(verifications={}, layers={"tflite-int8": layers})

    before = report(a=30.0, b=30.0, c=30.0, d=None, only=3.0)
    found = layer_changes(before, report(a=30.2, b=27.0, c=34.0, d=20.0), "tflite-int8")
    assert [each.name for each in found] == ["d", "c", "b"]
    assert (found[2].before_db, found[2].after_db) == (30.0, 27.0)
    assert layer_changes(before, before, "tflite-int8") == ()
