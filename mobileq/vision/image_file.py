"""Read a picture from a file, whatever it turns out to be."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from mobileq.errors import InputError, unreadable
from mobileq.regular_file import read_regular
from mobileq.vision.arrays import ByteArray

MAX_PIXELS = 1 << 27
"""134 million pixels, 400 MB decoded: more than a 108-megapixel phone camera takes."""

MAX_FILE_BYTES = 1 << 30

_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}


def read_image(path: Path | str) -> ByteArray:
    """Decode a picture to RGB, uint8 [H, W, 3].

    OpenCV decodes JPEG, PNG, WebP, BMP, GIF (the first picture) and TIFF: the EXIF orientation is
    applied, transparency is dropped, grey becomes three equal channels, 16 bits become 8. Other
    formats are refused: only of these is it known before decoding how large they will be.

    Raises:
        InputError: The file is missing, empty, no picture, or too large to decode.
    """
    path = Path(path)
    content = read_picture(path)
    dimensions = header_dimensions(content)
    if dimensions is None:
        raise _undecodable(path)
    if dimensions[0] * dimensions[1] > MAX_PIXELS:
        raise InputError(
            f"{path} claims to be {dimensions[0]} x {dimensions[1]} pixels, "
            f"more than the {MAX_PIXELS // 1_000_000} million that are decoded.",
            "Resize the picture or leave it out.",
        )
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # OpenCV's own limits, and formats that it only half supports
        raise _undecodable(path) from error
    if decoded is None:
        raise _undecodable(path)
    rgb: ByteArray = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb


def read_picture(path: Path) -> bytes:
    """The bytes of a picture's file, which may be none.

    Raises:
        InputError: It is missing, empty, too large for a picture, or cannot be read.
    """
    try:
        content = read_regular(path, MAX_FILE_BYTES, "a picture")
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.", "Check the path to the picture.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not content:
        raise InputError(f"{path} is empty.", "Copy the picture again or leave it out.")
    return content


def _undecodable(path: Path) -> InputError:
    return InputError(
        f"{path} is not a picture that can be decoded.",
        "Use JPEG, PNG, WebP, BMP or TIFF files, and replace this one if it is damaged.",
    )


def header_dimensions(content: bytes) -> tuple[int, int] | None:
    """Width and height that a picture's header states, without decoding.

    None where the format is not JPEG, PNG, WebP, BMP, GIF or TIFF, or the header is cut short.
    """
    try:
        if content.startswith(b"\xff\xd8"):
            return _jpeg_dimensions(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(">II", content, 16)
        if content.startswith((b"GIF87a", b"GIF89a")):
            return _pair("<HH", content, 6)
        if content.startswith(b"BM"):
            width, height = _pair("<ii", content, 18)
            return abs(width), abs(height)  # a negative height means rows from the top
        if content.startswith((b"II*\0", b"MM\0*")):
            return _tiff_dimensions(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_dimensions(content)
    except (struct.error, IndexError):
        pass
    return None


def _pair(layout: str, content: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, content, offset)
    return int(first), int(second)


def _jpeg_dimensions(content: bytes) -> tuple[int, int] | None:
    """From the first frame header (ITU T.81, B.2.2), behind any number of other segments."""
    offset = 2
    while offset + 4 <= len(content):
        if content[offset] != 0xFF:
            return None
        marker = content[offset + 1]
        if marker == 0xFF:  # fill byte
            offset += 1
        elif marker in _JPEG_BARE_MARKERS:
            offset += 2
        elif marker in _JPEG_FRAME_MARKERS:
            height, width = _pair(">HH", content, offset + 5)
            return width, height
        else:
            offset += 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
    return None


def _tiff_dimensions(content: bytes) -> tuple[int, int] | None:
    """From the first directory's ImageWidth and ImageLength (TIFF 6.0, section 2)."""
    order = "<" if content.startswith(b"II") else ">"
    directory = struct.unpack_from(order + "I", content, 4)[0]
    sides: dict[int, int] = {}
    for index in range(struct.unpack_from(order + "H", content, directory)[0]):
        entry = directory + 2 + 12 * index
        tag, kind = _pair(order + "HH", content, entry)
        if tag in (0x100, 0x101):
            value = order + ("H" if kind == 3 else "I")  # SHORT or LONG, left-justified
            sides[tag] = struct.unpack_from(value, content, entry + 8)[0]
    return (sides[0x100], sides[0x101]) if len(sides) == 2 else None


def _webp_dimensions(content: bytes) -> tuple[int, int] | None:
    """From the first chunk (WebP container specification; RFC 6386 9.1 for VP8)."""
    kind = content[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        return width, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _pair("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def write_image(path: Path, image: ByteArray) -> None:
    """Write an RGB picture in the format its suffix names.

    Raises:
        InputError: The suffix is of no known format, or the file cannot be written.
    """
    try:
        content = encode_image(image, path.suffix)
    except ValueError as error:
        raise InputError(
            f"{path} can't be written as a picture.", "Use the suffix .jpg or .png."
        ) from error
    path.write_bytes(content)


def encode_image(image: ByteArray, suffix: str, quality: int = 95) -> bytes:
    """An RGB picture as a file of the format that `suffix` (".jpg") names.

    Args:
        quality: Of a JPEG, 0 to 100.

    Raises:
        ValueError: It names none that OpenCV writes.
    """
    try:
        pixels, options = (
            np.ascontiguousarray(image[:, :, ::-1]),
            (cv2.IMWRITE_JPEG_QUALITY, quality),
        )
        done, encoded = cv2.imencode(suffix, pixels, options)
    except cv2.error as error:
        raise ValueError(f"no format {suffix!r}") from error
    if not done:
        raise ValueError(f"no format {suffix!r}")
    content: bytes = encoded.tobytes()
    return content
