"""Files in ONNX Runtime's own format."""

from __future__ import annotations

import dataclasses
import re
from contextlib import closing

import msgspec
import numpy as np
import pytest

from mobileq.errors import InputError, MobileqError
from mobileq.targets.onnxruntime.reading import read_file
from mobileq.targets.onnxruntime.target import OrtTarget

from ..tiny import TinyFile, sqnr_db
from .conversions import outputs_of


@pytest.fixture(scope="module")
def reduced(tiny, target, tmp_path_factory):
    def made(name: str, precision: str) -> TinyFile:
        folder = tmp_path_factory.mktemp("reduced")
        job = tiny(name).job(folder, precision)
        recipe = msgspec.structs.replace(job.recipe, options={"ort_file": "ort"})
        job = dataclasses.replace(job, recipe=recipe, output=folder / f"{name}.ort")
        return TinyFile(tiny(name), job.output, target.convert(job))

    return made


@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 120), ("dynamic", 35), ("int8", 22), ("int8-full", 22)]
)
def test_file_gives_what_the_model_gives_and_says_what_it_is(reduced, precision, least):
    file = reduced("pooled", precision)
    assert file.path.read_bytes()[4:8] == b"ORTM"
    found, read = outputs_of(file), read_file(file.path)
    assert sqnr_db(file.model.wanted["y"], found["y"]) > least
    assert read.spec == file.model.spec
    assert [(t.name, t.shape, t.dtype) for t in (*read.inputs, *read.outputs)] == [
        ("x", (1, 3, 16, 16), "float32"), ("y", (1, 6, 16, 16), "float32"),
    ]  # fmt: skip
    assert sum(read.ops.values()) > 3
    assert read.tensor_types


def test_its_operators_are_listed_for_a_build(reduced):
    file = reduced("pooled", "int8")
    (config,) = file.converted.companions
    text = (file.path.parent / config).read_text()
    assert "QLinearConv" in text
    assert set(read_file(file.path).ops) >= {"QLinearConv", "QLinearSigmoid"}
    assert all(op in text for op in read_file(file.path).ops)


def test_same_model_gives_the_same_bytes_but_for_the_order_of_a_table(reduced):
    first, second = (reduced("conv", "int8").path for _ in range(2))
    assert first.stat().st_size == second.stat().st_size
    texts = [sorted(re.findall(rb"[ -~]{3,}", path.read_bytes())) for path in (first, second)]
    names = [[text for text in found if len(text) > 5] for found in texts]
    assert names[0] == names[1]
    assert read_file(first) == read_file(second)


def test_padding_before_a_pooling_is_none_of_its_own(tiny, target, monkeypatch, tmp_path):
    """Pad_Fusion would be in the file, and no app could leave it out."""
    from ..tiny import make
    from ..tiny_models import MODELS, weights

    graph = """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
        c = Conv(x, w)
        n = Neg(c)
        r = Relu(n)
        s = Neg(r)
        p = Pad(s, pads)
        y = MaxPool<kernel_shape=[3,3], strides=[1,1]>(p)
    }"""
    constants = {"w": weights(4, 3, 1, 1), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    monkeypatch.setitem(MODELS, "padded", (graph, constants))
    model = make("padded", tmp_path)
    job = model.job(tmp_path, "fp32")
    recipe = msgspec.structs.replace(job.recipe, options={"ort_file": "ort"})
    job = dataclasses.replace(job, recipe=recipe, output=tmp_path / "x.ort")
    file = TinyFile(model, job.output, target.convert(job))
    np.testing.assert_allclose(outputs_of(file)["y"], model.wanted["y"], atol=1e-5)


def test_it_is_run_in_a_child(reduced):
    file = reduced("conv", "fp32")
    opened = OrtTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    with closing(opened) as runner:
        np.testing.assert_allclose(
            runner.run(file.model.feeds)["y"], file.model.wanted["y"], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x28\0\0\0ORTM" + b"\xff" * 200])
def test_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.ort"
    path.write_bytes(content)
    with pytest.raises(MobileqError) as caught:
        read_file(path)
    assert "\n" not in caught.value.message
    if b"ORTM" not in content:
        assert isinstance(caught.value, InputError)
