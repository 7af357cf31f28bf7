"""Targets are found by name, and each states all that others ask of it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import get_args, get_type_hints

import pytest

from mobileq.errors import UsageError
from mobileq.quantize.groups import GroupKind
from mobileq.spec import CALIBRATED, Precision, QuantRecipe
from mobileq.targets.base import Target
from mobileq.targets.info import TargetInfo, TargetOption
from mobileq.targets.registry import TARGETS, TargetChoices, load_target, target_options
from mobileq.workflows.judging import remedy

each_target = pytest.mark.parametrize("info", TARGETS.values(), ids=TARGETS)


@each_target
def test_every_target_is_what_it_says_and_does_all_that_is_asked_of_it(info: TargetInfo) -> None:
    target = load_target(info.name)
    assert (target.info, target.name, target.suffix) == (info, info.name, info.suffix)
    assert info.suffix.startswith(".")
    assert info.title
    for name, asked in inspect.getmembers(Target, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(type(target), name))
            assert list(given.parameters) == list(inspect.signature(asked).parameters), name


def test_names_and_suffixes_tell_targets_apart() -> None:
    assert len({info.suffix for info in TARGETS.values()}) == len(TARGETS)
    assert all(name == info.name for name, info in TARGETS.items())


@each_target
def test_every_precision_leads_to_one_that_is_exact(info: TargetInfo) -> None:
    assert any(each.is_default for each in info.precisions)
    for each in info.precisions:
        assert each.name in get_args(Precision)
        # Integers have floors; what is float must agree.
        assert (each.tolerance is not None) == (each.name in ("fp32", "fp16"))
        path = [each.name]
        while (gentler := info.precision(path[-1]).gentler) is not None:
            assert gentler not in path
            path.append(gentler)
        assert path[-1] == "fp32"


@each_target
def test_the_remedy_for_a_file_that_finds_little_is_one_that_there_is(info: TargetInfo) -> None:
    for precision in info.precision_names:
        instead = remedy(info, QuantRecipe(precision=precision)).split()[-1]
        assert instead in (*info.precision_names, "--target")
        assert instead != precision


def test_what_another_tool_calibrated_is_left_to_it() -> None:
    by_mnn = QuantRecipe(precision="int8", options={"mnn_method": "KL"})
    assert remedy(TARGETS["mnn"], by_mnn) == "use --mnn-method mobileq"
    by_tensorflow = QuantRecipe(precision="int8", engine="tensorflow")
    assert remedy(TARGETS["tflite"], by_tensorflow) == "use dynamic", "no --keep-float there"


@each_target
def test_every_option_explains_itself(info: TargetInfo) -> None:
    for option in info.options:
        assert option.name.isidentifier()
        assert option.help.endswith(".")
        assert option.concerns
        assert len(set(option.choices)) == len(option.choices) > 1
        assert set(option.others) < set(option.choices)
        assert option.default not in option.others
        assert set(option.precisions or ()) <= set(info.precision_names)
        known = {each.name for each in info.options}
        assert option.only_with is None or option.only_with in known - {option.name}


def test_keyword_arguments_are_the_options_with_the_same_values() -> None:
    hints = get_type_hints(TargetChoices)
    assert {name: get_args(kind) for name, kind in hints.items()} == {
        name: option.choices for name, option in target_options().items()
    }


@each_target
def test_ranges_and_kinds_are_of_what_is_quantized(info: TargetInfo) -> None:
    is_calibrated = any(name in CALIBRATED for name in info.precision_names)
    assert bool(info.float_kinds) == is_calibrated
    assert set(info.float_kinds) <= set(get_args(GroupKind))
    assert all(low <= 0.0 < high for low, high in info.fixed_ranges.values())


def option(name: str, *choices: str, only_with: str | None = None) -> TargetOption:
    return TargetOption(
        name=name, choices=choices, help="It is.", precisions=("int8",), concerns="int8 of X",
        only_with=only_with,
    )  # fmt: skip


def test_only_what_changes_a_file_is_chosen() -> None:
    options = (option("method", "ours", "theirs"), option("weights", "a", "b", only_with="method"))
    info = TargetInfo(
        name="x", title="X", suffix=".x", implementation="", precisions=(), float_kinds=(),
        options=options,
    )  # fmt: skip
    both = {"method": "theirs", "weights": "b"}
    assert info.chosen(both, "int8") == both
    assert info.chosen(both, "fp32") == {}, "of another precision"
    assert info.chosen({"method": "ours", "weights": "b"}, "int8") == {}, "needs the other"
    assert info.chosen({"method": "new"}, "int8") == {}, "of another target"


def test_an_option_of_two_targets_takes_what_either_takes() -> None:
    both = option("engine", "direct", "slow").together_with(option("engine", "direct", "other"))
    assert both.choices == ("direct", "slow", "other")
    assert both.concerns == "int8 of X and int8 of X"


def test_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'coreml'") as caught:
        load_target("coreml")
    assert all(name in caught.value.hint for name in TARGETS)


def test_what_targets_say_of_themselves_needs_none_of_them() -> None:
    program = (
        "import sys, mobileq.targets.registry\n"
        "print(*(name for name in sys.modules if name.startswith('mobileq')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    rooms = {f"mobileq.targets.{name}{part}" for name in TARGETS for part in ("", ".info")}
    assert set(done.stdout.split()) == rooms | {
        *("mobileq", "mobileq.errors", "mobileq.targets"),
        *("mobileq.targets.info", "mobileq.targets.registry"),
    }
