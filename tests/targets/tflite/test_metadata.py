"""What stands behind the flatbuffer is found by those who look, and seen by nobody else."""

from __future__ import annotations

import ast
import io
import json
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError
from mobileq.spec import (
    ModelSpec,
    PreprocessSpec,
    QuantRecipe,
    TensorSpec,
    embedded,
    embedded_recipe,
)
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.metadata import (
    embed_metadata,
    embedded_spec,
    read_foreign_metadata,
    read_metadata,
)
from mobileq.targets.tflite.target import TfliteTarget

PLAIN = {"name": "x", "task": "unknown", "family": None, "inputs": [], "outputs": []}
SPEC = ModelSpec(
    name="cats",
    task="detect",
    family="yolov8",
    inputs=(TensorSpec(name="x", shape=(1, 3, 64, 96), dtype="float32", layout="NCHW"),),
    outputs=(TensorSpec(name="y", shape=(1, 6, 126), dtype="float32"),),
    preprocess=PreprocessSpec(width=96, height=64),
    decode=DecodeSpec(
        kind="yolov8",
        class_count=2,
        outputs=(HeadOutput(name="y", role="predictions"),),
        strides=(8, 16, 32),
    ),
    labels=("cat", "Käse [x]"),
)
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)


@pytest.fixture
def bare(tmp_path) -> Path:
    """A file without metadata."""
    path = tmp_path / "bare.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(200))
    return path


def zipped(path: Path, *entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "a", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_spec_comes_back_as_it_was_embedded(bare):
    embed_metadata(bare, SPEC, {"recipe": {"precision": "int8"}})
    assert embedded_spec(bare) == SPEC
    assert read_metadata(bare)["mobileq"]["recipe"] == {"precision": "int8"}


def test_other_loaders_find_their_keys(bare):
    embed_metadata(bare, SPEC, {})
    with zipfile.ZipFile(bare) as archive:
        assert archive.testzip() is None
        assert archive.read("classes.txt").decode() == "cat\nKäse [x]\n"
        found = json.loads(archive.read("metadata.json"))
    assert found["names"] == {"0": "cat", "1": "Käse [x]"}
    assert (found["imgsz"], found["stride"], found["task"]) == ([64, 96], 32, "detect")
    assert (found["batch"], found["channels"]) == (1, 3)
    assert read_foreign_metadata(bare)["imgsz"] == "[64, 96]"


def test_loaders_of_the_first_entry_find_a_python_literal(bare):
    """As Ultralytics' AutoBackend 8.0 to 8.3 reads."""
    embed_metadata(bare, SPEC, {})
    with zipfile.ZipFile(bare) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    assert ast.literal_eval(text)["names"]["1"] == "Käse [x]"


def test_readers_from_the_last_header_on_find_their_entry(bare):
    """As Ultralytics' Flutter app reads: no directory, only what follows the last header."""
    embed_metadata(bare, SPEC, {})
    content = bare.read_bytes()
    start = content.rindex(b"PK\x03\x04")
    method, size, name_length = struct.unpack_from("<8xH8xI4xH", content, start)
    assert method == zipfile.ZIP_STORED
    name_end = start + 30 + name_length
    assert content[start + 30 : name_end] == b"metadata.json"
    assert json.loads(content[name_end : name_end + size])["names"]["0"] == "cat"


def test_nothing_is_compressed(bare):
    """MediaPipe reads no zip that has something else in it."""
    embed_metadata(bare, SPEC, {})
    with zipfile.ZipFile(bare) as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}


def test_files_of_before_are_read(bare):
    """Their metadata.json had all, deflated."""
    own = {"model": embedded(SPEC), "recipe": {"precision": "int8"}}
    text = json.dumps({"mobileq": own, "task": "detect"}, indent=1).encode()
    zipped(bare, ("metadata.json", text), ("labels.txt", b"cat\nK\xc3\xa4se [x]\n"))
    assert embedded_spec(bare) == SPEC
    assert read_metadata(bare)["mobileq"]["recipe"] == {"precision": "int8"}


