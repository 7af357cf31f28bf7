"""`mobileq` and `python -m mobileq`: run the command line, turn errors into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mobileq.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, MobileqError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; see `mobileq.errors`."""
    from mobileq.cli import app

    try:
        code = app(args=arguments, prog_name="mobileq", standalone_mode=False)
    except MobileqError as error:
        from mobileq.console import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as error:
        return _system_error(error)
    except Exception as error:
        return _other(error)
    return code if isinstance(code, int) else EXIT_OK


def _interrupted() -> int:
    sys.stderr.write("\nStopped; nothing was changed.\n")
    return EXIT_INTERRUPTED


def _system_error(error: OSError) -> int:
    import errno

    from mobileq.console import print_error

    if error.errno == errno.EPIPE:  # `mobileq ... | head`
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    what = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}."
    hint = {
        errno.ENOSPC: "Free some disk space, or choose another output folder.",
        errno.EACCES: "Choose a folder you may write to, or change its permissions.",
        errno.EROFS: "Choose a folder you may write to.",
    }.get(error.errno or 0, "Check the path and try again.")
    _log_traceback()
    print_error(MobileqError(what, hint))
    return EXIT_FAILED


def _other(error: Exception) -> int:
    import click

    if isinstance(error, click.exceptions.Abort):
        return _interrupted()
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    from mobileq.console import print_bug
    from mobileq.logfile import log_path

    _log_traceback()
    print_bug(str(log_path()))
    return EXIT_FAILED


def _log_traceback() -> None:
    from mobileq.logfile import logger

    logger().exception("command line: %s", sys.argv)


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
