"""Descriptions of tensors are changed in a file that MNN wrote, and MNN reads them again."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest

from mobileq.external.child import call
from mobileq.targets.mnn.flatbuffer import describe_as_float, field, follow
from mobileq.targets.mnn.target import MnnTarget

from ..tiny import TinyFile, kept
from .conversions import outputs_of


def graph_of(path) -> dict:
    worker = "mobileq.targets.mnn.worker:MnnWorker"
    return call(worker, "graph", {"path": str(path)}, stage="reading", tool="MNN")["graph"]


def entries(graph: dict) -> dict[int, dict]:
    codes = {"min": -128.0, "max": 127.0}
    return {each["index"]: codes | each["quantInfo"] for each in graph["extraTensorDescribe"]}


@pytest.fixture
def file(tiny, tmp_path):
    job = dataclasses.replace(tiny("pooled").job(tmp_path, "int8"), output=tmp_path / "x.mnn")
    kept(MnnTarget).convert(job)
    return job.output


def test_known_and_new_tensors_become_float_and_all_else_stays(file):
    before = graph_of(file)
    known = before["tensorName"].index("c")
    new = next(index for index in range(99) if index not in entries(before))
    describe_as_float(file, {known, new})
    after = graph_of(file)
    wanted, found = entries(before), entries(after)
    wanted[known] |= {"type": "DT_FLOAT"}
    plain = {"scale": 1.0, "zero": 0.0, "min": -128.0, "max": 127.0, "type": "DT_FLOAT"}
    assert found.pop(new).items() >= plain.items()
    assert found == wanted
    for graph in (before, after):
        del graph["extraTensorDescribe"]
    assert after == before


def test_twice_is_as_once(file):
    describe_as_float(file, {0, 3})
    once = entries(graph_of(file))
    describe_as_float(file, {0, 3})
    assert entries(graph_of(file)) == once


def test_file_without_descriptions_is_left_alone(tiny, tmp_path):
    job = dataclasses.replace(tiny("conv").job(tmp_path, "fp32"), output=tmp_path / "x.mnn")
    kept(MnnTarget).convert(job)
    before = job.output.read_bytes()
    describe_as_float(job.output, {0})
    assert job.output.read_bytes() == before


@pytest.mark.parametrize("precision", ["w8", "int8"])
def test_long_constants_are_put_into_the_file_as_json_would_have_them(
    tiny, tmp_path, monkeypatch, precision
):
    files = []
    for longest in (2**20, 16):
        monkeypatch.setattr("mobileq.targets.mnn.graph._LONG", longest)
        folder = tmp_path / str(longest)
        folder.mkdir()
        job = tiny("pooled").job(folder, precision)
        job = dataclasses.replace(job, output=folder / "x.mnn")
        files.append(TinyFile(tiny("pooled"), job.output, kept(MnnTarget).convert(job)))
    inside, behind = (graph_of(file.path) for file in files)
    assert behind == inside
    assert files[0].path.stat().st_size != files[1].path.stat().st_size, "some were long"
    assert files[0].converted == files[1].converted
    for name, wanted in outputs_of(files[0]).items():
        np.testing.assert_array_equal(outputs_of(files[1])[name], wanted)


def test_end_of_the_file_is_an_error():
    with pytest.raises(struct.error):
        field(b"\x04\0\0\0\xff\xff", follow(b"\x04\0\0\0", 0), 1)
