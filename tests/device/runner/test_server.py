"""The Java side: whatever comes, it answers and lives on."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobileq.android.runtimes import RUNTIMES
from mobileq.device.runner.client import RunnerClient
from mobileq.device.runner.packets import PacketReader, packet
from mobileq.device.runner.process import Refused
from mobileq.external.framing import read_message, write_message

TFLITE = RUNTIMES["tflite"].java_class


class Raw:
    """A runner that is sent bytes."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._reader = self.process.stdin, PacketReader(self.process.stdout)
        self._id = 0

    def send(self, data: bytes) -> None:
        self._in.write(data)
        self._in.flush()

    def answers_until_hello(self) -> list[dict]:
        """Ask for a hello, and give all that was answered before that."""
        self._id += 1
        self.send(request({"command": "hello", "id": self._id}))
        found = []
        while True:
            fields, _ = read_message(io.BytesIO(self._reader.read()))
            if fields.get("id") == self._id:
                assert fields["protocol"] == 1
                return found
            found.append(fields)


def request(fields: dict, arrays: dict[str, np.ndarray] | None = None) -> bytes:
    stream = io.BytesIO()
    write_message(stream, fields, arrays)
    return packet(stream.getvalue()) + stream.getvalue()


def framed(head: bytes, rest: bytes = b"", length: int | None = None) -> bytes:
    payload = struct.pack("<q", len(head) if length is None else length) + head + rest
    return packet(payload) + payload


@pytest.fixture(scope="module")
def raw(command: tuple[str, ...]) -> Iterator[Raw]:
    server = Raw((*command, "no bundle"))
    yield server
    server.process.communicate()
    assert server.process.returncode == 0


FUZZ = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ANNOUNCED = st.fixed_dictionaries(
    {
        "name": st.text(max_size=4) | JSON,
        "dtype": st.sampled_from(["<f4", "|u1", "|i1", "<i4", "<i8", ">f8", "|O", ""]) | JSON,
        "shape": st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 3), max_size=20) | JSON,
    }
)
COMMANDS = st.sampled_from(["hello", "open", "frame", "tensors", "bench", "close", "stop", ""])


@FUZZ
@given(st.binary(max_size=300))
def test_stray_bytes_are_passed_over(raw: Raw, data: bytes):
    raw.send(data)
    assert raw.answers_until_hello() == []


@FUZZ
@given(st.binary(max_size=300))
def test_a_packet_of_anything_is_answered(raw: Raw, payload: bytes):
    raw.send(packet(payload) + payload)
    (answer,) = raw.answers_until_hello()
    assert answer["error"]["kind"] == "request"


@FUZZ
@given(st.lists(ANNOUNCED, max_size=3), JSON | st.just({}), st.binary(max_size=64))
def test_arrays_that_are_announced_wrongly_are_answered(
    raw: Raw, arrays: list, fields: object, data: bytes
):
    raw.send(framed(json.dumps({"fields": fields, "arrays": arrays}).encode(), data))
    (answer,) = raw.answers_until_hello()
    assert answer["error"]["kind"] in ("request", "bundle")


@FUZZ
@given(
    COMMANDS,
    st.dictionaries(
        st.sampled_from(["artifact", "runtime", "accelerator", "threads", "runs"]), JSON
    ),
)
def test_fields_of_any_kind_are_answered(raw: Raw, command: str, fields: dict):
    raw.send(request({**json.loads(json.dumps(fields)), "command": command}))
    (answer,) = raw.answers_until_hello()
    assert ("error" in answer) == (command not in ("hello", "close"))
    assert answer.get("error", {}).get("kind", "bundle") in ("request", "bundle")


@pytest.mark.parametrize(
    "data",
    [
        framed(b"{}", length=-1),
        framed(b"{}", length=2**62),
        framed(b"[" * 100_000),
        framed(b'{"fields": {"command": "hello"}, "arrays": [], "more": 1}'),
        framed(b'{"fields": {"command": "hello"}, "arrays": []}', b"more"),
        framed(b'{"fields": {"command": "hello"}}\xff\xfe'),
    ],
    ids=["negative", "huge", "deep", "unknown", "longer", "bytes"],
)
def test_a_message_that_is_none_is_answered(raw: Raw, data: bytes):
    raw.send(data)
    (answer,) = raw.answers_until_hello()
    assert answer["error"]["kind"] == "request"


def test_a_damaged_packet_is_answered_and_the_next_one_served(raw: Raw):
    damaged = bytearray(request({"command": "hello", "id": 0}))
    damaged[-1] ^= 1
    raw.send(bytes(damaged))
    (answer,) = raw.answers_until_hello()
    assert answer["error"]["message"] == "the packet was damaged on its way"


def test_it_ends_with_its_stdin(command: tuple[str, ...]):
    started = (*command, "no bundle")
    done = subprocess.run(started, input=request({"command": "hello"})[:-3], capture_output=True)
    assert done.returncode == 1
    assert b"the stream ends inside a packet" in done.stderr
    assert subprocess.run(started, input=b"", capture_output=True).returncode == 0
    assert subprocess.run(command, input=b"", capture_output=True).returncode == 2


def opened(client: RunnerClient, **changed: object) -> None:
    fields = {
        "artifact": "tflite-int8",
        "runtime": TFLITE,
        "accelerator": "cpu",
        "threads": 1,
    }
    client.open(**{**fields, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"artifact": "tflite-w8"}, "the bundle has no artifact 'tflite-w8'"),
        ({"runtime": "mobileq.app.None"}, "this runner has no runtime 'mobileq.app.None'"),
        ({"runtime": "java.lang.String"}, "this runner has no runtime 'java.lang.String'"),
        ({"accelerator": "dsp"}, "there is no accelerator 'dsp'"),
    ],
)
def test_what_is_not_there_is_named(changed: dict, said: str, client: RunnerClient, bundle: Path):
    with pytest.raises(Refused) as raised:
        opened(client, **changed)
    assert (raised.value.kind, str(raised.value)) == ("request", said)


def test_nothing_runs_before_something_is_open(client: RunnerClient):
    with pytest.raises(Refused, match="no model is open"):
        client.analyse(np.zeros((4, 4, 3), np.uint8))


def test_tensors_and_frames_that_do_not_fit_are_refused_and_it_runs_on(
    client: RunnerClient,
):
    opened(client)
    with pytest.raises(Refused, match="is missing"):
        client.run({})
    for wrong in (np.zeros((1, 3, 4, 4), np.int8), np.zeros((1, 3, 160, 160), np.float32)):
        with pytest.raises(Refused, match=r"takes 76800 values of \|i1, not"):
            client.run({"images": wrong})
    with pytest.raises(Refused, match="not of RGBA bytes"):
        client.analyse(np.zeros((0, 4, 4), np.uint8))
    with pytest.raises(Refused, match="turned by 90"):
        client.analyse(np.zeros((4, 4, 4), np.uint8), rotation=45)
    with pytest.raises(Refused, match="`runs` can't be 0"):
        client.bench(np.zeros((4, 4, 4), np.uint8), warmup=0, runs=0)
    assert client.analyse(np.zeros((4, 4, 4), np.uint8)).outputs


def test_another_file_takes_the_place_of_the_first(client: RunnerClient):
    opened(client)
    first = client.analyse(np.full((8, 8, 3), 99, np.uint8)).outputs
    opened(client, artifact="tflite-fp32")
    second = client.analyse(np.full((8, 8, 3), 99, np.uint8)).outputs
    assert {array.dtype for array in first.values()} == {np.dtype(np.int8)}
    assert {array.dtype for array in second.values()} == {np.dtype(np.float32)}
