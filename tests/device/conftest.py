"""Devices for the tests of this folder."""

from .fixtures import adb_server, phones

__all__ = ["adb_server", "phones"]
