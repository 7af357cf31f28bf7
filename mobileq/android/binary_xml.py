"""Android's binary XML, written: what `mobileq.android.apk` reads.

The format is that of frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h (ResXMLTree).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_NAMESPACE = "http://schemas.android.com/apk/res/android"
_PREFIX = "android"
_XML, _STRING_POOL, _RESOURCES = 0x0003, 0x0001, 0x0180
_START_NAMESPACE, _END_NAMESPACE, _START, _END = 0x0100, 0x0101, 0x0102, 0x0103
_NONE = 0xFFFFFFFF
_TEXT, _DECIMAL, _BOOLEAN = 0x03, 0x10, 0x12
_ATTRIBUTES = {
    "label": 0x01010001,
    "name": 0x01010003,
    "hasCode": 0x0101000C,
    "targetPackage": 0x01010021,
    "minSdkVersion": 0x0101020C,
    "versionCode": 0x0101021B,
    "versionName": 0x0101021C,
    "targetSdkVersion": 0x01010270,
    "extractNativeLibs": 0x010104EA,
}
"""Numbers of Android's public attributes (android.R.attr), ascending: so the system looks for them
up."""


@dataclass(frozen=True)
class Element:
    """An element; attributes that `_ATTRIBUTES` has are Android's own."""

    name: str
    attributes: dict[str, str | int | bool]
    children: Sequence[Element] = field(default=())


def binary_xml(root: Element) -> bytes:
    """A document of one element."""
    elements = list(_all(root))
    own = [name for name in _ATTRIBUTES if any(name in each.attributes for each in elements)]
    texts = [*own, _PREFIX, _NAMESPACE]
    for each in elements:
        texts.append(each.name)
        for name, value in each.attributes.items():
            texts += [name, *([value] if isinstance(value, str) else [])]
    strings = list(dict.fromkeys(texts))
    index = {text: at for at, text in enumerate(strings)}
    resources = struct.pack(f"<{len(own)}I", *(_ATTRIBUTES[name] for name in own))
    namespace = struct.pack("<IIII", 0, _NONE, index[_PREFIX], index[_NAMESPACE])
    body = b"".join(
        (
            _pool(strings),
            _chunk(_RESOURCES, b"", resources),
            _chunk(_START_NAMESPACE, namespace[:8], namespace[8:]),
            _tree(root, index),
            _chunk(_END_NAMESPACE, namespace[:8], namespace[8:]),
        )
    )
    return _chunk(_XML, b"", body)


def _all(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _chunk(kind: int, header: bytes, body: bytes) -> bytes:
    size = 8 + len(header)
    return struct.pack("<HHI", kind, size, size + len(body)) + header + body


def _pool(strings: Sequence[str]) -> bytes:
    """UTF-16, each behind its length and before a zero."""
    offsets, data = [], b""
    for text in strings:
        offsets.append(len(data))
        data += struct.pack("<H", len(text)) + text.encode("utf-16-le") + b"\0\0"
    data += b"\0" * (-len(data) % 4)
    start = 28 + 4 * len(strings)
    header = struct.pack("<IIIII", len(strings), 0, 0, start, 0)
    return _chunk(_STRING_POOL, header, struct.pack(f"<{len(strings)}I", *offsets) + data)


def _tree(element: Element, index: dict[str, int]) -> bytes:
    order = list(_ATTRIBUTES)
    names = sorted(
        element.attributes, key=lambda each: order.index(each) if each in order else len(order)
    )
    attributes = b"".join(_attribute(name, element.attributes[name], index) for name in names)
    place = struct.pack("<II", 0, _NONE)
    start = struct.pack("<IIHHHHHH", _NONE, index[element.name], 20, 20, len(names), 0, 0, 0)
    end = struct.pack("<II", _NONE, index[element.name])
    inner = b"".join(_tree(child, index) for child in element.children)
    return _chunk(_START, place, start + attributes) + inner + _chunk(_END, place, end)


def _attribute(name: str, value: str | int | bool, index: dict[str, int]) -> bytes:
    namespace = index[_NAMESPACE] if name in _ATTRIBUTES else _NONE
    if isinstance(value, str):
        raw, kind, data = index[value], _TEXT, index[value]
    elif isinstance(value, bool):
        raw, kind, data = _NONE, _BOOLEAN, _NONE if value else 0
    else:
        raw, kind, data = _NONE, _DECIMAL, value
    return struct.pack("<IIIHBBI", namespace, index[name], raw, 8, 0, kind, data)
