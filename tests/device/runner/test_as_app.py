"""The runner as an app, on a device that refuses app_process; `am instrument` is the tests' own."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from mobileq.device.adb import find_adb
from mobileq.device.runner.build import build_kit
from mobileq.device.runner.kit import Kit
from mobileq.errors import DeviceError
from mobileq.progress import Silent
from mobileq.workflows.bench import bench
from tests.device.fixtures import Phones

AS_APP = """
[ "$1 $2 $3 $4 $6 $7" = "instrument -w -e bundle -e socket" ] || exec {before} "$@"
[ "$9" = mobileq.runner/.Instrument ] || exit 1
[ -s "{root}/data/app/base.apk" ] || exit 1
exec {python} {listener} "$8" {command} "$5"
"""
LISTENER = """
import socket, subprocess, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind("\\0" + sys.argv[1])
listening.listen()
connection, _ = listening.accept()
connection.sendall(b"\\n")
subprocess.run(sys.argv[2:], stdin=connection, stdout=connection)
"""
"""What `Instrument.java` does with Android's sockets, which a desktop's Java lacks."""


def test_a_phone_that_refuses_app_process_runs_the_runner_as_an_app(
    phones: Phones,
    bundle: Path,
    kit: Kit,
    archives: list[Path],
    command: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    copy = Path(shutil.copytree(bundle, tmp_path / "demo"))
    made, _ = build_kit(tmp_path / "kit", archives=archives, jar=kit.jar, apk=True)
    sandbox = phones().sandbox
    sandbox.install("app_process", 'echo "app_process: Permission denied" >&2; exit 126')
    before = sandbox.root / "bin" / "am"
    other = before.rename(sandbox.root / "bin" / "am-before")
    words = map(shlex.quote, (command[0], "-Dorg.bytedeco.javacpp.cachedir=/tmp", *command[1:]))
    listener = tmp_path / "listener.py"
    listener.write_text(LISTENER)
    script = AS_APP.format(
        **{"before": other, "root": sandbox.root, "python": sys.executable},
        **{"listener": listener, "command": " ".join(words)},
    )
    sandbox.install("am", script)
    options = {"runs": 1, "warmup": 0, "progress": Silent()}
    found = bench(copy, runner=made.folder, **options)  # type: ignore[arg-type]
    assert [row.problem for row in found.rows] == ["", ""]
    assert sandbox.place("data/app/base.apk").read_bytes() == made.apk.read_bytes()
    said = capsys.readouterr().err
    assert said.count("app_process: Permission denied); as an app it may.\n") == 1
    assert find_adb().run("forward", "--list").text.strip() == ""
    with pytest.raises(DeviceError, match=r"does not start .* Permission denied") as raised:
        bench(copy, runner=kit.folder, **options)  # type: ignore[arg-type]
    assert "mobileq runner build --apk" in raised.value.hint