def test_what_is_not_known_is_left_out(bare):
    spec = ModelSpec(name="x", task="unknown", family=None, inputs=(), outputs=())
    embed_metadata(bare, spec, {})
    assert set(read_metadata(bare)) == {"mobileq", "task", "batch"}
    with zipfile.ZipFile(bare) as archive:
        assert archive.namelist() == ["metadata.json", "mobileq.json"]


def test_flatbuffer_is_left_as_it_was(bare):
    before = bare.read_bytes()
    embed_metadata(bare, SPEC, {})
    assert bare.read_bytes().startswith(before)


def test_same_input_gives_the_same_bytes(tmp_path, monkeypatch):
    written = []
    for name, zone in (("a", "UTC"), ("b", "Asia/Tokyo")):
        monkeypatch.setenv("TZ", zone)
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(b"same")
        embed_metadata(path, SPEC, {"z": 1, "a": 2})
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_file_with_metadata_runs_as_the_file_without(convert, tmp_path):
    file = convert("scores", "int8")
    assert embedded_spec(file.path) == file.model.spec
    model = flatbuffer.read_model(file.path)
    plain = tmp_path / "plain.tflite"
    flatbuffer.write_model(model, plain)
    assert not zipfile.is_zipfile(plain)
    found = []
    for path in (file.path, plain):
        runner = TfliteTarget().open(path, file.converted.inputs, file.converted.outputs)
        found.append(runner.run(file.model.feeds)["y"])
        runner.close()
    np.testing.assert_array_equal(found[0], found[1])


def test_converted_file_tells_its_recipe_and_tensors(convert):
    file = convert("scores", "int8", "uint8")
    told = read_metadata(file.path)["mobileq"]
    recipe = QuantRecipe(precision="int8", io="uint8")
    assert told["recipe"] == json.loads(json.dumps(embedded_recipe(recipe)))
    for kind, tensors in (("inputs", file.converted.inputs), ("outputs", file.converted.outputs)):
        assert told[kind] == json.loads(msgspec.json.encode(tensors))


def test_recipe_in_a_file_has_the_fields_it_had_before_targets_had_options():
    told = embedded_recipe(QuantRecipe(precision="int8"))
    assert "options" not in told
    assert (told["mnn_method"], told["mnn_weights"]) == (None, None)


def test_metadata_of_other_exporters_is_read(bare):
    zipped(bare, ("metadata.json", b'{"task": "detect", "names": {"0": "cat"}, "batch": 1}'))
    assert read_foreign_metadata(bare) == {
        "task": "detect",
        "names": "{'0': 'cat'}",
        "batch": "1",
    }
    assert embedded_spec(bare) is None


def test_metadata_of_older_exporters_is_read(bare):
    zipped(bare, ("temp_meta.txt", b"{'stride': 32, 'names': {0: 'cat', 1: 'd\\d'}}"))
    assert read_foreign_metadata(bare) == {"stride": "32", "names": "{0: 'cat', 1: 'd\\\\d'}"}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[1]", b"null", b"{", b"\xff\xfe", b'{"names": "\\ud800"}', b'"text"', b"9" * 9999,
        b"[" * 100_000, b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", b'{"a": 1e999}',
    ],
    ids=range(11),
)  # fmt: skip
def test_metadata_that_is_none_is_nothing(bare, content):
    zipped(bare, ("metadata.json", content))
    assert embedded_spec(bare) is None
    for value in read_foreign_metadata(bare).values():
        value.encode()  # can be written anywhere


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[1]", b"{1}", b"{", b"\xff\xfe", b"{'a': " + b"0x" + b"f" * 9999 + b"}",
        b"(" * 100_000, b"-" * 100_000 + b"1", b"{'a': " + b"[" * 90 + b"]" * 90 + b"}",
        b"__import__('os').abort()", b"{'a': 1 if 2else 3}", b"{[]: 1}", b"{'a': 1}\0",
        b"{" + b"'a': 1, " * 100_000 + b"}",
    ],
    ids=range(14),
)  # fmt: skip
def test_literal_that_is_none_is_nothing(bare, content):
    zipped(bare, ("temp_meta.txt", content))
    found = read_foreign_metadata(bare)
    assert all(isinstance(part, str) for pair in found.items() for part in pair)


