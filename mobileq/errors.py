"""The errors a person can cause, each with a remedy and an exit code.

Everything else that is raised is a bug and ends as a traceback in the log file.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BUDGET_MISSED = 3
EXIT_MISSING_DEPENDENCY = 4
EXIT_DEVICE = 5
EXIT_INTERRUPTED = 130
"""What shells report for a program that was stopped with Ctrl-C (128 + SIGINT); SIGTERM gives 143
and SIGHUP 129."""


class MobileqError(Exception):
    """Something a person can put right.

    Args:
        message: One sentence that says what is wrong, naming the file, option or node.
        hint: One sentence that says what to do about it.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(MobileqError):
    """A file that was given cannot be used: a model, photos, labels, annotations."""


class VerificationError(MobileqError):
    """A converted file does not load, does not run, or does not agree with its reference."""


class UnsupportedOperatorError(VerificationError):
    """The target has no counterpart of an operator; the message names it and its node."""


class ToolError(MobileqError):
    """A native tool failed or crashed; the message names the stage, the hint the log file."""


class StoppedToolError(MobileqError):
    """A native tool was ended from outside: by the system for lack of memory, by somebody, or for
    taking longer than is allowed. No fault of the tool, so another would fare no better."""


class UsageError(MobileqError):
    """The command line (or the arguments of the Python API) cannot be carried out as given."""

    exit_code = EXIT_USAGE


class BudgetMissedError(MobileqError):
    """The best that was found costs more accuracy than the person allowed."""

    exit_code = EXIT_BUDGET_MISSED


class MissingDependencyError(MobileqError):
    """An optional package or an outside tool is not installed."""

    exit_code = EXIT_MISSING_DEPENDENCY


class DeviceError(MobileqError):
    """A phone is missing, refuses a command, or runs out of space."""

    exit_code = EXIT_DEVICE


class UnusableFileError(OSError):
    """There is something at the path, but no file that could be read: see `regular_file`.

    An OSError, so that it is told wherever a file that cannot be read is; `strerror` goes on behind
    "cannot be read:".
    """

    def __init__(self, number: int, text: str, path: object, hint: str) -> None:
        super().__init__(number, text, str(path))
        self.hint = hint


def unreadable(path: object, error: OSError) -> InputError:
    """What a person is told where the system does not let a file or folder be read."""
    hint = "Check the path and its permissions."
    if isinstance(error, UnusableFileError):
        hint = error.hint
    return InputError(f"{path} cannot be read: {error.strerror or error}.", hint)
