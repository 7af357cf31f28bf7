"""The prepared model, and the head that a file or a ranking gets."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser
import pytest

from mobileq import Silent, UsageError
from mobileq.cache import ResultCache
from mobileq.workflows.opening import Overrides
from mobileq.workflows.source import Source, folded, prepare, with_head
from mobileq.workflows.stages import Stages
from tests.graph.builders import ssd
from tests.tasks.detect.head_builders import yolov8


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Stages(ResultCache(enabled=False), scratch, Silent())


def source_of(stages: Stages, model: onnx.ModelProto, folder: Path) -> Source:
    path = folder / "net.onnx"
    onnx.save(model, path)
    return prepare(stages, path, Overrides())


def notices(stages: Stages) -> list[str]:
    assert isinstance(stages.progress, Silent)
    return stages.progress.notices


def test_what_no_task_reads_keeps_its_end_without_a_word(stages: Stages, model: Path) -> None:
    source = prepare(stages, model, Overrides())
    assert with_head(stages, source, "auto") is source
    assert with_head(stages, source, "decoded") is source
    assert not notices(stages)
    with pytest.raises(UsageError, match="Model has no head that can be cut off"):
        with_head(stages, source, "raw")


def test_without_a_picture_there_is_nothing_to_fold(stages: Stages, tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17]>'
    rows = onnx.parser.parse_model(f"{head} g (float[1,7] x) => (float[1,7] y) {{ y = Relu(x) }}")
    with pytest.raises(UsageError, match="how net wants its picture is not known"):
        folded(stages, source_of(stages, rows, tmp_path))


def test_preprocessing_is_folded_once(stages: Stages, tmp_path: Path) -> None:
    source = source_of(stages, yolov8(), tmp_path)
    once = folded(stages, source)
    assert once.spec.preprocess != source.spec.preprocess
    assert with_head(stages, once, "raw").is_cut
    assert not notices(stages)
    assert folded(stages, once) is once
    assert notices(stages) == [
        "--fold-preprocessing changes nothing here: net takes pixels already."
    ]


@pytest.mark.parametrize("head", ["auto", "raw"])
def test_detectors_end_at_the_last_convolutions(stages: Stages, tmp_path: Path, head: str) -> None:
    source = source_of(stages, yolov8(), tmp_path)
    assert source.head == "decoded"
    assert with_head(stages, source, "decoded") is source
    raw = with_head(stages, source, head)  # type: ignore[arg-type]
    assert raw.head == "raw"
    assert raw.is_cut
    assert len(raw.spec.outputs) > len(source.spec.outputs)
    assert with_head(stages, raw, "raw") is raw
    assert not notices(stages)


def test_detector_that_cannot_be_cut_is_kept_unless_raw_is_insisted_on(
    stages: Stages, tmp_path: Path
) -> None:
    source = source_of(stages, ssd(), tmp_path)
    assert with_head(stages, source, "auto") is source
    (notice,) = notices(stages)
    assert notice.startswith("net cannot be cut at its last convolutions")
    assert notice.endswith("The decoding stays in the graph, in float.")


def test_raw_head_that_is_insisted_on_and_is_none_is_an_error(
    stages: Stages, tmp_path: Path
) -> None:
    source = source_of(stages, ssd(), tmp_path)
    with pytest.raises(UsageError, match="cannot be cut at its last convolutions"):
        with_head(stages, source, "raw")
