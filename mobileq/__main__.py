"""`mobileq` and `python -m mobileq`: run the command line, turn errors into exit codes.

Whatever goes wrong ends as one sentence and its remedy on stderr. With `--json` the same is on
stdout as the one document, so that a script has a single place to look:

    {"error": {"message": "...", "hint": "...", "exit_code": 2}, "notices": []}
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from mobileq.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    MobileqError,
    UsageError,
)
from mobileq.interruption import is_done_whole

if TYPE_CHECKING:
    from types import FrameType

    from typer.exceptions import TyperException

_REPEATED_S = 2.0
"""A second Ctrl-C within this time is impatience; obeying it would leave the tidying half done."""
_WAITING_S = 0.02
"""How long a Ctrl-C waits before it looks again whether an import or the tidying is over."""
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_stopped_by: int | None = None
"""The first of them that came."""
_HINTS = {
    errno.ENOSPC: "Free some disk space; TMPDIR names the folder for temporary files.",
    errno.EDQUOT: "Free some disk space; TMPDIR names the folder for temporary files.",
    errno.EACCES: "Choose a folder you may write to, or change its permissions.",
    errno.EPERM: "Choose a folder you may write to, or change its permissions.",
    errno.EROFS: "Choose a folder you may write to.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; see `mobileq.errors`."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _make_streams_safe()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except SystemExit as error:  # rich and typer end the process where stdout is closed
        code = error.code if isinstance(error.code, int) else EXIT_FAILED
        _leave_streams()
    except BaseException as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:  # `mobileq ... | head`
            _leave_streams()
            return EXIT_FAILED
        code = _report(error, "--json" in arguments)
    return code


def _run(arguments: list[str]) -> int:
    from mobileq.cli.project import keep_spoken
    from mobileq.console import forget_notices

    forget_notices()
    keep_spoken((), arguments)
    _require_current_folder()
    code = _command()(args=arguments, prog_name="mobileq", standalone_mode=False)
    if code == EXIT_INTERRUPTED:  # typer 0.29 makes this of KeyboardInterrupt
        raise KeyboardInterrupt
    return code if isinstance(code, int) else EXIT_OK


@cache
def _command() -> Any:
    """All commands with their options: typer makes them of functions in 40 ms."""
    from typer.main import get_command

    from mobileq.cli import app

    return get_command(app)


def _require_current_folder() -> None:
    """Tools underneath ask for it, whatever the paths are, and fail in ways of their own."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageError(
            "The current folder does not exist any more.", "Change to another one: cd ~"
        ) from error


class _Stopped(MobileqError):
    """By Ctrl-C, or by a signal that asks for the same."""

    def __init__(self) -> None:
        super().__init__("Stopped; no file was left half-written.")
        self.exit_code = EXIT_INTERRUPTED if _stopped_by is None else 128 + _stopped_by


def _report(error: BaseException, json: bool) -> int:
    from mobileq.console import print_bug, print_error

    known = _known(error)
    try:
        if known is not None:
            print_error(known, json)
        else:
            print_bug(_logged(error), json)
        sys.stdout.flush()
    except (OSError, SystemExit):  # nobody reads any more, or the disk under stdout is full
        _leave_streams()
    return known.exit_code if known else EXIT_FAILED


def _known(error: BaseException) -> MobileqError | None:
    """What a person is told of it; None for a bug."""
    from typer.exceptions import Abort, TyperException

    if _stopped_by is not None or isinstance(error, (KeyboardInterrupt, Abort)):
        return _Stopped()  # whatever became of it: behind a SIGHUP the terminal gives errors, too
    if isinstance(error, MobileqError):
        return error
    if isinstance(error, TyperException):
        return _usage_error(error)
    if isinstance(error, OSError):
        _logged(error)
        place = f": {error.filename}" if error.filename else ""
        hint = _HINTS.get(error.errno or 0, "Check the path and try again.")
        return MobileqError(f"{error.strerror or error}{place}.", hint)
    if isinstance(error, MemoryError):
        _logged(error)
        return MobileqError("There is not enough memory.", "Close other programs and try again.")
    return None


def _usage_error(error: TyperException) -> UsageError:
    """The parser's message in our form, with the command whose help lists what there is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mobileq"
    message = " ".join(error.format_message().split())
    if not message.endswith((".", "?", ")")):
        message += "."
    return UsageError(message, f"`{command} --help` lists what can be given.")


def _open_standard_streams() -> None:
    """Where stdin, stdout or stderr are closed (`<&-`), the next file or pipe that is opened takes
    their place, and gets what is printed, or is a child's stdin."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def _make_streams_safe() -> None:
    """A closed stdout (`>&-`) takes nothing; a name that is no valid text is shown escaped."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _leave_streams() -> None:
    """Let Python's own flush at the end go nowhere, where it would fail and be reported."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _logged(error: BaseException) -> str:
    """Put the traceback into the log file; its path."""

    from mobileq.logfile import log_path, logger

    logger().error("command line: %s", sys.argv, exc_info=error)
    return str(log_path())


def _obey_once() -> None:
    """Ctrl-C raises KeyboardInterrupt, but not again while what was begun is being tidied.

    So do SIGTERM (`kill`, batch systems) and SIGHUP (the terminal is closed).
    """
    import time

    last = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        global _stopped_by
        if number != signal.SIGALRM:
            _stopped_by = _stopped_by or number
        if _imports(frame) or is_done_whole(frame):
            signal.setitimer(signal.ITIMER_REAL, _WAITING_S)
            return
        before, last = last, time.monotonic()
        if last - before > _REPEATED_S:
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, stop)
    for number in _STOPS:
        # What is ignored stays so: a job in the background has no Ctrl-C, `nohup` no SIGHUP.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, stop)


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way, where an exception can get lost.

    Python 3.12 ignores one in the callbacks of its import locks, native modules make an ImportError
    of it, and packages pass over those.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _log_warnings() -> None:
    """Python's warnings are for those who write code: into the log file with them."""
    import warnings

    def log(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        from mobileq.logfile import logger

        logger().warning("%s:%d: %s: %s", filename, lineno, category.__name__, message)

    if not sys.warnoptions:
        warnings.showwarning = log


def _prepare_process() -> None:
    from mobileq.logfile import own_stderr

    _open_standard_streams()
    own_stderr()
    # Fitting weights is many small products, which OpenBLAS's threads make twice as slow.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _log_warnings()


def run() -> None:
    """Entry point of the console script."""
    _obey_once()
    try:
        _prepare_process()
        code = main()
    except KeyboardInterrupt as error:
        code = _report(error, "--json" in sys.argv)
    # All is said and done: Python's own end is not to be cut off with another exit code.
    for number in (*_STOPS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    run()
