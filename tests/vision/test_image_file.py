from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.vision.image_file import header_dimensions, read_image


def encoded(extension: str, image: np.ndarray, *options: int) -> bytes:
    done, content = cv2.imencode(extension, image, list(options))
    assert done
    return content.tobytes()


def picture(width: int = 40, height: int = 24) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (0, 0, 255)  # OpenCV's order: the left half is red
    return image


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that holds an orientation and nothing else."""
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + struct.pack(
        ">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0
    )
    exif = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def test_colours_come_as_rgb(tmp_path: Path):
    path = tmp_path / "red.png"
    path.write_bytes(encoded(".png", picture()))
    image = read_image(path)
    assert image.shape == (24, 40, 3)
    assert image[0, 0].tolist() == [255, 0, 0]


def test_orientation_is_applied(tmp_path: Path):
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(encoded(".jpg", picture()), 6))  # turn clockwise
    image = read_image(path)
    assert image.shape == (40, 24, 3)
    assert image[0, 12, 0] > 200  # the red half is now the upper one
    assert image[-1, 12, 0] < 50


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 6), 128, np.uint8),
        np.full((5, 6), 0x8080, np.uint16),
        np.full((5, 6, 3), 0x8080, np.uint16),
        np.full((5, 6, 4), 128, np.uint8),
    ],
    ids=["gray", "gray16", "colour16", "alpha"],
)
def test_every_pixel_format_becomes_rgb_bytes(tmp_path: Path, image):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(".png", image))
    read = read_image(str(path))
    assert (read.dtype, read.shape) == (np.uint8, (5, 6, 3))
    assert np.all(read == 128)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "is not a picture"),
        (b"\xff\xd8\xff", "is not a picture"),
        (b"P6\n32000 32000\n255\n", "is not a picture"),  # OpenCV would make room for 3 GB
    ],
)
def test_files_that_are_no_pictures_are_named(tmp_path: Path, content, message):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_missing_files_and_folders_are_named(tmp_path: Path):
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "nothing.jpg", "does not exist")):
        with pytest.raises(InputError, match=why):
            read_image(path)


def test_unreadable_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read_image(path)


def test_huge_files_are_not_loaded(tmp_path: Path):
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # sparse: takes no room
    with pytest.raises(InputError, match="too much for a picture"):
        read_image(path)


def test_decoding_bombs_are_refused_unopened(tmp_path: Path):
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    with pytest.raises(InputError, match="30000 x 30000"):
        read_image(path)


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".png", ()),
        (".bmp", ()),
        (".gif", ()),
        (".tiff", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ],
)
def test_headers_tell_the_dimensions(extension, options):
    assert header_dimensions(encoded(extension, picture(37, 23), *options)) == (37, 23)


def test_header_behind_other_segments_is_found():
    jpeg = with_orientation(encoded(".jpg", picture(37, 23)), 1)
    assert header_dimensions(jpeg) == (37, 23)
    padded = jpeg[:2] + b"\xff\x01\xff" + jpeg[2:]  # a bare marker and a fill byte
    assert header_dimensions(padded) == (37, 23)


def test_tiff_headers_of_either_byte_order_are_read():
    for order, magic in (("<", b"II*\0"), (">", b"MM\0*")):
        head = magic + struct.pack(order + "IH", 8, 3)
        width = struct.pack(order + "HHIHH", 0x100, 3, 1, 37, 0)  # SHORT
        length = struct.pack(order + "HHII", 0x101, 4, 1, 23)  # LONG
        other = struct.pack(order + "HHII", 0x102, 4, 1, 8)
        assert header_dimensions(head + width + length + other) == (37, 23)


def test_pictures_that_opencv_gives_up_on_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "odd.png"
    path.write_bytes(encoded(".png", picture()))

    def give_up(content: np.ndarray, flags: int) -> None:
        raise cv2.error("an assertion failed")

    monkeypatch.setattr(cv2, "imdecode", give_up)
    with pytest.raises(InputError, match="is not a picture"):
        read_image(path)


def test_extended_webp_headers_are_read():
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4
    chunk += (36).to_bytes(3, "little") + (22).to_bytes(3, "little")
    assert header_dimensions(b"RIFF\0\0\0\0WEBP" + chunk) == (37, 23)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"BM",
        b"II*\0\x08\0\0\0\0\0",
        b"II*\0\xff\0\0\0",
        b"RIFF\0\0\0\0WEBPXXXX" + b"\0" * 20,
        b"\xff\xd8\xff\xe0\x00\x04ab??\xff\xd9",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"text",
    ],
)
def test_unknown_and_cut_headers_tell_nothing(content):
    assert header_dimensions(content) is None
