"""Charts become pictures that hold nothing but themselves, whatever names are in them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from mobileq.reporting.vega import LIGHT, PAGE, Chart, render

HOSTILE = '</title><script>alert("x")</script>&\x00\x1b[31m\u202e\ud800"\'{{ 7 * 7 }}'


def _chart(name: str) -> Chart:
    place = {"field": "x", "type": "quantitative", "title": name}
    return {
        "data": {"values": [{"name": name, "x": 1.0}, {"name": "plain", "x": 2.0}]},
        "mark": "point",
        "encoding": {"x": place, "description": {"field": "name"}},
    }


def _titles(svg: str) -> list[str | None]:
    return [each.text for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("title")]


def test_marks_say_what_they_are_and_axes_say_nothing_more() -> None:
    assert _titles(render(_chart("a < b"), PAGE, "what")) == ["a < b", "plain"]


def test_names_of_a_model_are_text_and_nothing_else() -> None:
    svg = render(_chart(HOSTILE), PAGE, HOSTILE)
    root = ElementTree.fromstring(svg)
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        *("svg", "g", "path", "line", "text", "title"),
    }
    shown = HOSTILE
    for char in "\x00\x1b\u202e\ud800":
        shown = shown.replace(char, "\N{REPLACEMENT CHARACTER}")
    assert root.attrib["aria-label"] == shown
    assert _titles(svg) == [shown, "plain"]


def test_a_chart_is_one_picture_that_scales() -> None:
    root = ElementTree.fromstring(render(_chart("a"), PAGE, "what it shows"))
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "what it shows")
    assert "width" not in root.attrib
    assert not any(
        name.startswith("aria-") for each in root.iter() if each is not root for name in each.attrib
    )


def test_colours_are_the_pages_own_or_those_of_a_lone_file() -> None:
    assert "var(--ink)" in render(_chart("a"), PAGE, "")
    alone = render(_chart("a"), LIGHT, "")
    assert "var(" not in alone
    assert LIGHT.ink in alone
