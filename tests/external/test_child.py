"""Whatever a tool does to its process, the parent gets an answer or one sentence, and goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mobileq.errors import InputError, StoppedToolError, ToolError, UsageError
from mobileq.external.child import Child, call
from mobileq.logfile import log_path
from mobileq.progress import Silent, listen
from tests.open_files import open_files

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's doing")


def make_child() -> Child:
    return Child("handlers:Worker", stage="testing x.onnx", tool="The tool", advice="Try harder.")


@pytest.fixture
def child() -> Iterator[Child]:
    with make_child() as made:
        yield made


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_answer_comes_back_with_its_arrays(child):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "scalar": np.array(7, np.int16)}
    fields = {"text": "ü", "list": [1, None], "command": "abort", "error": "none"}
    answer, received = child.request("echo", fields, arrays)
    assert answer["fields"] == fields
    assert list(received) == ["a", "scalar"]
    np.testing.assert_array_equal(received["a"], arrays["a"])
    assert received["scalar"].shape == ()


def test_handler_lives_as_long_as_the_child(child):
    assert [child.request("echo")[0]["requests"] for _ in range(3)] == [1, 2, 3]


def test_crash_in_a_single_call_leaves_no_files(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(ToolError):
        call("handlers:Worker", "abort_amid_a_file", {}, stage="testing", tool="It")
    assert list(temporary.iterdir()) == []


def test_large_arrays_pass_both_ways_at_once(child):
    large = np.arange(3_000_000, dtype=np.float32)  # more than a pipe holds
    np.testing.assert_array_equal(child.request("echo", arrays={"a": large})[1]["a"], large)


def test_error_of_the_tool_names_tool_stage_and_log(child, log_file):
    with pytest.raises(ToolError) as caught:
        child.request("value_error")
    assert caught.value.message == "The tool failed while testing x.onnx: ValueError: first line"
    assert caught.value.hint == f"Try harder. Its output is in {log_file}."
    assert "second line" in log_file.read_text()
    assert child.request("echo")[0]["requests"] == 1


def test_error_made_for_people_arrives_as_it_was_raised(child):
    with pytest.raises(InputError) as caught:
        child.request("input_error")
    assert (caught.value.message, caught.value.hint) == ("x.onnx is empty.", "Give another.")


@pytest.mark.parametrize("handler", ["handlers:Missing", "no_such_module:Handler"])
def test_handler_that_is_not_there_is_a_tool_error(handler):
    with pytest.raises(ToolError, match=r"Missing|no_such_module"):
        call(handler, "echo", {}, stage="testing", tool="It")


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("abort", r"crashed \(SIGABRT\)"),
        ("segfault", r"crashed \(SIGSEGV\)"),
        ("exit_at_once", "ended with exit code 3"),
        ("exit_python", "ended with exit code 3"),
        ("unusual_signal", r"crashed \(signal \d+\)"),
        ("unsendable", "ended with exit code 1"),
    ],
)
def test_death_of_the_tool_is_one_sentence(child, command, how):
    with pytest.raises(ToolError, match=f"^The tool {how} while testing x.onnx.$") as caught:
        child.request(command)
    assert caught.value.hint.startswith("Try harder. ")


@pytest.mark.parametrize(
    ("number", "said", "remedy"),
    [
        (
            signal.SIGKILL,
            "The tool was killed (SIGKILL) while testing x.onnx, perhaps by the system for lack of "
            "memory.",
            "Close other programs, and run the command again. ",
        ),
        (
            signal.SIGTERM,
            "The tool was killed (SIGTERM) while testing x.onnx.",
            "Run the command again. ",
        ),
    ],
)
def test_what_was_ended_from_outside_is_no_fault_of_the_tool(child, number, said, remedy):
    with pytest.raises(StoppedToolError) as caught:
        child.request("receive", {"signal": number})
    assert caught.value.message == said
    assert caught.value.hint.startswith(remedy)


def test_lack_of_memory_is_no_fault_of_the_tool(child):
    with pytest.raises(StoppedToolError, match="not enough memory"):
        child.request("run_out_of_memory")


@pytest.fixture
def heard() -> Iterator[list[str]]:
    progress = Silent()
    listen(progress)
    yield progress.notices
    listen(Silent())


@LINUX
@pytest.mark.parametrize("array", [np.zeros(0, np.uint8), np.zeros(3_000_000, np.uint8)])
def test_stuck_child_is_told_of_and_then_ended(heard, array):
    with make_child() as child:
        child.request("echo")
        child._lines[0].patience._limit_s = 2  # not before: the start may take longer
        os.kill(child._process.pid, signal.SIGSTOP)
        with pytest.raises(StoppedToolError) as caught:
            child.request("echo", arrays={"a": array})
        assert not runs(child._process.pid)
    assert caught.value.message == (
        "The tool gave no answer within 2 seconds while testing x.onnx, and was ended."
    )
    assert caught.value.hint.startswith("Allow more with MOBILEQ_TOOL_LIMIT_S (in seconds). ")
    assert heard == [
        "The tool is testing x.onnx for 1 seconds now; after 2 seconds it is ended "
        "(MOBILEQ_TOOL_LIMIT_S changes that)."
    ]


def test_limit_is_of_one_answer(child):
    child.request("echo")
    patience = child._lines[0].patience
    patience._start -= patience._limit_s + 1
    assert child.request("echo")[0]["requests"] == 2


def test_limit_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("MOBILEQ_TOOL_LIMIT_S", "77")
    with make_child() as child:
        assert child._lines[0].patience._limit_s == 77


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "9" * 30, "\u0663"])
def test_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, text):
    monkeypatch.setenv("MOBILEQ_TOOL_LIMIT_S", text)
    with pytest.raises(UsageError, match="MOBILEQ_TOOL_LIMIT_S"):
        make_child()


def test_full_disk_under_the_log_stops_no_tool(tiny_disk, monkeypatch):
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tiny_disk))
    log_path.cache_clear()
    with make_child() as child:
        child.request("print_much")
        assert child.request("echo")[0]["requests"] == 1


CLOSED = """
from mobileq.external.child import call
print(call("handlers:Worker", "echo", {"x": 1}, stage="testing", tool="It")["fields"])
"""


@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-"])
def test_closed_standard_streams_are_not_taken_by_pipes(closed):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, CLOSED],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "{'x': 1}\n"), done.stderr


def test_temporary_files_of_a_child_go_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with make_child() as child:
        place = Path(child.request("temporary_folder")[0]["folder"])
        assert place.parent == tmp_path
        assert list(place.iterdir())
    assert not place.exists()


@LINUX
def test_process_that_was_forked_leaves_the_owners_child_alone():
    code = (
        "import gc, os, sys\n"
        "from mobileq.external.child import Child\n"
        "child = Child('handlers:Worker', stage='testing', tool='The tool')\n"
        "if os.fork() == 0:\n"
        "    del child\n"
        "    gc.collect()\n"
        "    sys.exit()\n"
        "os.wait()\n"
        "print(child.folder.is_dir(), child.is_running)\n"
        "child.close()\n"
        "print(child.folder.exists(), child.is_running)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["True", "True", "False", "False"], done.stderr


def test_child_without_its_folder_is_not_asked(child):
    child.folder.rmdir()
    assert not child.is_running


def test_dead_child_answers_every_request_with_the_same_error(child):
    for _ in range(3):
        with pytest.raises(ToolError, match="SIGABRT"):
            child.request("abort")


def test_child_that_sends_nonsense_is_ended(child):
    with pytest.raises(ToolError, match="The tool"):
        child.request("babble")
    assert not child.is_running


def test_output_of_the_tool_goes_to_the_log_only(log_file, capfd):
    call("handlers:Worker", "speak", {}, stage="testing", tool="It")
    logged = log_file.read_text()
    for text in ("through Python", "complaint", "past Python, to stdout", "past Python, to stderr"):
        assert text in logged
    assert capfd.readouterr() == ("", "")


def test_folder_named_like_one_of_our_packages_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "mobileq").mkdir()
    (tmp_path / "mobileq" / "__init__.py").write_text("raise SystemExit(9)")
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert call("handlers:Worker", "echo", {}, stage="testing", tool="It")["requests"] == 1


def test_closing_twice_or_after_a_crash_is_no_error():
    child = make_child()
    child.close()
    child.close()
    crashed = make_child()
    with pytest.raises(ToolError):
        crashed.request("abort")
    crashed.close()


def test_request_after_closing_is_a_tool_error():
    child = make_child()
    child.request("echo")
    child.close()
    with pytest.raises(ToolError, match="ended with exit code 0"):
        child.request("echo")


def test_closed_child_is_gone():
    child = make_child()
    pid = child._process.pid
    child.request("echo")
    child.close()
    assert not runs(pid)


HANGING = """
import sys
from pathlib import Path
from mobileq.external.child import Child

