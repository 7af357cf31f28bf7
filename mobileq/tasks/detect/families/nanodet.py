"""NanoDet and PicoDet: class scores and distance distributions, without batch axis or with.

Either one output [1, cells, classes + 4 * bins], or two per stride, [cells, classes] and
[cells, 4 * bins]. Two for each of four strides are PicoDet's: NanoDet-Plus joins them into one.
Names of exported files do not always fit the tensors, so the pairs are found by shape: outputs of
one stride have as many rows as that stride has cells.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from mobileq.spec import TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput, OutputRole
from mobileq.tasks.detect.families.anchor_free import tell_apart, uncertain_notice
from mobileq.tasks.detect.families.cells import (
    STRIDES,
    cell_counts,
    count_reason,
    find_predictions,
    mask_reason,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match
from mobileq.tasks.recognition import shape_text

_MEAN = (103.53, 116.28, 123.675)
_STD = (57.375, 57.12, 58.395)
"""ImageNet's, as BGR: NanoDet reads pictures with OpenCV, PaddleDetection turns them to RGB."""
_USUAL_BINS = 8
_OF_THE_FIRST = (8, 16, 32)
"""NanoDet's, which keeps the shape of pictures on black (`keep_ratio: True` of its configurations);
NanoDet-Plus has a stride more, and stretches them as PicoDet does."""

_Family = Literal["nanodet", "picodet"]
_Pair = tuple[TensorSpec, TensorSpec]


def match_nanodet(facts: Facts) -> Answer:
    """Match pairs of outputs per stride, or one output of classes and raw distances."""
    if len(facts.outputs) == 1:
        return _match_single(facts)
    return _match_pairs(facts, "nanodet")


def match_picodet(facts: Facts) -> Answer:
    """Match pairs of outputs for each of four strides."""
    if len(facts.outputs) != 8 and not facts.forced:
        return f"it has {len(facts.outputs)} outputs, not two for each of four strides"
    return _match_pairs(facts, "picodet")


def _match_pairs(facts: Facts, family: _Family) -> Answer:
    pairs = _pairs_by_stride(facts)
    if isinstance(pairs, str):
        return pairs
    ordered = _classes_first(facts, pairs)
    if isinstance(ordered, str):
        return ordered
    class_count, values = ordered[0][0].shape[-1], ordered[0][1].shape[-1]
    reason = count_reason(facts, class_count)
    if reason:
        return reason
    strides = tuple(pairs)
    outputs: list[HeadOutput] = []
    notices: tuple[str, ...] = ()
    for stride, (classes, boxes) in zip(strides, ordered, strict=True):
        about = facts.about(classes)
        if about is None:
            notices = ("The class outputs are taken to be scores, after the sigmoid.",)
        role: OutputRole = (
            "class_scores" if about is None or "Sigmoid" in about.ops else "class_logits"
        )
        outputs.append(HeadOutput(name=classes.name, role=role, stride=stride))
        outputs.append(HeadOutput(name=boxes.name, role="box_distribution", stride=stride))
    return _match(facts, family, class_count, values // 4, strides, tuple(outputs), notices)


def _match(
    facts: Facts,
    family: _Family,
    class_count: int,
    bins: int,
    strides: tuple[int, ...],
    outputs: tuple[HeadOutput, ...],
    notices: tuple[str, ...],
) -> Match:
    bgr = family == "nanodet"
    mean, std = (_MEAN, _STD) if bgr else (_MEAN[::-1], _STD[::-1])
    preprocess = facts.preprocess("stretch", bgr=bgr, mean=mean, std=std)
    if bgr and strides == _OF_THE_FIRST:
        preprocess = replace(preprocess, resize_mode="letterbox", pad_value=0)
    return Match(
        family=family,
        preprocess=preprocess,
        decode=DecodeSpec(
            kind=family,
            class_count=class_count,
            outputs=outputs,
            strides=strides,
            reg_max=bins,
            box_format="xyxy",
        ),
        notices=notices,
    )


def _match_single(facts: Facts) -> Answer:
    found = find_predictions(facts)
    if isinstance(found, str):
        return found
    verdict = tell_apart(facts, found)
    if verdict.family != "nanodet" and not facts.forced:
        return f"it is more like {verdict.family}: {verdict.because}"
    about = facts.about(found.output)
    named = len(facts.names) if facts.names is not None else None
    pieces = () if about is None else about.pieces.get(found.channels, ())
    if len(pieces) == 2:
        values = pieces[1].channels
    else:
        values = found.channels - named if named is not None else 4 * _USUAL_BINS
    class_count = found.channels - values
    if values < 8 or values % 4 or class_count < 1:
        return f"{found.channels} values are no class scores and 4 distance distributions"
    reason = mask_reason(facts) or count_reason(facts, class_count)
    if reason:
        return reason
    outputs = (HeadOutput(name=found.output.name, role="predictions"),)
    notices = uncertain_notice(verdict, facts)
    return _match(facts, "nanodet", class_count, values // 4, found.strides, outputs, notices)


def _pairs_by_stride(facts: Facts) -> dict[int, _Pair] | str:
    """Stride -> its two outputs, in the file's order; all outputs must be in a pair."""
    by_rows: dict[int, list[TensorSpec]] = {}
    for output in facts.outputs:
        shape = output.shape[1:] if len(output.shape) == 3 else output.shape
        if len(shape) != 2 or (len(output.shape) == 3 and output.shape[0] != 1):
            return f"its output '{output.name}' {shape_text(output)} is no [cells, values]"
        by_rows.setdefault(shape[0], []).append(output)
    for strides in STRIDES:
        cells = cell_counts(facts.picture.width, facts.picture.height, strides)
        groups = [by_rows.get(count, []) for count in cells]
        if set(cells) == set(by_rows) and all(len(group) == 2 for group in groups):
            return {
                stride: (group[0], group[1]) for stride, group in zip(strides, groups, strict=True)
            }
    expected = cell_counts(facts.picture.width, facts.picture.height, STRIDES[0])
    return f"its {len(facts.outputs)} outputs are no pairs of {', '.join(map(str, expected))} rows"


def _classes_first(facts: Facts, pairs: dict[int, _Pair]) -> list[_Pair] | str:
    """The pairs with the class output first: the one a sigmoid made, or the one of fitting width.

    With as many classes as distance values (32, say) only the graph can tell.
    """
    ordered: list[_Pair] = []
    for one, two in pairs.values():
        chosen = _choose(facts, one, two)
        if chosen is None:
            return f"it is unclear which of '{one.name}' and '{two.name}' holds the classes"
        ordered.append(chosen)
    widths = {(classes.shape[-1], boxes.shape[-1]) for classes, boxes in ordered}
    if len(widths) != 1:
        return "the strides have different numbers of values"
    ((_, values),) = widths
    if values < 8 or values % 4:
        return f"{values} values are no 4 distance distributions"
    return ordered


def _choose(facts: Facts, one: TensorSpec, two: TensorSpec) -> _Pair | None:
    sigmoids = [
        about is not None and "Sigmoid" in about.ops
        for about in (facts.about(one), facts.about(two))
    ]
    if sigmoids[0] != sigmoids[1]:
        return (one, two) if sigmoids[0] else (two, one)
    first, second = one.shape[-1], two.shape[-1]
    if facts.names is not None and (first == len(facts.names)) != (second == len(facts.names)):
        return (one, two) if first == len(facts.names) else (two, one)
    usual = 4 * _USUAL_BINS
    if (first == usual) != (second == usual):
        return (two, one) if first == usual else (one, two)
    return None
