"""Recognises how a model wants its picture and how its outputs become detections.

Every family is asked in turn; those that do not fit say why, so that a person can see what was
tried. Recognition reads shapes, metadata and, where there is a graph, evidence from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobileq.errors import UsageError
from mobileq.graph.outline import tensor_specs
from mobileq.preparation.labels import (
    LabelSource,
    default_labels,
    parse_names,
    read_labels,
    require_count,
    unnamed_notice,
)
from mobileq.spec import DecodeSpec, PreprocessSpec, Task, TensorSpec
from mobileq.tasks.detect.evidence import Evidence, gather_evidence
from mobileq.tasks.detect.families.end2end import match_end2end, match_rtdetr
from mobileq.tasks.detect.families.facts import (
    Answer,
    Facts,
    Match,
    Picture,
    find_picture,
    per_picture,
)
from mobileq.tasks.detect.families.nanodet import match_nanodet, match_picodet
from mobileq.tasks.detect.families.ssd import match_ssd
from mobileq.tasks.detect.families.yolov5 import match_yolov5
from mobileq.tasks.detect.families.yolov8 import match_yolov8
from mobileq.tasks.detect.families.yolox import match_yolox

if TYPE_CHECKING:
    from onnx import ModelProto

_MATCHERS: Mapping[str, Callable[[Facts], Answer]] = {
    "yolov5": match_yolov5,
    "ssd": match_ssd,
    "rtdetr": match_rtdetr,
    "yolov10": match_end2end,
    "yolo26": match_end2end,
    "picodet": match_picodet,
    "nanodet": match_nanodet,
    "yolox": match_yolox,
    "yolov8": match_yolov8,
}
FAMILIES = tuple(sorted(_MATCHERS))
"""The names that `family` takes."""

UNKNOWN_HEAD_NOTICE = (
    "The model is of no known family: its files are compared by the numbers of their outputs; "
    "--spec FILE can say how these are read."
)

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was found out about a model.

    `reasons`: family -> why it does not fit, for those that were asked. `notices`: assumptions a
    person should know of.
    """

    family: str | None
    task: Task
    preprocess: PreprocessSpec | None = None
    decode: DecodeSpec | None = None
    labels: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def recognise(
    model: ModelProto, family: str | None = None, labels: LabelSource | None = None
) -> Recognition:
    """Recognise an ONNX model with static input shapes (see `prepare`).

    Args:
        model: The model.
        family: One of `FAMILIES` to insist on.
        labels: Class names, or where to read them (see `labels.read_labels`).

    Raises:
        UsageError: `family` is unknown or does not fit; the message says why.
        InputError: `labels` are not as many as the model's classes.
    """
    inputs, outputs = tensor_specs(model)
    return recognise_shapes(
        inputs, outputs, metadata_of(model), gather_evidence(model), family, labels
    )


def metadata_of(model: ModelProto) -> dict[str, str]:
    """The model's metadata_props."""
    return {item.key: item.value for item in model.metadata_props}


def recognise_shapes(
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    metadata: Mapping[str, str],
    evidence: Evidence | None = None,
    family: str | None = None,
    labels: LabelSource | None = None,
) -> Recognition:
    """Recognise a model of any format by its inputs and outputs, and evidence where there is.

    Raises:
        UsageError, InputError: As `recognise`.
    """
    if family is not None and family not in _MATCHERS:
        raise UsageError(
            f"There is no family '{family}'.", f"The families are {', '.join(FAMILIES)}."
        )
    given = read_labels(labels) if labels is not None else None
    names = given if given is not None else parse_names(metadata.get("names", ""))
    asked = [family] if family is not None else list(_MATCHERS)
    picture = find_picture(inputs)
    refusal = _task_reason(metadata) or (picture if isinstance(picture, str) else None)
    rows = per_picture(outputs, 1 if isinstance(picture, str) else picture.batch)
    if isinstance(rows, str):
        refusal = refusal or rows
    else:
        outputs = rows
    if isinstance(picture, str) or refusal is not None:
        answers: dict[str, Answer] = dict.fromkeys(asked, refusal or "")
    else:
        facts = Facts(
            picture=picture,
            outputs=outputs,
            metadata=metadata,
            names=names,
            names_in_file=given is None,
            evidence=evidence,
            forced=family is not None,
        )
        answers = _ask(asked, facts)
    match = next((item for item in answers.values() if isinstance(item, Match)), None)
    reasons = {name: item for name, item in answers.items() if isinstance(item, str)}
    if match is not None:
        return _detector(match, family, given, names, reasons)
    if family is not None:
        raise UsageError(
            f"The model is not of the family {family}: {reasons[family]}.",
            "Leave --family out to see what was recognised, or describe the model with --spec.",
        )
    if _is_classifier(outputs) and metadata.get("task", "classify") == "classify":
        return _classifier(picture, outputs[0], given, names, reasons, "task" in metadata)
    return Recognition(
        family=None,
        task="unknown",
        labels=names or (),
        reasons=reasons,
        notices=(UNKNOWN_HEAD_NOTICE,),
    )


