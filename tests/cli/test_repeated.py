"""Options that are given more than once."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from mobileq.cli import app
from tests.android.bundles import write_bundle

from .commands import Cli


def test_every_list_can_be_given_again() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lists = {
        (command.name, parameter.name): parameter.multiple
        for command in commands.values()
        for parameter in command.params
        if "separated by commas" in (parameter.help or "")
    }
    assert {("convert", "target"), ("validate", "delegate"), ("bench", "delegate")} < set(lists)
    assert all(lists.values()), lists


@pytest.mark.parametrize(
    ("command", "option", "wrong", "right"),
    [
        ("convert MODEL -o NEW", "--target", "core", "tflite"),
        ("convert MODEL -o NEW", "--precision", "fp8", "fp32"),
        ("convert MODEL -o NEW --precision int8", "--repair", "paint", "input-scaling"),
        ("android BUNDLE -o NEW --application-id a.b --name A", "--abi", "mips", "x86_64"),
        ("android BUNDLE -o NEW --application-id a.b --name A", "--runtime", "core", "tflite"),
        ("bench BUNDLE", "--threads", "many", "1"),
        ("push BUNDLE", "--artifact", "fp8", "fp32"),
    ],
)
def test_lists_add_up_where_they_are_given_again(
    cli: Cli, demo: Path, tmp_path: Path, command: str, option: str, wrong: str, right: str
) -> None:
    places = {"NEW": tmp_path / "new", "MODEL": demo / "demo.onnx"}
    places["BUNDLE"] = write_bundle(tmp_path / "birds")
    words = [places.get(word, word) for word in command.split()]
    once = cli(*words, option, f"{wrong},{right}")
    again = cli(*words, option, wrong, option, right)
    assert (again.code, wrong in again.err) == (2, True)
    assert again == once
