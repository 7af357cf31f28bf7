"""How boxes are read: the spec of the task `detect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from mobileq.spec.base import (
    HeadKind,
    Meaning,
    Name,
    Pixels,
    Positive,
    Problems,
    ReadingSpec,
    Real,
    Share,
    Spec,
    TensorSpec,
)

DecodeKind = Literal[
    "yolov5", "yolov8", "yolox", "nanodet", "picodet", "split", "end2end", "ssd"
]  # fmt: skip
BoxUnit = Literal["pixel", "normalized"]
BoxFormat = Literal["cxcywh", "xyxy", "yxyx"]
OutputRole = Literal[
    "predictions",  # boxes and scores of all anchors in one tensor
    "class_scores",  # [anchors, classes], after the sigmoid
    "class_logits",  # before the sigmoid
    "box_distribution",  # [anchors, 4 * bins]: logits of the distances left, top, right, bottom
    "box_regression",  # raw box branch of heads without a distribution
    "objectness_logits",
    "boxes",  # [1, N, 4] of an in-graph post-processing, of queries, or of cells
    "classes",  # [1, N]
    "scores",  # [1, N]
    "count",  # [1]
]


_CORNERS: dict[BoxFormat, tuple[int, ...]] = {"xyxy": (0, 1, 2, 3), "yxyx": (1, 0, 3, 2)}


class HeadOutput(Spec, frozen=True, kw_only=True):
    """What one output tensor of a head holds, and for which stride where it is of one only."""

    name: Name
    role: OutputRole
    stride: Pixels | None = None


class DecodeSpec(ReadingSpec, frozen=True, kw_only=True):
    """How output tensors become boxes, scores and classes.

    `anchors` holds, per stride, (width, height) pairs in input pixels (YOLOv5). `reg_max` is the
    number of bins of a box side's distance distribution (DFL: 16, NanoDet: 8), else 0.
    `distance_bins`: the distance each bin stands for, in strides; 0, 1 ... reg_max - 1 where empty
    (a model rebuilt from a quantized one may have 0.945 in place of 1).
    `centre_offset`: where in its cell a raw box's distances begin, in strides; as the kind has it
    where None (0.5, but 0 for a NanoDet of four strides).
    """

    section: ClassVar[str] = "decode"

    kind: DecodeKind
    class_count: Annotated[int, Meta(ge=1, le=10_000)]
    outputs: Annotated[tuple[HeadOutput, ...], Meta(min_length=1)]
    head: HeadKind = "decoded"
    strides: tuple[Pixels, ...] = ()
    anchors: tuple[tuple[tuple[Positive, Positive], ...], ...] = ()
    reg_max: Annotated[int, Meta(ge=0, le=1024)] = 0
    distance_bins: tuple[Real, ...] = ()
    centre_offset: Share | None = None
    box_format: BoxFormat = "cxcywh"
    box_unit: BoxUnit = "pixel"
    score_threshold: Share = 0.25
    iou_threshold: Share = 0.45

    @property
    def label_count(self) -> int:
        """A name for each class."""
        return self.class_count

    @property
    def is_raw(self) -> bool:
        """See `ReadingSpec`."""
        return self.head == "raw"

    @property
    def unfit_for_8_bits(self) -> str | None:
        """See `ReadingSpec`."""
        if self.is_raw:
            return None
        return "gives decoded detections, whose boxes and scores 8 bits can't hold"

    @property
    def summary(self) -> str:
        """See `ReadingSpec`."""
        parts = [f"{self.kind}, {self.class_count} classes"]
        if self.strides:
            parts.append(f"strides {'/'.join(map(str, self.strides))}")
        if self.reg_max:
            parts.append(f"{self.reg_max} bins a side")
        parts.append(f"boxes {self.box_format} in {self.box_unit} units")
        return f"Decoding: {', '.join(parts)}"

    def meanings(self, outputs: tuple[TensorSpec, ...]) -> Mapping[str, Meaning]:
        """See `ReadingSpec`. Of a post-processing in the graph."""
        if self.kind != "ssd" or self.box_unit != "normalized" or self.box_format == "cxcywh":
            return {}
        known = {
            "boxes": Meaning(role="boxes", corners=_CORNERS[self.box_format]),
            "classes": Meaning(role="classes", labels=(0, self.class_count)),
            "scores": Meaning(role="scores", threshold=self.score_threshold),
            "count": Meaning(role="count"),
        }
        return {each.name: known[each.role] for each in self.outputs if each.role in known}

    def contradictions(self, outputs: tuple[TensorSpec, ...]) -> Problems:
        """See `ReadingSpec`."""
        known = [output.name for output in outputs]
        named = [output.name for output in self.outputs]
        for index, name in enumerate(named):
            place = f"outputs[{index}].name"
            if name not in known:
                listed = ", ".join(map(repr, known)) or "none"
                yield place, f"the model has no output '{name}'; its outputs are {listed}"
            elif name in named[:index]:
                yield place, f"'{name}' is named twice"
        if len(set(self.strides)) < len(self.strides):
            yield "strides", "one is there twice"
        if self.distance_bins and len(self.distance_bins) != self.reg_max:
            count = len(self.distance_bins)
            yield "distance_bins", f"{count} of them for a reg_max of {self.reg_max}"
        yield from self._of_head()

    def _of_head(self) -> Problems:
        """What decoding goes through: outputs for each stride, anchors, bins."""
        per_stride = self.head == "raw" or self.kind in ("nanodet", "picodet")
        if self.kind in ("ssd", "split") and per_stride:
            yield "head", f"a head of the kind {self.kind} has no raw outputs; use decoded"
            return
        if per_stride and not self.strides and not self._has_queries:
            yield "strides", f"a {self.head} {self.kind} head needs them"
        if self.kind == "yolov5" and self.head == "raw":
            if len(self.anchors) != len(self.strides):
                yield "anchors", f"of {len(self.anchors)} strides, not {len(self.strides)}"
            elif not all(self.anchors):
                yield "anchors", "a stride has none"
        if not self.reg_max and any(map(self._needs_bins, self.outputs)):
            yield "reg_max", "it is 0, and distances are distributions over that many bins"
        there = {output.role for output in self.outputs}
        missing = [role for role in self._needed_roles if role not in there]
        if missing:
            yield "outputs", f"decoding {self.kind} needs one with the role {missing[0]}"

    @property
    def _has_queries(self) -> bool:
        """Whether boxes and class logits come without cells: a raw RT-DETR."""
        there = {output.role for output in self.outputs}
        return self.kind == "end2end" and there == {"boxes", "class_logits"}

    def _needs_bins(self, output: HeadOutput) -> bool:
        joint = self.kind in ("nanodet", "picodet") and output.role == "predictions"
        return joint or output.role == "box_distribution"

    @property
    def _needed_roles(self) -> tuple[OutputRole, ...]:
        """Those that there is no doubt about."""
        if self.kind == "ssd":
            return "boxes", "classes", "scores"
        if self.kind == "split":
            with_logits = any(output.role == "class_logits" for output in self.outputs)
            return "boxes", "class_logits" if with_logits else "class_scores"
        joint = all(output.role == "predictions" for output in self.outputs)
        if self.head == "raw" and (self.kind == "yolox" or (self.kind == "yolov5" and not joint)):
            return "box_regression", "objectness_logits", "class_logits"
        in_rows = self.head == "decoded" and self.kind not in ("nanodet", "picodet")
        return ("predictions",) if in_rows or self.kind == "yolov5" else ()
