"""A hosted runner is the runner itself, except that its crash is only an error."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mobileq.errors import InputError, ToolError
from mobileq.external.child import Child
from mobileq.spec import QuantParams, TensorSpec
from mobileq.targets import hosted
from mobileq.targets.hosted import HostedRunner, Hosting, KeptChild, kept_children
from tests.open_files import open_files

INPUTS = (
    TensorSpec(
        name="x",
        shape=(2, 3),
        dtype="int8",
        quant=QuantParams(scale=(0.5,), zero_point=(1,)),
        permutation=(1, 0),
    ),
)


def hosting(runner: str, tool: str = "It") -> Hosting:
    return Hosting(runner, tool, "json")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setattr(hosted, "_idle", None)  # the folder's other tests keep their children
    found = (str(Path(__file__).parent / "child_side"), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "a model.bin"
    path.touch()
    return path


def test_outputs_and_latency_come_from_the_child(file):
    runner = HostedRunner(hosting("runners:Doubling"), file, INPUTS, (), factor=3)
    try:
        assert runner.interpreter == "doubling 1.0"
        assert runner.inputs == INPUTS
        feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array(4, np.int32)}
        found = runner.run(feeds)
        np.testing.assert_array_equal(found["x"], feeds["x"] * 3)
        assert found["y"].shape == ()
        assert runner.latency(feeds, runs=4, warmup=1) == [0.5] * 4
    finally:
        runner.close()


def test_specs_arrive_as_they_were_sent(file):
    with Child("mobileq.targets.hosted:RunnerHandler", stage="x", tool="It") as child:
        fields = {"runner": "runners:Telling", "path": str(file), "options": {}}
        specs = {"inputs": msgspec.to_builtins(INPUTS), "outputs": []}
        assert child.request("open", {**fields, **specs})[0]["interpreter"] == repr((INPUTS, ()))


def test_crash_is_an_error_that_names_the_file_and_stays_one(file):
    runner = HostedRunner(hosting("runners:Crashing", "The interpreter"), file, (), ())
    try:
        feeds = {"x": np.ones(3)}
        np.testing.assert_array_equal(runner.run(feeds)["x"], [2, 2, 2])
        for _ in range(2):
            with pytest.raises(
                ToolError, match=r"^The interpreter crashed \(SIGABRT\) while running a model.bin.$"
            ):
                runner.run(feeds)
        with pytest.raises(ToolError):
            runner.latency(feeds, 1, 0)
    finally:
        runner.close()


@pytest.mark.parametrize(("kind", "same"), [("Doubling", True), ("Environmental", False)])
def test_disturbed_runner_gives_another_result_where_it_depends_on_the_process(file, kind, same):
    feeds, found = {"x": np.ones(3)}, []
    for disturbed in (False, True):
        runner = HostedRunner(hosting(f"runners:{kind}"), file, (), (), disturbed=disturbed)
        found.append(runner.run(feeds)["x"])
        runner.close()
    assert np.array_equal(*found) == same


def test_runner_that_cannot_be_made_leaves_no_child(tmp_path):
    before = open_files()
    with pytest.raises(ToolError, match="none is missing"):
        HostedRunner(hosting("runners:Doubling"), tmp_path / "none", (), ())
    assert open_files() <= before


def test_errors_for_people_pass_through(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="ONNX Runtime can't load"):
        HostedRunner(hosting("mobileq.targets.reference:ReferenceRunner"), path, (), ())


def test_kept_child_serves_until_a_request_fails(file):
    options = {"path": str(file), "inputs": [], "outputs": [], "options": {}}

    def ask(kept: KeptChild, runner: str, stage: str, tool: str) -> Child:
        with kept.asked(stage, tool) as child:
            child.request("open", {"runner": runner, **options})
        return child

    first, second = (KeptChild("mobileq.targets.hosted:RunnerHandler", "") for _ in range(2))
    child = ask(first, "runners:Doubling", "reading x", "It")
    assert ask(first, "runners:Doubling", "reading y", "It") is child
    with pytest.raises(ToolError, match=r"^Another failed while writing z: "):
        ask(first, "runners:NoSuchClass", "writing z", "Another")
    assert not child.is_running
    with kept_children():
        child = ask(first, "runners:Doubling", "reading x", "It")
        first.close()
        assert ask(second, "runners:Doubling", "reading x", "It") is child
        second.end()
        second.end()
        assert not child.is_running
        child = ask(first, "runners:Doubling", "reading x", "It")
        first.close()
        first.close()
        assert child.is_running
    assert not child.is_running


def test_what_goes_wrong_with_a_hint_is_told_when_something_is_asked(file):
    kept = KeptChild("mobileq.targets.hosted:RunnerHandler", "")
    kept.hint("close")  # there is none to tell
    fields = {"runner": "runners:Doubling", "path": str(file), "inputs": [], "outputs": []}
    with kept.asked("reading x", "It") as child:
        child.request("open", {**fields, "options": {}})
    kept.hint("close")
    with kept.asked("reading y", "It") as again:
        assert again is child
        child.request("open", {**fields, "options": {}})
    child.close()
    kept.hint("close")
    with pytest.raises(ToolError), kept.asked("reading z", "It") as dead:
        dead.request("close", {})


def test_processes_that_are_expected_serve_the_next_files(file):
    here = hosting("runners:Process")
    here.expect(2)  # outside of a block nobody would end them
    with kept_children():
        here.expect(2)
        waiting = {str(each._process.pid) for kept in hosted._idle.values() for each in kept}
        assert len(waiting) == 3
        here.expect(1)
        runners = [in_some_process(file) for _ in range(3)]
        runners.append(in_some_process(file, disturbed=True))
        assert {each.interpreter for each in runners} & waiting == waiting
        for each in runners:
            each.close()


def test_library_that_is_missing_is_told_where_it_is_needed(file):
    with kept_children():
        Hosting("runners:NoSuchClass", "It", "no_such_library").expect(1)
        with pytest.raises(ToolError, match=f"^It failed while running {file.name}: "):
            HostedRunner(hosting("runners:NoSuchClass"), file, (), ())


def in_some_process(file: Path, **options: bool) -> HostedRunner:
    return HostedRunner(hosting("runners:Process"), file, (), (), **options)


def test_runners_of_a_block_take_turns_in_one_child(file, tmp_path):
    other = tmp_path / "another.bin"
    other.touch()
    with kept_children():
        first = in_some_process(file)
        beside = in_some_process(file)
        first.close()
        first.close()
        next_one = in_some_process(other)
        assert next_one.interpreter == first.interpreter
        assert beside.interpreter != first.interpreter
        next_one.run({"x": np.ones(3)})
        with pytest.raises(ToolError, match=r"^It crashed \(SIGABRT\) while running another.bin.$"):
            next_one.run({"x": np.ones(3)})
        next_one.close()
        beside.close()
        last = in_some_process(file)
        assert last.interpreter == beside.interpreter
        last.close()
    alone = in_some_process(file)
    assert alone.interpreter != last.interpreter
    alone.close()
    ended = in_some_process(file)
    assert ended.interpreter != alone.interpreter
    ended.close()


def test_child_that_failed_is_left_to_nobody(file):
    with kept_children():
        failed = in_some_process(file)
        with pytest.raises(ToolError, match="no such number"):
            failed.run({})
        failed.close()
        assert in_some_process(file).interpreter != failed.interpreter


def test_child_that_was_disturbed_is_left_to_those_that_are_to_be(file):
    with kept_children():
        disturbed = in_some_process(file, disturbed=True)
        disturbed.close()
        assert in_some_process(file).interpreter != disturbed.interpreter
        assert in_some_process(file, disturbed=True).interpreter == disturbed.interpreter


def test_a_block_within_a_block_shares_its_children(file):
    with kept_children():
        with kept_children():
            first = in_some_process(file)
            first.close()
        second = in_some_process(file)
        assert second.interpreter == first.interpreter
        second.close()
    assert in_some_process(file).interpreter != first.interpreter