def test_half_characters_are_refused(bare):
    zipped(bare, ("metadata.json", b'{"names": "\\ud800"}'))
    assert read_metadata(bare) == {}


@pytest.mark.parametrize("own", [None, [], {}, {"model": None}, {"model": "x"}])
def test_spec_of_another_form_is_none(bare, own):
    zipped(bare, ("metadata.json", json.dumps({"mobileq": own}).encode()))
    assert embedded_spec(bare) is None


@pytest.mark.parametrize(
    ("described", "part"),
    [
        ({"name": "x"}, "missing required field `task`"),
        ({"name": 1}, "field `name`: expected `str`"),
        ({**PLAIN, "name": "../x"}, "field `name`: '../x' can't be the name of a model"),
        ({**PLAIN, "outputs": [{"name": "y", "shape": [-9], "dtype": "int8"}]}, "it must be -1"),
        ({**PLAIN, "colour": 1}, "unknown field `colour`"),
    ],
)
def test_description_that_is_wrong_is_refused_by_its_field(bare, described, part):
    zipped(bare, ("metadata.json", json.dumps({"mobileq": {"model": described}}).encode()))
    with pytest.raises(InputError) as caught:
        embedded_spec(bare)
    assert part in caught.value.message
    assert str(bare) in caught.value.message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_nobody_uses_are_not_unpacked(bare, method):
    zipped(bare, ("metadata.json", b"{}" + b" " * 1000), method=method)
    assert read_metadata(bare) == {}


@pytest.mark.parametrize("claimed", [None, 100])
def test_entry_that_unpacks_to_gigabytes_costs_no_memory(bare, claimed):
    zipped(bare, ("metadata.json", b" " * 300_000_000))
    if claimed is not None:  # the directory's entry, which readers go by, tells another size
        packed = bytearray(bare.read_bytes())
        entry = packed.rindex(b"PK\x01\x02")
        struct.pack_into("<I", packed, entry + 24, claimed)
        bare.write_bytes(packed)
    tracemalloc.start()
    try:
        assert read_metadata(bare) == {}
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024**2
    finally:
        tracemalloc.stop()


def test_packed_text_that_is_damaged_is_nothing(bare):
    zipped(bare, ("metadata.json", b'{"task": "detect"}' + b" " * 100))
    packed = bytearray(bare.read_bytes())
    start = packed.index(b"metadata.json") + len("metadata.json")
    packed[start : start + 4] = b"\xff\xff\xff\xff"
    bare.write_bytes(packed)
    assert read_metadata(bare) == {}
    assert read_foreign_metadata(bare) == {}


def read_every_way(path: Path) -> None:
    assert isinstance(read_metadata(path), dict)
    found = read_foreign_metadata(path)
    assert all(isinstance(part, str) for pair in found.items() for part in pair)
    spec = embedded_spec(path)
    assert spec is None or isinstance(spec, ModelSpec)


@SHARED_FOLDER
@given(noise=st.binary(max_size=400))
def test_noise_is_nothing(tmp_path, noise):
    path = tmp_path / "x.tflite"
    path.write_bytes(noise)
    read_every_way(path)
    assert embedded_spec(path) is None


def packed_metadata() -> bytes:
    buffer = io.BytesIO(b"model")
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", '{"task": "detect", "names": {"0": "cat", "1": "dog"}}')
        archive.writestr("temp_meta.txt", "{'a': 1}")
    return buffer.getvalue()


@settings(SHARED_FOLDER, max_examples=300)
@given(data=st.data())
def test_damaged_archive_is_read_or_nothing(tmp_path, data):
    damaged = bytearray(packed_metadata())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    path = tmp_path / "x.tflite"
    path.write_bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))])
    read_every_way(path)


def test_missing_file_has_no_metadata(tmp_path):
    read_every_way(tmp_path / "none.tflite")


def test_copy_keeps_its_metadata(convert, tmp_path):
    copied = shutil.copy(convert("conv", "fp32").path, tmp_path / "copy.tflite")
    assert embedded_spec(copied) == convert("conv", "fp32").model.spec
