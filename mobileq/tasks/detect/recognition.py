"""Tells whether a model is a detector: every family is asked, and those that do not fit say why."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping

from mobileq.errors import InputError
from mobileq.graph.outline import DYNAMIC
from mobileq.spec import ModelSpec, ReadingSpec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.coco_classes import BUILTIN_LABELS
from mobileq.tasks.detect.evidence import gather_evidence
from mobileq.tasks.detect.families.end2end import match_end2end
from mobileq.tasks.detect.families.facts import Answer, Facts, Match
from mobileq.tasks.detect.families.nanodet import match_nanodet, match_picodet
from mobileq.tasks.detect.families.rfdetr import match_rfdetr
from mobileq.tasks.detect.families.rtdetr import match_rtdetr
from mobileq.tasks.detect.families.split import SplitFamily, match_split
from mobileq.tasks.detect.families.ssd import match_ssd
from mobileq.tasks.detect.families.yolov5 import match_yolov5
from mobileq.tasks.detect.families.yolov8 import match_yolov8
from mobileq.tasks.detect.families.yolox import match_yolox
from mobileq.tasks.recognition import Claim, ModelFacts, Reasons, per_picture


def _split(family: SplitFamily) -> Callable[[Facts], Answer]:
    return functools.partial(match_split, named=family)


_MATCHERS: Mapping[str, Callable[[Facts], Answer]] = {
    "yolov5": match_yolov5,
    "yolonas": _split("yolonas"),
    "damoyolo": _split("damoyolo"),
    "ppyoloe": _split("ppyoloe"),
    "yolov4": _split("yolov4"),
    "ssd": match_ssd,
    "rtdetr": match_rtdetr,
    "rfdetr": match_rfdetr,
    "yolov10": match_end2end,
    "yolo26": match_end2end,
    "picodet": match_picodet,
    "nanodet": match_nanodet,
    "yolox": match_yolox,
    "yolov8": match_yolov8,
}
_MOST_VALUES = 2**25
"""Of outputs that decoding is tried on."""

FAMILIES = tuple(sorted(_MATCHERS))
READING: type[ReadingSpec] | None = DecodeSpec
LABELS = BUILTIN_LABELS


def claim(facts: ModelFacts, family: str | None) -> Claim | Reasons:
    """See `mobileq.tasks.recognition.Recogniser`."""
    asked = list(_MATCHERS) if family is None else [family]
    known = _facts_of(facts, forced=family is not None)
    if isinstance(known, str):
        return dict.fromkeys(asked, known)
    reasons: dict[str, str] = {}
    for name in asked:
        answer = _MATCHERS[name](known)
        if isinstance(answer, Match):
            return _claim(answer, family)
        reasons[name] = answer
    return reasons


def _facts_of(facts: ModelFacts, forced: bool) -> Facts | str:
    """What the families look at, or why none of them has to."""
    if facts.named_task not in (None, "detect"):
        return f"its metadata gives the task '{facts.named_task}', not 'detect'"
    if isinstance(facts.picture, str):
        return facts.picture
    if isinstance(facts.rows, str):
        return facts.rows
    evidence = None
    if facts.index is not None:
        names = [output.name for output in facts.outputs]
        evidence = gather_evidence(facts.index, names, facts.picture.height)
    return Facts(
        picture=facts.picture,
        outputs=facts.rows,
        metadata=facts.metadata,
        names=facts.names,
        names_in_file=facts.names_in_file,
        evidence=evidence,
        forced=forced,
    )


def _claim(match: Match, family: str | None) -> Claim:
    return Claim(
        task="detect",
        family=family or match.family,
        preprocess=match.preprocess,
        reading=match.decode,
        class_count=match.decode.class_count,
        has_background=match.background_label,
        notices=match.notices,
        questions=match.questions,
    )


def misfit(spec: ModelSpec) -> str | None:
    """Why outputs of such shapes can't be decoded so, by trying it on zeros."""
    import numpy as np

    from mobileq.tasks.detect.decode import decode

    if spec.decode is None or spec.preprocess is None:
        return None
    rows = per_picture(spec.outputs, spec.batch)
    if isinstance(rows, str):
        return rows
    shapes = {output.name: output.shape for output in rows}
    is_fixed = DYNAMIC not in itertools.chain(*shapes.values())
    if not is_fixed or sum(map(math.prod, shapes.values())) > _MOST_VALUES:
        return None
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    try:
        decode(spec.decode, zeros, spec.preprocess.width, spec.preprocess.height, 1.0)
    except InputError as error:
        return error.message.rstrip(".")
    return None
