"""RF-DETR and LW-DETR: boxes [1, N, 4] and class logits [1, N, C] of N queries, as they are.

Their exports end before the best pairs of query and class are picked: `dets` are centre, width and
height in parts of the picture, `labels` logits of classes each by itself. Source: `PostProcess` and
`export_onnx` of roboflow/rf-detr. DETR has the same shapes, and a softmax with a class for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mobileq.spec import TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.facts import Answer, Facts, Match
from mobileq.tasks.recognition import shape_text

_NAMES = ("dets", "labels")


def match_rfdetr(facts: Facts) -> Answer:
    """Match two outputs by their names and shapes; of a named family by shapes alone."""
    found = boxes_and_logits(facts, lambda output: output.name == _NAMES[0])
    if isinstance(found, str):
        return found
    boxes, logits = found
    if not facts.forced and (boxes.name, logits.name) != _NAMES:
        return f"its outputs are not named {' and '.join(_NAMES)}"
    preprocess = facts.preprocess(
        "stretch", rescale_factor=1.0 / 255.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    return Match(
        family="rfdetr",
        # torchvision's resize, which it is trained and evaluated with, takes means where it shrinks
        preprocess=msgspec.structs.replace(preprocess, antialias=True),
        decode=decode_of(boxes, logits),
        background_label=True,  # classes are numbered as in COCO's files: 0 is none of them
    )


def boxes_and_logits(
    facts: Facts, are_boxes: Callable[[TensorSpec], bool]
) -> tuple[TensorSpec, TensorSpec] | str:
    """The two outputs, or why they are not there. Logits of four classes look like boxes."""
    boxes = [output for output in facts.outputs if output.shape[2:] == (4,)]
    boxes.sort(key=lambda output: not are_boxes(output))
    others = [output for output in facts.outputs if output not in boxes[:1]]
    if len(facts.outputs) == 2 and boxes:
        first, logits = boxes[0], others[0]
        fits = len(logits.shape) == 3 and logits.shape[2] > 0
        if fits and first.shape[0] in (1, -1) and first.shape[:2] == logits.shape[:2]:
            about = facts.about(logits)
            if about is not None and about.starts_squashed:
                return f"its output '{logits.name}' comes from a sigmoid, and is no logits"
            return first, logits
    shapes = ", ".join(map(shape_text, facts.outputs))
    return f"its outputs {shapes} are not boxes [1, N, 4] and logits [1, N, C]"


def decode_of(boxes: TensorSpec, logits: TensorSpec) -> DecodeSpec:
    """Of queries that nothing was picked from yet."""
    return DecodeSpec(
        kind="end2end",
        head="raw",
        class_count=logits.shape[2],
        outputs=(
            HeadOutput(name=boxes.name, role="boxes"),
            HeadOutput(name=logits.name, role="class_logits"),
        ),
        box_format="cxcywh",
        box_unit="normalized",
    )
