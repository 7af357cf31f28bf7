"""YOLOX: [1, cells, 5 + classes], sigmoids applied.

The usual export leaves the grid and `exp` to the reader. With `decode_in_inference` the graph has
applied them, which the spec says by naming no strides. YOLOv6 exports the same rows, decoded.
"""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.anchor_free import tell_apart, uncertain_notice
from mobileq.tasks.detect.families.cells import (
    Predictions,
    count_reason,
    extra_outputs_notice,
    find_predictions,
    mask_reason,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_of


def match_yolox(facts: Facts) -> Answer:
    """Match one anchor per cell with an objectness."""
    found = find_predictions(facts)
    if isinstance(found, str):
        return found
    verdict = tell_apart(facts, found)
    if verdict.family != "yolox" and not facts.forced:
        return f"it is more like {verdict.family}: {verdict.because}"
    if found.channels < 6:
        return f"{found.channels} values per anchor are too few for a box, objectness and classes"
    class_count = found.channels - 5
    reason = mask_reason(facts) or count_reason(facts, class_count)
    if reason:
        return reason
    decoded, notices = _is_decoded(facts, found)
    return Match(
        family="yolox",
        preprocess=facts.preprocess("letterbox_top_left", bgr=True),
        decode=DecodeSpec(
            kind="yolox",
            class_count=class_count,
            outputs=(HeadOutput(name=found.output.name, role="predictions"),),
            strides=() if decoded else found.strides,
            box_unit=box_unit_of(found.output),
        ),
        notices=(
            *uncertain_notice(verdict, facts),
            *notices,
            *extra_outputs_notice(facts, found.output),
        ),
    )


def _is_decoded(facts: Facts, found: Predictions) -> tuple[bool, tuple[str, ...]]:
    """Whether the boxes are finished: more than a convolution's bare values went into them."""
    about = facts.about(found.output)
    if about is None:
        return False, (
            "The boxes are taken to be undecoded, as YOLOX is usually exported;"
            " where the graph decodes them, give strides = [] in [decode] of a --spec file.",
        )
    if "Exp" in about.ops:
        return True, ()
    pieces = about.pieces.get(found.channels, ())
    if pieces and not pieces[0].untouched:
        return True, (
            "The boxes are decoded in the graph without exp, as YOLOv6 does; YOLOv6 wants RGB,"
            " 1/255 and a centred letterbox, which a --spec file can say.",
        )
    return False, ()
