"""What is told of files on a phone."""

from __future__ import annotations

import pytest

from mobileq.evaluate.report import AS_HERE, ArtifactScores, DelegateScores, PhoneScores
from mobileq.manifest import Failure
from mobileq.page import TextPage
from mobileq.tasks.base import COUNT, measure_of

SENTENCE = "tflite-fp16 finds something else on the GPU of Loop 9 than here: they agree by"


def told(agreed: float) -> str:
    figures = {"map50_95": agreed, "map50": agreed, COUNT: 3}
    scores = ArtifactScores(
        name="tflite-fp16",
        interpreter="TFLite 2.18, GPU",
        size_bytes=1000,
        latency_ms=4.25,
        accuracy=figures,
        agreement=figures,
    )
    took = ("TfLiteGpuDelegateV2: 60 of 64 nodes in 3 partitions",)
    failure = Failure(
        target="tflite",
        precision="int8",
        file_name="tflite-int8 on nnapi",
        stage="run",
        reason="It does not run.",
    )
    page = TextPage()
    PhoneScores(
        device="Loop 9",
        files=(DelegateScores(delegate="gpu", scores=scores, same=figures, delegations=took),),
        failures=(failure,),
    ).tell(page, measure_of("detect"))
    return "\n".join(page.lines)


def test_a_delegate_that_answers_otherwise_is_named():
    assert f"{SENTENCE} 0.900" in told(0.9)
    assert SENTENCE not in told(AS_HERE)


def test_what_a_delegate_took_and_what_failed_is_told():
    text = told(1.0)
    assert "tflite-fp16 on gpu: TfLiteGpuDelegateV2: 60 of 64 nodes in 3 partitions." in text
    (row,) = (line for line in text.splitlines() if line.startswith("tflite-int8"))
    assert row.split()[1:3] == ["nnapi", "FAILED"]
    assert "It does not run." in text


@pytest.mark.parametrize("agreed", [0.9, 1.0])
def test_a_row_has_the_agreement_with_this_computer(agreed: float):
    assert f"{agreed:.4f}" in told(agreed)
