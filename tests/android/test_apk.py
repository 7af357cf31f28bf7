"""What an APK says of itself."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from pathlib import Path

import pytest

from mobileq.android.apk import Apk, read_apk
from mobileq.errors import InputError, UsageError
from tests.android.apks import write_apk


def test_its_id_and_the_processors_of_its_libraries(tmp_path: Path) -> None:
    path = write_apk(tmp_path / "app.apk", "com.example.owls", ("x86_64", "arm64-v8a"))
    assert read_apk(path) == Apk(path, "com.example.owls", ("arm64-v8a", "x86_64"))
    assert read_apk(write_apk(tmp_path / "plain.apk")).abis == ()


def utf8_manifest(package: str) -> bytes:
    """As R8's and bundletool's resource tables have their strings."""
    strings = ("manifest", "package", package)
    encoded = [bytes([len(each), len(each.encode())]) + each.encode() + b"\0" for each in strings]
    offsets, at = [], 0
    for each in encoded:
        offsets.append(at)
        at += len(each)
    data = b"".join(encoded) + bytes(-at % 4)
    start = 28 + 4 * len(strings)
    head = (0x0001, 28, start + len(data), len(strings), 0, 1 << 8, start, 0)
    pool = struct.pack("<HHIIIIII", *head) + struct.pack(f"<{len(strings)}I", *offsets) + data
    none = 0xFFFFFFFF
    attribute = struct.pack("<IIIHBBI", none, 1, 2, 8, 0, 3, 2)
    extended = struct.pack("<IIHHHHHH", none, 0, 20, 20, 1, 0, 0, 0)
    size = 16 + len(extended) + len(attribute)
    element = struct.pack("<HHIII", 0x0102, 16, size, 1, none) + extended + attribute
    body = pool + element
    return struct.pack("<HHI", 0x0003, 8, 8 + len(body)) + body


def with_manifest(path: Path, manifest: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AndroidManifest.xml", manifest)
    return path


def test_strings_in_utf8(tmp_path: Path) -> None:
    path = with_manifest(tmp_path / "utf8.apk", utf8_manifest("com.example.utf"))
    assert read_apk(path).application_id == "com.example.utf"


def test_what_is_no_apk_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        read_apk(tmp_path / "none.apk")
    (tmp_path / "text.apk").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "zip.apk", "w") as archive:
        archive.writestr("readme", "x")
    with_manifest(tmp_path / "xml.apk", b"<manifest package='a.b'/>")
    for name in ("text", "zip", "xml"):
        with pytest.raises(InputError, match=f"{name}.apk is no APK"):
            read_apk(tmp_path / f"{name}.apk")


def test_a_manifest_cut_off_anywhere_is_an_error_or_still_right(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_apk(tmp_path / "app.apk")) as archive:
        whole = archive.read("AndroidManifest.xml")
    read = []
    for end in range(len(whole)):
        path = with_manifest(tmp_path / "cut.apk", whole[:end])
        with contextlib.suppress(InputError):
            read.append(read_apk(path).application_id)
    assert set(read) == {"com.example.birds"}
    assert len(read) < len(whole) / 2
