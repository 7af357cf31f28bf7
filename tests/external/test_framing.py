"""Messages come back as they went, and damaged ones end the conversation and nothing else."""

import io
import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from mobileq.external.framing import Closed, read_message, write_message

NUMBERS = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(endianness="?"),
    arrays_of.unsigned_integer_dtypes(endianness="?"),
    arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays_of.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
ARRAYS = arrays_of.arrays(
    NUMBERS, arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text(), JSON, max_size=4)


def sent(fields=None, arrays=None) -> bytes:
    stream = io.BytesIO()
    write_message(stream, fields or {}, arrays)
    return stream.getvalue()


def framed(header: object, payload: bytes = b"") -> io.BytesIO:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(struct.pack("<Q", len(text)) + text + payload)


def announcing(dtype: object = "<f4", shape: object = (), name: object = "a") -> io.BytesIO:
    entry = {"name": name, "dtype": dtype, "shape": shape}
    return framed({"fields": {}, "arrays": [entry]}, bytes(64))


@given(FIELDS, st.dictionaries(st.text(), ARRAYS, max_size=3))
def test_message_comes_back_as_it_went(fields, arrays):
    got, received = read_message(io.BytesIO(sent(fields, arrays)))
    assert got == fields
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert (received[name].dtype, received[name].shape) == (array.dtype, array.shape)
        assert received[name].tobytes() == array.tobytes()


def test_messages_follow_one_another_in_a_stream():
    stream = io.BytesIO(sent({"n": 1}, {"a": np.arange(3)}) + sent({"n": 2}))
    assert read_message(stream)[0] == {"n": 1}
    assert read_message(stream) == ({"n": 2}, {})
    with pytest.raises(Closed):
        read_message(stream)


@pytest.mark.parametrize(
    "array",
    [np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1), np.arange(10)[::-2], np.asfortranarray(
        np.arange(6.0).reshape(2, 3))],
)  # fmt: skip
def test_views_arrive_in_the_order_of_their_axes(array):
    _, received = read_message(io.BytesIO(sent({}, {"a": array})))
    np.testing.assert_array_equal(received["a"], array)


def test_array_of_many_pieces_arrives_whole(monkeypatch):
    monkeypatch.setattr("mobileq.external.framing._PIECE", 7)
    array = np.arange(100, dtype=np.int16)
    _, received = read_message(io.BytesIO(sent({"x": "y" * 50}, {"a": array})))
    np.testing.assert_array_equal(received["a"], array)


@pytest.mark.parametrize(
    ("fields", "array"),
    [
        ({}, np.array([object()])),
        ({}, np.array(["text"])),
        ({}, np.array(["2020-01-01"], "datetime64[D]")),
        ({"set": {1}}, np.zeros(1)),
    ],
)
def test_what_cannot_be_sent_leaves_the_stream_untouched(fields, array):
    stream = io.BytesIO()
    with pytest.raises(TypeError):
        write_message(stream, fields, {"a": array})
    assert stream.getvalue() == b""


@given(st.data())
def test_truncated_message_is_closed(data):
    whole = sent({"a": 1}, {"x": np.arange(6, dtype=np.float32), "y": np.zeros((2, 2))})
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Closed):
        read_message(io.BytesIO(whole[:length]))


@given(st.data())
def test_damaged_message_is_read_or_closed(data):
    damaged = bytearray(sent({"a": 1}, {"x": np.arange(6, dtype=np.float32)}))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        fields, arrays = read_message(io.BytesIO(bytes(damaged)))
    except Closed:
        return
    assert isinstance(fields, dict)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


@given(st.binary(max_size=200))
def test_noise_is_closed(noise):
    with pytest.raises(Closed):
        read_message(io.BytesIO(noise))


@given(JSON | st.fixed_dictionaries({"fields": JSON, "arrays": JSON}))
def test_header_of_another_form_is_closed(header):
    try:
        fields, arrays = read_message(framed(header))
    except Closed:
        return
    assert isinstance(fields, dict)
    assert arrays == {}


@pytest.mark.parametrize(
    "shape",
    [
        [-1], [-1, 0], [-1, -4], [2**31, 2**33], [2**32, 2**32], [2**62, 4], [2**70], [2**63],
        [1.0], [True], ["1"], [None], [[1]], 4, None, "4", {}, [2**40, 2**40, 0], [2**70, 0], [100],
    ],
)  # fmt: skip
def test_shape_that_no_array_has_is_closed(shape):
    with pytest.raises(Closed):
        read_message(announcing(shape=shape))


@pytest.mark.parametrize(
    "dtype",
    [
        "O", "|O", "|O8", "<f4,O", "V0", "|V8", "<U0", "<U4", "|S4", "<M8[D]", "f4", "", "(1,2",
        "<f3", "<i99", "<f44", "object", 4, None, ["<f4"], "float32",
        {"names": ["a"], "formats": ["O"]},
    ],
)  # fmt: skip
def test_dtype_of_no_number_is_closed(dtype):
    with pytest.raises(Closed):
        read_message(announcing(dtype=dtype, shape=[1]))


@pytest.mark.parametrize("name", [None, 3, ["a"], {}])
def test_array_without_a_name_is_closed(name):
    with pytest.raises(Closed):
        read_message(announcing(name=name))


@pytest.mark.parametrize("fields", [None, [], "text", 1])
def test_fields_that_are_no_object_are_closed(fields):
    with pytest.raises(Closed):
        read_message(framed({"fields": fields, "arrays": []}))


@pytest.mark.parametrize("part", ["[", '{"a":', "1"])
def test_header_that_json_cannot_take_is_closed(part):
    with pytest.raises(Closed):
        read_message(framed(part.encode() * 200_000))


@pytest.mark.parametrize("length", [2**60, 2**64 - 1, 2**63, 2**34, 2**30])
def test_lengths_that_are_lies_cost_no_memory(length):
    announced = announcing("|u1", [length])
    tracemalloc.start()
    try:
        with pytest.raises(Closed):
            read_message(io.BufferedReader(io.BytesIO(struct.pack("<Q", length) + b"{}")))
        with pytest.raises(Closed):
            read_message(io.BufferedReader(announced))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 1024**2


class Endless(io.RawIOBase):
    """A stream that never ends, and counts what was taken of it."""

    taken = 0

    def readable(self):
        return True

    def read(self, size=-1):
        self.taken += size
        assert self.taken < 2**20, "read on and on"
        return b" " * size


def test_stream_without_end_is_closed_at_once():
    endless = Endless()  # the first eight bytes announce 2.3 exabytes
    with pytest.raises(Closed):
        read_message(endless)
    assert endless.taken == 8
