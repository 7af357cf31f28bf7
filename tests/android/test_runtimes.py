"""Each runtime that the Android project knows states all that it takes to render one."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mobileq.android.options import ABIS
from mobileq.android.runtimes import (
    RUNTIMES,
    Runtime,
    RuntimeOptions,
    chosen_runtimes,
    other_folders,
)
from mobileq.android.template import template_folder
from mobileq.targets.registry import TARGETS

ALL = (*RUNTIMES.values(), *chosen_runtimes(("tflite",), "2"))
each_runtime = pytest.mark.parametrize("runtime", ALL, ids=lambda each: each.title)


@each_runtime
def test_a_runtime_runs_a_target_s_files_by_java_that_is_there(runtime: Runtime) -> None:
    assert runtime.target in TARGETS
    sources = template_folder() / "app/src/main/java"
    source = (sources / runtime.java_class.replace(".", "/")).with_suffix(".java")
    assert "implements ModelRuntime" in source.read_text()
    assert any(source.is_relative_to(template_folder() / folder) for folder in runtime.folders), (
        "left out of a project without it"
    )
    assert all((template_folder() / folder).is_dir() for folder in runtime.folders)


@each_runtime
def test_what_gradle_fetches_has_a_release_and_a_reason(runtime: Runtime) -> None:
    assert bool(runtime.libraries) == bool(runtime.dependencies) == (runtime.release is not None)
    if runtime.release is not None:
        options = {each.name: each for each in fields(RuntimeOptions)}
        option = options[runtime.release.option]
        assert runtime.release.serves(runtime.release.default)
        assert runtime.release.default in option.metadata["help"]
        assert option.metadata["help"]
        assert option.metadata["short"].endswith(".")


@each_runtime
def test_what_a_person_puts_in_is_explained_in_the_readme(runtime: Runtime) -> None:
    assert runtime.native is None or runtime.readme is not None
    if runtime.native is not None and runtime.readme is not None:
        told = (template_folder() / runtime.readme).read_text()
        assert all(name in told for name in runtime.native.needed)
        assert set(runtime.native.missing_abis) < set(ABIS)


def test_runtimes_stand_in_one_order() -> None:
    assert [each.target for each in chosen_runtimes(("mnn", "tflite"))] == list(RUNTIMES)


def test_the_other_line_of_litert_takes_the_place_of_the_default() -> None:
    both = ("tflite", "mnn")
    assert [each.title for each in chosen_runtimes(both)] == ["LiteRT", "MNN"]
    second = chosen_runtimes(both, "2")
    assert [each.title for each in second] == ["LiteRT 2", "MNN"]
    assert other_folders(second) == RUNTIMES["tflite"].folders
