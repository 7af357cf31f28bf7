"""YOLOv10, YOLO26 and exports with suppression in the graph: [1, N, 6].

Rows are x1, y1, x2, y2 in pixels, score, class; they are final.
"""

from __future__ import annotations

from mobileq.spec import TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.cells import mask_reason, strides_of
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_of
from mobileq.tasks.recognition import shape_text

_NAMED = ("yolov10", "yolo26")
_USUAL_BINS = 16


def match_end2end(facts: Facts) -> Answer:
    """Match rows of six; the model's name comes from the metadata, or from its box branch."""
    output = final_rows(facts)
    if isinstance(output, str):
        return output
    about = facts.about(output)
    bins = _USUAL_BINS if about is None else about.softmax_bins
    family, origin = _family(facts, bins)
    class_count, questions = facts.class_count()
    return Match(
        family=family,
        preprocess=facts.preprocess("letterbox", rescale_factor=1.0 / 255.0),
        decode=DecodeSpec(
            kind="end2end",
            class_count=class_count,
            outputs=(HeadOutput(name=output.name, role="predictions"),),
            strides=(8, 16, 32),
            reg_max=bins,
            box_format="xyxy",
            box_unit=box_unit_of(output),
        ),
        notices=origin,
        questions=questions,
    )


def final_rows(facts: Facts) -> TensorSpec | str:
    """The output [1, N, 6], or why there is none."""
    rows = [item for item in facts.outputs if len(item.shape) == 3 and item.shape[2] == 6]
    if len(rows) != 1 or rows[0].shape[0] not in (1, -1):
        return f"no output is [1, N, 6] ({', '.join(map(shape_text, facts.outputs))})"
    count = rows[0].shape[1]
    per_cell = next((n for n in (1, 3) if strides_of(facts, count, n) is not None), None)
    if per_cell is not None and not facts.forced:
        return f"its {count} rows are all anchors of a {'1' if per_cell == 1 else '3'}-anchor head"
    return mask_reason(facts) or rows[0]


def _family(facts: Facts, bins: int) -> tuple[str, tuple[str, ...]]:
    """The family's name, and a notice where it is only the nearest one."""
    described = facts.metadata.get("description", "").strip()
    for family in _NAMED:
        if family in described.lower():
            return family, ()
    if facts.evidence is not None and not bins:
        # YOLO26 gave up the distance distribution that YOLOv10 still has.
        return "yolo26", ()
    named = (
        f"The file's description is '{described[:60]}'"
        if described
        else "The file does not name its model"
    )
    return "yolov10", (f"{named}; its final [1, N, 6] rows are read like YOLOv10's.",)
