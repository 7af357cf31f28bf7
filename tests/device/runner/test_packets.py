"""Packets come back as they went through whatever lies between them, and damage is noticed."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.device.runner import packets
from mobileq.device.runner.packets import HEADER_BYTES, MAGIC, Lost, PacketReader, packet

JUNK = st.one_of(
    st.binary(max_size=80),
    st.lists(st.sampled_from([MAGIC, MAGIC[:3], b"\x89", b"\n", b"x" * 30]), max_size=6).map(
        b"".join
    ),
    st.binary(max_size=40).map(lambda payload: packet(payload)[:-1]),
)


def sent(payload: bytes) -> bytes:
    return packet(payload) + payload


@given(st.lists(st.tuples(JUNK, st.binary(max_size=100)), max_size=4))
def test_packets_come_back_whatever_lies_between_them(parts: list[tuple[bytes, bytes]]):
    reader = PacketReader(io.BytesIO(b"".join(junk + sent(payload) for junk, payload in parts)))
    for _, payload in parts:
        assert reader.read() == payload
    with pytest.raises(Lost):
        reader.read()
    assert reader.stray == b"".join(junk for junk, _ in parts)[: packets._KEPT_STRAY_BYTES]


@given(st.binary(max_size=60), st.integers(0, 79), st.integers(1, 255))
def test_a_changed_byte_is_never_taken_for_what_was_sent(payload: bytes, at: int, change: int):
    changed = bytearray(sent(payload))
    at %= len(changed)
    changed[at] ^= change
    with pytest.raises(Lost):
        PacketReader(io.BytesIO(bytes(changed))).read()


@given(st.binary(max_size=400))
def test_anything_at_all_is_a_packet_or_lost(data: bytes):
    with pytest.raises(Lost):
        PacketReader(io.BytesIO(data)).read()


def test_a_stream_that_never_gives_a_packet_is_given_up():
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
            buffer[:] = b"y\n" * (len(buffer) // 2) + b"y" * (len(buffer) % 2)
            return len(buffer)

    with pytest.raises(Lost, match="something else"):
        PacketReader(io.BufferedReader(Endless())).read()


def test_what_a_terminal_makes_of_line_ends_is_no_packet():
    with pytest.raises(Lost):
        PacketReader(io.BytesIO(sent(b"abc").replace(b"\n", b"\r\n"))).read()


def announced(length: int) -> bytes:
    checked = struct.pack("<8sII", MAGIC, length, 0)
    return checked + struct.pack("<I", zlib.crc32(checked))


def test_a_length_that_no_answer_has_is_no_packet():
    assert len(announced(0)) == HEADER_BYTES
    with pytest.raises(Lost):
        PacketReader(io.BytesIO(announced(packets.MOST_BYTES + 1) + bytes(64))).read()


def test_a_length_that_was_lied_about_costs_nothing():
    tracemalloc.start()
    with pytest.raises(Lost, match="inside an answer"):
        PacketReader(io.BytesIO(announced(packets.MOST_BYTES))).read()
    assert tracemalloc.get_traced_memory()[1] < 2 * packets._PIECE
    tracemalloc.stop()


def test_more_than_the_other_side_takes_is_not_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packets, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="too many"):
        packet(bytes(11))


def test_a_payload_of_many_pieces_arrives_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packets, "_PIECE", 7)
    assert PacketReader(io.BytesIO(sent(bytes(range(100))))).read() == bytes(range(100))
