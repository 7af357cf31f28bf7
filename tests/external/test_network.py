"""Tools that call home or install packages find the doors shut; all else works as ever."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mobileq.external.child import Child

PIP = [sys.executable, "-m", "pip", "--version"]


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A web server of this machine; `paths` lists what was asked for."""
    made = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def online() -> Iterator[Child]:
    with Child("handlers:Online", stage="testing", tool="It") as child:
        yield child


def refused(outcome: dict[str, str]) -> bool:
    return outcome["raised"] in ("PermissionError", "URLError") and "mobileq" in outcome["message"]


def network_namespaces_allowed() -> bool:
    program = "import os; os.unshare(os.CLONE_NEWNET)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_server_can_be_reached_from_here(server):
    socket.create_connection(("127.0.0.1", server.server_port), 2).close()


@pytest.mark.parametrize(
    "way", ["connect", "datagram", "look_up", "look_up_by_name", "listen", "fetch"]
)
def test_tool_does_not_get_out(online, server, way):
    outcome, _ = online.request(way, {"port": server.server_port})
    assert refused(outcome), outcome


@pytest.mark.skipif(not network_namespaces_allowed(), reason="needs network namespaces")
def test_what_a_tool_starts_does_not_get_out_either(online, server):
    outcome, _ = online.request("connect_from_subprocess", {"port": server.server_port})
    assert outcome["raised"] == "CalledProcessError"


@pytest.mark.parametrize(
    "argv",
    [
        PIP,
        [sys.executable, "-mpip", "--version"],
        ["pip", "install", "x"],
        ["/usr/bin/pip3.12", "install", "x"],
        ["uv", "pip", "install", "x"],
        ["sh", "-c", "cd / && (pip install x)"],
        [b"pip3", b"install", b"x"],
    ],
    ids=str,
)
def test_tool_does_not_install_packages(online, argv):
    texts = [os.fsdecode(word) for word in argv]
    assert refused(online.request("install", {"argv": texts})[0])


@pytest.mark.parametrize(
    "command", ["pip install x", "true; pip install x", "echo x|pip3 install -r -", "'pip' list"]
)
def test_shell_of_a_tool_does_not_install_packages(online, command):
    assert refused(online.request("install_in_shell", {"command": command})[0])


def test_tool_does_not_turn_into_an_installer(online):
    assert refused(online.request("exec_installer")[0])


@pytest.mark.parametrize("argv", [["true"], ["true", "pipeline.onnx"], ["true", "/opt/pip/x"]])
def test_other_programs_are_run(online, argv):
    assert online.request("install", {"argv": argv})[0]["raised"] is None


def test_ordinary_work_goes_on(online, tmp_path):
    worked, _ = online.request("work", {"folder": str(tmp_path)})
    assert worked["read"] == "content"
    assert (tmp_path / "file").stat().st_uid == os.geteuid()


HOOK_ALONE = f"""
import os, socket, subprocess, sys
del os.unshare
from mobileq.external.network import deny_network
deny_network()
from pathlib import Path
for act in (
    lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: subprocess.run({PIP!r}),
    lambda: os.posix_spawn("/bin/sh", ["sh", "-c", "pip list"], {{}}),
):
    try:
        act()
    except PermissionError as error:
        assert "mobileq" in str(error), error
    else:
        raise SystemExit("not refused")
subprocess.run(["true"], check=True)
Path(sys.argv[2]).write_text("written")
"""


def test_audit_hook_is_enough_where_namespaces_are_forbidden(server, tmp_path):
    argv = [sys.executable, "-c", HOOK_ALONE, str(server.server_port), str(tmp_path / "file")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "written"


WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def test_users_without_privileges_are_kept_off_the_network_too(server, tmp_path):
    argv = [sys.executable, "-c", HOOK_ALONE.replace("del os.unshare\n", "")]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, to give up root's privileges")
        argv = [*WITHOUT_PRIVILEGES, *argv]
    done = subprocess.run(
        [*argv, str(server.server_port), str(tmp_path / "file")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").stat().st_uid == os.geteuid()
