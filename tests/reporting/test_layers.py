"""What 8 bits cost op by op: which ops are named, and what is told of a file by another tool."""

from __future__ import annotations

from mobileq.evaluate.layers import LayerNoise
from mobileq.quantize.group_plans import GroupPlan
from mobileq.reporting.layer_charts import Ranked, clips, range_chart, ranked_chart
from mobileq.reporting.layers import _measured, _planned
from mobileq.reporting.vega import PAGE, render


def _group(
    name: str, share: float | None, *, is_float: bool = False, seen: float = 1.0
) -> GroupPlan:
    return GroupPlan(
        name=name,
        op_type="Conv",
        is_float=is_float,
        share=share,
        sqnr_db=30.0,
        low=0.0,
        high=1.0,
        seen_low=0.0,
        seen_high=seen,
        why="0 .. 1",
    )


def test_the_ops_that_cost_most_are_told_first_and_whether_they_stay_float() -> None:
    groups = [_group("a", 0.1), _group("b", 0.7, is_float=True, seen=9.0), _group("c", 0.2)]
    view = _planned("net-int8.tflite", groups)
    assert [row[0] for row in view.rows] == ["b", "c", "a"]
    assert view.sentences[0] == "3 groups of ops; 1 of them in float."
    assert view.sentences[2] == "b (Conv) alone is 70% of the error, and stays float: 0 .. 1."
    assert len(view.figures) == 3
    assert all(len(row) == len(view.columns) for row in view.rows)


def test_without_a_search_nothing_is_ranked() -> None:
    view = _planned("net-int8.tflite", [_group("a", None), _group("b", None)])
    assert len(view.figures) == 2
    assert len(view.sentences) == 2


def test_values_beyond_a_range_are_clipped_and_its_rounded_ends_are_not() -> None:
    assert [clips(_group("a", None, seen=seen)) for seen in (0.9, 1.01, 1.5)] == [
        False,
        False,
        True,
    ]


def test_names_that_are_cut_to_the_same_have_places_of_their_own() -> None:
    names = [f"/model/{'deep/' * 20}block{at}/{'conv/' * 20}out" for at in range(3)]
    chart = ranked_chart([Ranked(name, "Conv", 0.3, "why") for name in names], (), PAGE)
    rows = chart["data"]["values"]
    assert len({row["name"] for row in rows}) == 1
    assert [row["at"] for row in rows] == [0, 1, 2]
    svg = render(chart, PAGE, "what")
    assert all(f"{name}: why" in svg for name in names)


def test_ranges_of_all_sizes_are_in_one_picture() -> None:
    groups = [_group("a", None), _group("b", None, seen=1e6)]
    assert "b (Conv): 0 .. 1; seen 0 .. 1e+06; 30.0 dB" in render(
        range_chart(groups, PAGE), PAGE, ""
    )


def test_of_a_tools_own_file_the_noise_in_it_is_told() -> None:
    layers = [
        LayerNoise(name="a", op_type="Conv", sqnr_db=30.0, added=0.001, low=0.0, high=1.0),
        LayerNoise(
            name="b",
            op_type="Add",
            sqnr_db=12.5,
            added=0.05,
            low=-4.0,
            high=4.0,
            int8_low=-1.0,
            int8_high=1.0,
        ),
        LayerNoise(name="c", op_type="Relu", sqnr_db=None, added=0.0, low=0.0, high=1.0),
    ]
    view = _measured("net-int8.mnn", layers, by_tool=True)
    assert [row[0] for row in view.rows] == ["b", "a", "c"]
    assert view.rows[0][2:] == ("12.5", "0.0500", "-4 .. 4", "-1 .. 1")
    assert view.rows[2][2] == "exact"
    assert "b (Add): 12.5 dB" in view.figures[0].svg
    assert view.sentences[1].startswith("Most noise is added at b (Add")
    ours = _measured("net-int8.mnn", layers, by_tool=False)
    assert "clipped on purpose" in ours.sentences[1]