with Child("handlers:Worker", stage="testing", tool="It") as child:
    child.request("hang", {"started": sys.argv[1]})
"""


@pytest.fixture
def hanging(tmp_path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A parent that waits for a child that hangs, and the child's process id."""
    started = tmp_path / "started"
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, str(started)], stderr=subprocess.PIPE
    ) as parent:
        pid = int(wait_for(lambda: started.exists() and started.read_text()))
        assert runs(pid)
        yield parent, pid
        parent.kill()


@LINUX
def test_ctrl_c_ends_parent_and_child_at_once(hanging):
    parent, pid = hanging
    parent.send_signal(signal.SIGINT)
    _, complaint = parent.communicate(timeout=120)
    assert b"KeyboardInterrupt" in complaint
    assert not runs(pid)


@LINUX
def test_child_dies_with_a_killed_parent(hanging):
    parent, pid = hanging
    parent.kill()
    wait_for(lambda: not runs(pid))


@LINUX
def test_waiting_children_end_when_their_parent_does():
    program = (
        "import os\nfrom mobileq.external.child import Child\n"
        "child = Child('handlers:Worker', stage='testing', tool='It')\n"
        "child.request('echo')\nprint(child._process.pid, flush=True)\nos._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    wait_for(lambda: not runs(int(done.stdout)))


def test_child_is_ended_where_the_block_is_left_by_an_interrupt():
    child = make_child()
    with pytest.raises(KeyboardInterrupt), child:
        raise KeyboardInterrupt
    assert child._process.returncode == -signal.SIGKILL
    assert not Path(f"/proc/{child._process.pid}").exists()


def test_children_leave_no_open_files():
    before = open_files()
    with make_child() as child:
        child.request("echo")
    with make_child() as child, pytest.raises(ToolError):
        child.request("abort")
    assert open_files() <= before
