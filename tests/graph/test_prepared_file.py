"""Preparing in a child gives what preparing gives; what goes wrong there is one sentence here."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from mobileq.errors import InputError, UsageError
from mobileq.graph.prepare import prepare
from mobileq.graph.prepared_file import MODEL_NAME, prepare_file

from .builders import unfolding, yolov8


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    path = tmp_path / "detector.onnx"
    onnx.save(yolov8(), path)
    return path


def test_child_prepares_what_the_parent_would(tmp_path: Path, detector: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('[preprocess]\nchannel_order = "BGR"')
    options = {"spec_file": spec, "labels": None, "family": "yolov8"}
    found = prepare_file(tmp_path, detector, **options)
    wanted = prepare(detector, **options)
    assert (tmp_path / MODEL_NAME).read_bytes() == wanted.model.SerializeToString(
        deterministic=True
    )
    assert found.spec == wanted.spec
    assert found.notices == wanted.notices
    assert found.reasons == wanted.reasons
    assert found.source_sha256 == wanted.source_sha256
    assert sum(found.file_ops.values()) == len(onnx.load(detector).graph.node)


def test_errors_come_back_as_they_are(tmp_path: Path, detector: Path) -> None:
    with pytest.raises(UsageError, match="There is no family 'cat'"):
        prepare_file(tmp_path, detector, family="cat")


def test_model_that_unfolds_into_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.onnx"
    onnx.save(unfolding(1_700_000_000), path)  # 6.8 GB
    with pytest.raises(InputError, match=r"takes more than 3\.2 GB to run once"):
        prepare_file(tmp_path, path)