def _ask(asked: list[str], facts: Facts) -> dict[str, Answer]:
    """The answers up to the first match. The end-to-end families share a matcher."""
    answers: dict[str, Answer] = {}
    for name in asked:
        answer = _MATCHERS[name](facts)
        answers[name] = answer
        if isinstance(answer, Match):
            break
    return answers


def _task_reason(metadata: Mapping[str, str]) -> str | None:
    """Ultralytics' models say what they are for; only detection is decoded."""
    task = metadata.get("task", "detect").strip().lower()
    return None if task == "detect" else f"its metadata gives the task '{task[:30]}', not 'detect'"


def _detector(
    match: Match,
    family: str | None,
    given: tuple[str, ...] | None,
    names: tuple[str, ...] | None,
    reasons: Mapping[str, str],
) -> Recognition:
    count = match.decode.class_count
    named = given if given is not None else names
    if named is not None and match.background_label and len(named) == count - 1:
        named = ("background", *named)
    labels, notices = settle_labels(named, count, strict=given is not None)
    return Recognition(
        family=family or match.family,
        task="detect",
        preprocess=match.preprocess,
        decode=match.decode,
        labels=labels,
        reasons=reasons,
        notices=(*match.notices, *notices),
    )


def settle_labels(
    named: tuple[str, ...] | None, count: int, strict: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As many labels as there are classes, and the notices.

    Args:
        named: The names there are, if any.
        count: Of the model's classes.
        strict: A different number is an error, since somebody gave these names for this model;
            otherwise the names (from the file) are dropped with a notice.

    Raises:
        InputError: The numbers differ and `strict` is set.
    """
    if named is None:
        return default_labels(count), (unnamed_notice(count),)
    if strict:
        require_count(named, count)
    if len(named) != count:
        return default_labels(count), (
            f"The file names {len(named)} classes but the model has {count}: the names are not"
            " used. Give the right ones with --labels.",
        )
    return named, ()


def _is_classifier(outputs: tuple[TensorSpec, ...]) -> bool:
    """One output [1, K], or [1, K, 1, 1] in either layout."""
    if len(outputs) != 1 or len(outputs[0].shape) not in (2, 4):
        return False
    batch, *rest = outputs[0].shape
    return batch == 1 and len([length for length in rest if length != 1]) == 1 and min(rest) > 0


def _classifier(
    picture: Picture | str,
    output: TensorSpec,
    given: tuple[str, ...] | None,
    names: tuple[str, ...] | None,
    reasons: Mapping[str, str],
    from_ultralytics: bool,
) -> Recognition:
    """Ultralytics, whose files name their task, only divides by 255; others use ImageNet's mean."""
    named = given if given is not None else names
    labels, notices = settle_labels(named, max(output.shape), strict=given is not None)
    if isinstance(picture, str):
        return Recognition(
            family=None, task="classify", labels=labels, reasons=reasons, notices=notices
        )
    preprocess = picture.preprocess(
        "stretch",
        mean=(0.0, 0.0, 0.0) if from_ultralytics else _IMAGENET_MEAN,
        std=(1.0, 1.0, 1.0) if from_ultralytics else _IMAGENET_STD,
    )
    scaled = "divided by 255, is" if from_ultralytics else "ImageNet's mean and deviation are"
    order = preprocess.channel_order
    assumption = (
        f"A classifier's preprocessing is not in the file; {order}, stretched, {scaled} assumed."
        " A --spec file can say otherwise.",
    )
    return Recognition(
        family=None,
        task="classify",
        preprocess=preprocess,
        labels=labels,
        reasons=reasons,
        notices=(*assumption, *notices),
    )
