"""Counts the cells of a detector's grids: how output lengths are recognised.

A stride s makes ceil(height / s) * ceil(width / s) cells; the strides' cells follow one another.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mobileq.spec import TensorSpec
from mobileq.spec.decode import BoxFormat, BoxUnit
from mobileq.tasks.detect.families.facts import Facts

STRIDES = (
    (8, 16, 32),
    (8, 16, 32, 64),
    (4, 8, 16, 32),
    (16, 32),
)
"""Ordinary heads; P6, NanoDet-Plus and PicoDet; P2 for small objects; YOLOv3-tiny."""
ANCHORS_PER_CELL = (1, 3)
"""Of heads without anchors, and of YOLOv3 to YOLOv7."""


def cell_counts(width: int, height: int, strides: tuple[int, ...]) -> tuple[int, ...]:
    """Number of cells of each stride."""
    return tuple(math.ceil(height / stride) * math.ceil(width / stride) for stride in strides)


def strides_of(facts: Facts, count: int, anchors_per_cell: int = 1) -> tuple[int, ...] | None:
    """The strides whose cells add up to `count` anchors, or None."""
    for strides in STRIDES:
        cells = cell_counts(facts.picture.width, facts.picture.height, strides)
        if anchors_per_cell * sum(cells) == count:
            return strides
    return None


class BoxLayout(NamedTuple):
    """How decoded boxes of cells are to be read.

    `strides` in the order of the cells; `offset`: where in its cell a box has its middle where all
    its sides are alike, in strides.
    """

    box_format: BoxFormat
    box_unit: BoxUnit
    strides: tuple[int, ...]
    anchors_per_cell: int = 1
    offset: float = 0.5

    @property
    def centre_offset(self) -> float | None:
        """Where the distances of a head without anchors begin; None in the middle of a cell."""
        is_usual = self.anchors_per_cell > 1 or abs(self.offset - 0.5) < 0.005
        return None if is_usual else abs(round(self.offset, 2))


class Predictions(NamedTuple):
    """An output that holds one row of `channels` values per anchor, in either axis order."""

    output: TensorSpec
    channels: int
    anchors: int
    channels_first: bool
    strides: tuple[int, ...]


def find_predictions(facts: Facts, anchors_per_cell: int = 1) -> Predictions | str:
    """The output [1, A, C] or [1, C, A] in which A counts the cells, or why there is none."""
    rows = [output for output in facts.outputs if len(output.shape) == 3 and output.shape[0] == 1]
    for output in rows:
        _, first, last = output.shape
        for anchors, channels, channels_first in ((first, last, False), (last, first, True)):
            strides = strides_of(facts, anchors, anchors_per_cell)
            if strides is not None and channels > 4:
                found = Predictions(output, channels, anchors, channels_first, strides)
                return _split_reason(facts, found) or found
    cells = anchors_per_cell * sum(
        cell_counts(facts.picture.width, facts.picture.height, STRIDES[0])
    )
    if not rows:
        return f"no output is [1, {cells}, values]"
    shapes = ", ".join(str(list(output.shape)) for output in rows)
    return f"no axis of {shapes} is {cells} long, the anchors of a {_size(facts)} picture"


def _split_reason(facts: Facts, found: Predictions) -> str | None:
    """Why the rows are not whole, where another output has as many of other values: the boxes, say,
    of YOLO-NAS, DAMO-YOLO and YOLOv4."""
    for output in facts.outputs:
        lengths = sorted(length for length in output.shape if length != 1)
        others = {found.anchors, found.channels} ^ set(lengths)
        if found.anchors not in lengths or len(lengths) > 2 or not others:
            continue
        values = next((length for length in lengths if length != found.anchors), 1)
        if values == 4 or not facts.forced:
            return (
                f"its output '{found.output.name}' has {found.channels} values a row and "
                f"'{output.name}' {values} more: boxes and scores seem to be outputs of their own"
            )
    return None


def _size(facts: Facts) -> str:
    return f"{facts.picture.width}x{facts.picture.height}"


def mask_reason(facts: Facts) -> str | None:
    """Why a model with mask prototypes, [1, 32, h/4, w/4], is no plain detector."""
    for output in facts.outputs:
        if len(output.shape) == 4 and 32 in (output.shape[1], output.shape[3]):
            return f"its output '{output.name}' {list(output.shape)} holds masks: segmentation"
    return None


def last_piece_reason(facts: Facts, found: Predictions) -> str | None:
    """Why the last channels are no class scores: no sigmoid went over them (mask coefficients)."""
    about = facts.about(found.output)
    pieces = () if about is None else about.pieces.get(found.channels, ())
    if not pieces or pieces[-1].activated:
        return None
    return f"its last {pieces[-1].channels} values are no class scores; perhaps mask coefficients"


def count_reason(facts: Facts, class_count: int) -> str | None:
    """Why the channels do not fit the class names in the file, or None.

    Names given by option are compared later, as an error.
    """
    if facts.names is None or not facts.names_in_file or len(facts.names) == class_count:
        return None
    named = len(facts.names)
    extra = class_count - named
    kind = {32: ", like mask coefficients", 51: ", like 17 keypoints", 1: ", like an angle"}
    return (
        f"its output has room for {class_count} classes, but {named} are named:"
        f" {abs(extra)} values {'more' if extra > 0 else 'fewer'}{kind.get(extra, '')}"
    )


def extra_outputs_notice(facts: Facts, *used: TensorSpec) -> tuple[str, ...]:
    """A notice about outputs that are not read (raw feature maps of older exports)."""
    read = [f"'{output.name}'" for output in used]
    others = [f"'{output.name}'" for output in facts.outputs if output not in used]
    if not others:
        return ()
    return (f"Detections are read from {' and '.join(read)}; {', '.join(others)} are not needed.",)
