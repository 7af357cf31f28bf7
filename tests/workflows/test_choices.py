"""Options as keyword arguments: what they mean, and that none is lost or misspelt in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from mobileq.cli import app
from mobileq.errors import UsageError
from mobileq.quantize.options import QuantOptions
from mobileq.workflows.choices import ConvertChoices, chosen_options, chosen_overrides
from mobileq.workflows.opening import Overrides
from mobileq.workflows.request import ConvertOptions


def test_convert_takes_every_option_of_the_command() -> None:
    command = typer.main.get_command(app).commands["convert"]  # type: ignore[attr-defined]
    options = {
        name.removeprefix("--").removeprefix("no-").replace("-", "_")
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("--")
    }
    of_the_function = {"output", "force", "cache", "json", "help", "project"}
    assert options - of_the_function == set(ConvertChoices.__annotations__)


def test_nothing_said_is_the_default() -> None:
    assert chosen_options(None, {}) == ConvertOptions()
    assert chosen_overrides(None, {}) == Overrides()


def test_choices_become_options() -> None:
    found = chosen_options(
        None,
        {
            "target": "tflite, mnn",
            "precision": ["fp32", "int8"],
            "calib": "photos",
            "budget": 0.01,
            "search": False,
            "repair": "auto",
            "keep_float": "a{1,2}",
            "family": "yolov8",
            "labels": Path("names.txt"),
            "input_shape": "images:1,3,640,640",
            "spec": "spec.toml",
            "set": ["size=[1, 2]"],
            "strict": True,
        },
    )
    assert found == ConvertOptions(
        targets=("tflite", "mnn"),
        precisions=("fp32", "int8"),
        calib=Path("photos"),
        quantization=QuantOptions(budget=0.01, search=False, keep_float=("a{1,2}",)),
        overrides=Overrides(
            family="yolov8",
            labels="names.txt",
            input_shapes=("images:1,3,640,640",),
            spec_file=Path("spec.toml"),
            set_inputs=("size=[1, 2]",),
        ),
        strict=True,
    )
    assert chosen_options(None, {"repair": "input-scaling"}).quantization.repairs == (
        "input-scaling",
    )


def test_slips_are_told() -> None:
    with pytest.raises(UsageError, match="no option 'precison'") as caught:
        chosen_options(None, {"precison": "int8"})  # type: ignore[typeddict-unknown-key]
    assert caught.value.hint == "Did you mean 'precision'?"
    with pytest.raises(UsageError, match="'calib' is given beside `options`"):
        chosen_options(ConvertOptions(), {"calib": "photos"})
    with pytest.raises(UsageError, match="no option 'calib'"):
        chosen_overrides(None, {"calib": "photos"})
