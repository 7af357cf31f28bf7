"""What is told of files on a phone."""

from __future__ import annotations

import pytest

from mobileq.evaluate.report import (
    AS_HERE,
    ArtifactScores,
    DelegateScores,
    Lost,
    PhoneScores,
    PictureDifference,
)
from mobileq.manifest import Failure
from mobileq.page import TextPage
from mobileq.tasks.base import COUNT, measure_of

SENTENCE = "tflite-fp16 finds something else on the GPU of Loop 9 than here: they agree by"


def told(
    agreed: float, lost: Lost | None = None, pictures: int = 0, name: str = "tflite-fp16"
) -> str:
    figures = {"map50_95": agreed, "map50": agreed, COUNT: 3}
    scores = ArtifactScores(
        name=name,
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
        files=(
            DelegateScores(
                delegate="gpu",
                scores=scores,
                same=figures,
                delegations=took,
                lost=lost,
                pictures=tuple(differs(each) for each in range(pictures)),
            ),
        ),
        failures=(failure,),
    ).tell(page, measure_of("detect"))
    return "\n".join(page.lines)


def test_a_delegate_that_answers_otherwise_is_named():
    assert f"{SENTENCE} 0.900" in told(0.9)
    assert SENTENCE not in told(AS_HERE)


@pytest.mark.parametrize(
    ("precision", "least"),
    [("fp32", 0.95), ("fp16", 0.95), ("dynamic", 0.92), ("w8", 0.92), ("int8", 0.85)],
)
def test_a_precision_may_round_otherwise_and_no_more(precision: str, least: float):
    sentence = f"tflite-{precision} finds something else on the GPU of Loop 9 than here"
    assert sentence not in told(least, name=f"tflite-{precision}")
    assert sentence in told(least - 0.001, name=f"tflite-{precision}")


def differs(number: int) -> PictureDifference:
    words = ("star 0.10 instead of 0.91", "square 0.50 missing", "star 0.30 new")
    return PictureDifference(picture=f"{number}.jpg", amount=9.0 - number, told=words)


def test_a_gpu_that_loses_accuracy_is_named_with_what_helps():
    text = told(0.9, Lost(value=0.03, error=0.01))
    assert (
        "tflite-fp16 loses 0.0300 ±0.0100 of mAP50-95 on the GPU of Loop 9, against the same file "
        "here. Phones' GPUs compute in 16 bits" in text
    )
    assert SENTENCE not in text


@pytest.mark.parametrize("lost", [Lost(value=0.03, error=0.02), Lost(value=-0.03, error=0.01)])
def test_what_may_be_chance_or_is_a_gain_is_no_loss(lost: Lost):
    assert "loses" not in told(1.0, lost)


def test_the_worst_pictures_are_told_with_what_differs():
    assert (
        "tflite-fp16 on gpu differs from here in 1 picture: 0.jpg (star 0.10 instead of 0.91, "
        "square 0.50 missing, ...)." in told(1.0, pictures=1)
    )
    text = told(1.0, pictures=5)
    assert "in 5 pictures: 0.jpg" in text
    assert "2.jpg (star 0.10 instead of 0.91, square 0.50 missing, ...); ..." in text
    assert "3.jpg" not in text
    assert "differs" not in told(1.0)


def test_what_a_delegate_took_and_what_failed_is_told():
    text = told(1.0)
    assert "tflite-fp16 on gpu: TfLiteGpuDelegateV2: 60 of 64 nodes in 3 partitions." in text
    (row,) = (line for line in text.splitlines() if line.startswith("tflite-int8"))
    assert row.split()[1:3] == ["nnapi", "FAILED"]
    assert "It does not run." in text


@pytest.mark.parametrize("agreed", [0.9, 1.0])
def test_a_row_has_the_agreement_with_this_computer(agreed: float):
    assert f"{agreed:.4f}" in told(agreed)
