"""A stage is carried out again where what it was made from, or what it gave, is not the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mobileq.workflows.receipts import Receipts, digest, traced_model

ONE, TWO = "1" * 64, "2" * 64


def test_a_receipt_is_right_for_the_same_inputs_and_result(tmp_path: Path):
    path = tmp_path / "out" / "ship.json"
    receipts = Receipts(path)
    assert not receipts.has("convert")
    assert not receipts.is_right("convert", ONE, TWO)
    receipts.note("convert", ONE, TWO)
    again = Receipts(path)
    assert again.has("convert")
    assert again.is_right("convert", ONE, TWO)
    assert not again.is_right("convert", TWO, TWO)
    assert not again.is_right("convert", ONE, ONE)
    assert not again.is_right("convert", ONE, None)
    assert not again.is_right("validate", ONE, TWO)


def test_what_gave_nothing_is_not_done(tmp_path: Path):
    receipts = Receipts(tmp_path / "ship.json")
    receipts.note("validate", ONE, None)
    assert not receipts.has("validate")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"stages": {"convert": 1}}', None])
def test_a_file_that_cannot_be_read_is_no_receipt(tmp_path: Path, content: bytes | None):
    path = tmp_path / "ship.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert not Receipts(path).has("convert")


@dataclass
class Options:
    labels: str = "coco80"
    calib: Path | None = None
    named: tuple[str, ...] = ()


def differs(change: Any, *options: Options, **parts: Any) -> bool:
    before = digest(options=options, **parts)
    assert digest(options=options, **parts) == before
    change()
    return digest(options=options, **parts) != before


def test_what_paths_lead_to_counts(tmp_path: Path):
    folder, file = tmp_path / "pictures", tmp_path / "labels.txt"
    (folder / "deep").mkdir(parents=True)
    picture = folder / "deep" / "a.jpg"
    picture.write_bytes(b"a")
    file.write_text("cat")
    options = Options(labels=str(file), calib=folder, named=(f"mask={file}",))
    assert differs(lambda: picture.write_bytes(b"ab"), options)
    assert differs(lambda: (folder / "b.jpg").write_bytes(b"b"), options)
    assert differs(lambda: picture.rename(folder / "c.jpg"), options)
    assert differs(lambda: file.write_text("dog"), options)
    assert differs(lambda: file.write_text("cow"), Options(named=(f"mask={file}",)))
    assert differs(file.unlink, options)
    assert not differs(lambda: None, options)


def test_a_data_set_is_what_is_below_its_description(tmp_path: Path):
    description, picture = tmp_path / "data.yaml", tmp_path / "images" / "a.jpg"
    picture.parent.mkdir()
    description.write_text("val: images")
    assert differs(lambda: picture.write_bytes(b"a"), Options(calib=description))


def test_a_model_is_its_file_and_those_of_its_weights(tmp_path: Path):
    model, weights = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    model.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    before = traced_model(model)
    (tmp_path / "other.onnx").write_bytes(b"another")
    assert traced_model(model) == before
    weights.write_bytes(b"Weights")
    assert traced_model(model) != before


def test_an_option_counts_as_it_is():
    assert digest(options=Options()) != digest(options=Options(labels="coco91"))
    assert digest(threads=(1, 4)) != digest(threads=(1,))
    assert digest(count=None) != digest(count=3)
