"""What an APK says of itself, in its binary manifest: a tree of chunks behind a pool of strings.

The format is that of frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h (ResXMLTree).
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.regular_file import require_regular

_STRING_POOL, _START_ELEMENT = 0x0001, 0x0102
_UTF8 = 1 << 8
_LIBRARY = re.compile(r"lib/([^/]+)/[^/]+\.so")
_MAX_MANIFEST_BYTES = 16 << 20


@dataclass(frozen=True)
class Apk:
    """An APK: `abis` are those that it has libraries for; none where it has no libraries."""

    path: Path
    application_id: str
    abis: tuple[str, ...]


def read_apk(path: Path) -> Apk:
    """Look into an APK.

    Raises:
        UsageError: There is no such file.
        InputError: It is none, or damaged.
    """
    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("AndroidManifest.xml").file_size > _MAX_MANIFEST_BYTES:
                raise ValueError("its manifest is too large")
            application_id = _package(archive.read("AndroidManifest.xml"))
            matches = map(_LIBRARY.fullmatch, archive.namelist())
            abis = tuple(sorted({match[1] for match in matches if match}))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    except KeyError as error:
        raise InputError(f"{path} is no APK: it has no AndroidManifest.xml.", _HINT) from error
    except (zipfile.BadZipFile, ValueError, struct.error, IndexError, NotImplementedError) as error:
        raise InputError(f"{path} is no APK, or damaged: {error}.", _HINT) from error
    return Apk(path, application_id, abis)


_HINT = "Build it again, or give the folder that `mobileq android` wrote."


def _package(manifest: bytes) -> str:
    """The attribute `package` of the element `manifest`."""
    strings: list[str] = []
    for kind, header, chunk in _chunks(manifest):
        if kind == _STRING_POOL:
            strings = _strings(chunk)
        elif kind == _START_ELEMENT:
            _, name, start, size, count = struct.unpack_from("<IIHHH", chunk, header)
            if strings[name] != "manifest":
                break
            for at in range(count):
                _, key, value = struct.unpack_from("<III", chunk, header + start + at * size)
                if strings[key] == "package":
                    package: str = strings[value]
                    return package
            break
    raise ValueError("its manifest names no package")


def _chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, length of the header, chunk) of each in the tree."""
    _, at, _ = struct.unpack_from("<HHI", data)
    while at < len(data):
        kind, header, size = struct.unpack_from("<HHI", data, at)
        if size < 8:
            raise ValueError("its manifest is cut off")
        yield kind, header, data[at : at + size]
        at += size


def _strings(pool: bytes) -> list[str]:
    count, _, flags, start = struct.unpack_from("<IIII", pool, 8)
    if count > len(pool):
        raise ValueError("its manifest is cut off")
    offsets = struct.unpack_from(f"<{count}I", pool, 28)
    read = _utf8 if flags & _UTF8 else _utf16
    return [read(pool, start + offset) for offset in offsets]


def _utf16(pool: bytes, at: int) -> str:
    length, at = int.from_bytes(pool[at : at + 2], "little"), at + 2
    if length & 0x8000:
        more, at = int.from_bytes(pool[at : at + 2], "little"), at + 2
        length = (length & 0x7FFF) << 16 | more
    return pool[at : at + 2 * length].decode("utf-16-le", "replace")


def _utf8(pool: bytes, at: int) -> str:
    for _ in range(2):  # the length in characters, then that in bytes
        length, at = pool[at], at + 1
        if length & 0x80:
            length, at = (length & 0x7F) << 8 | pool[at], at + 1
    return pool[at : at + length].decode("utf-8", "replace")
