"""In a cell long work has one place, whose content changes as the work goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parents[1] / "assets" / "demo"
SHELL = """
import json, sys
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

class ZMQInteractiveShell(InteractiveShell):
    pass  # by whose name rich knows a notebook

config = Config()
config.HistoryManager.enabled = False
shell = ZMQInteractiveShell.instance(config=config, display_pub_class=CapturingDisplayPublisher)
shell.run_cell(sys.stdin.read()).raise_error()
print(json.dumps(shell.display_pub.outputs))
"""
STAGES = """
from mobileq.progress import listener
progress = listener(None)
with progress.stage("Fetching <it>", 3_000_000, "bytes") as advance:
    advance(1_000_000)
    with progress.stage("Waiting"):
        progress.notice("It takes a while.")
"""


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cell's code -> all that a notebook would be sent of it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(cell: str) -> list[dict[str, Any]]:
        command = [sys.executable, "-c", SHELL]
        done = subprocess.run(command, input=cell, capture_output=True, text=True, check=True)
        outputs: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return outputs

    return run


def test_stages_within_stages_are_rows_of_one_place(shown: Any) -> None:
    outputs = shown(STAGES)
    notice = outputs.pop(2)
    assert "It takes a while." in notice["data"]["text/plain"]
    assert [each["update"] for each in outputs] == [False, True, True, True]
    assert len({each["transient"]["display_id"] for each in outputs}) == 1
    assert [each["data"]["text/plain"] for each in outputs] == [
        "Fetching <it> 0.00 MB/3.00 MB",
        "Fetching <it> 1.00 MB/3.00 MB\nWaiting",
        "Fetching <it> 1.00 MB/3.00 MB",
        "",
    ]
    assert outputs[1]["data"]["text/html"] == (
        '<div><progress max="3000000" value="1000000" aria-label="Fetching &lt;it&gt;"></progress> '
        "Fetching &lt;it&gt; 1.00 MB/3.00 MB</div>"
        '<div><progress aria-label="Waiting"></progress> Waiting</div>'
    )
    assert outputs[3]["data"]["text/html"] == ""


def test_a_function_shows_what_it_is_at_and_leaves_nothing_behind(shown: Any) -> None:
    images = DEMO / "calibration" / "images"
    outputs = shown(
        f"import mobileq; mobileq.predict({str(DEMO / 'demo.onnx')!r}, {str(images)!r})"
    )
    told = [each["data"]["text/plain"] for each in outputs]
    count = len([*images.iterdir()])
    assert f"Predicting 0/{count}" in told
    assert told[-1] == ""


def test_who_is_silent_shows_nothing(shown: Any) -> None:
    assert shown(STAGES.replace("listener(None)", "__import__('mobileq').Silent()")) == []
