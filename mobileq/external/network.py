"""Keep a process off the network and away from package installers.

Some tools underneath send usage logs or run pip at import (MNN 3.6.1's Python tools), or fetch
sample data where none was given (onnx2tf 2.6.9). Two fences: an own network namespace where the
system allows one, and, always, an audit hook (PEP 578) that refuses sockets and installers.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

_INSTALLER = re.compile(r"(-m)?(pip[\d.]*|uv|conda|ensurepip|easy_install)")
_BETWEEN_WORDS = re.compile(r"[\s;&|()'\"=,]+")
_SOCKETS = {
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.getnameinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
}
_STARTS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"}
_WATCHED = frozenset(_SOCKETS | _STARTS)


def deny_network() -> None:
    """Cut this process, and what it starts, off from the network. Call before threads start."""
    _enter_empty_network_namespace()
    sys.addaudithook(_refuse)


def _enter_empty_network_namespace() -> None:
    if not hasattr(os, "unshare"):  # macOS
        return
    # As root the first works; elsewhere an unprivileged user namespace, where the kernel and the
    # distribution allow it. Where neither is allowed the audit hook remains.
    for flags in (os.CLONE_NEWNET, os.CLONE_NEWUSER | os.CLONE_NEWNET):
        try:
            os.unshare(flags)
        except OSError:
            continue
        return


def _refuse(event: str, args: tuple[Any, ...], watched: frozenset[str] = _WATCHED) -> None:
    """One look-up for most: a conversion asks for `id` half a million times, an event as well."""
    if event not in watched:
        return
    if event in _SOCKETS:
        raise PermissionError(f"mobileq keeps its tools off the network ({event})")
    if _installs(args):
        raise PermissionError("mobileq lets no tool install packages")


def _installs(args: tuple[Any, ...]) -> bool:
    words: list[str] = []
    for arg in args[:2]:
        parts = arg if isinstance(arg, (list, tuple)) else [arg]
        for part in parts:
            text = os.fsdecode(part) if isinstance(part, (str, bytes, os.PathLike)) else ""
            words += _BETWEEN_WORDS.split(text)
    return any(_INSTALLER.fullmatch(os.path.basename(word)) for word in words)
