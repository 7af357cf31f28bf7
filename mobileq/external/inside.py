"""Whether this process is one of our children, where native tools may be called directly."""

from __future__ import annotations

_is_child = False


def enter() -> None:
    """It is."""
    global _is_child
    _is_child = True


def is_child() -> bool:
    """Whether it is."""
    return _is_child
