"""How far a model's candidates are from the float model's, where these stand for cells."""

from __future__ import annotations

import math

import numpy as np

from mobileq.spec import ModelSpec, PreprocessSpec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.base import Compared, Outputs
from mobileq.tasks.detect.candidate_error import LEAST_SCORE, Anchors, CandidateReference
from mobileq.tasks.detect.decode import Candidates, anchor_count, decode_some
from mobileq.tasks.detect.decode.arrays import picture_outputs
from mobileq.tasks.detect.decode.vjp import decode_vjp
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.nms import Thresholds, select
from mobileq.tasks.noise import NoiseReference
from mobileq.vision.arrays import BoolArray, FloatArray

_ANSWERS = Thresholds.evaluation()
UNSEEN = 1e-3
"""A picture in which the float model sees nothing says little: its noise breaks ties only."""


def has_candidates(decode_spec: DecodeSpec) -> bool:
    """Whether cells can be compared one by one. Rows that are sorted in the graph can't be."""
    return decode_spec.head == "raw" or decode_spec.kind not in ("end2end", "ssd")


class DetectReference:
    """The float model's outputs of one sample, which others are held against.

    They are decoded once, and those of the others once for all that is asked of them; but for cells
    that neither model takes for an object, where the head can be told so.
    """

    def __init__(
        self, spec: ModelSpec, decode_spec: DecodeSpec, preprocess: PreprocessSpec,
        outputs: Outputs, answers: bool,
    ) -> None:  # fmt: skip
        self._spec, self._decode, self._preprocess = spec, decode_spec, preprocess
        self._outputs, self._noise, self._answers = outputs, NoiseReference(outputs), answers
        self._candidates: CandidateReference | None = None
        self.answer: Detections | None = None
        if has_candidates(decode_spec) or answers:
            candidates = self._decoded(outputs)
            if has_candidates(decode_spec):
                self._candidates = CandidateReference(candidates, self._anchors())
            self.answer = _chosen(candidates) if answers else None

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs; its detections are in model-input pixels."""
        noise = self._noise.noise(found)
        if self._candidates is None and not self._answers:
            return Compared(noise, noise)
        candidates, error = self._decoded(found), noise
        if self._candidates is not None:
            known = self._candidates.error(candidates)
            error = noise * UNSEEN if known is None else known
        return Compared(error, noise, _chosen(candidates) if self._answers else None)

    def error(self, found: Outputs) -> float:
        """Works out nothing else."""
        if self._candidates is None or not self._candidates.has_objects:
            return self.compare(found).error
        known = self._candidates.error(self._decoded(found))
        return self._noise.noise(found) * UNSEEN if known is None else known

    def slopes(self, random: np.random.Generator) -> dict[str, FloatArray]:
        """See `Reference.slopes`."""
        if self._candidates is None:
            return self._noise.slopes(random)
        own = dict(picture_outputs(self._outputs, 0, self._spec.batch))
        # Decoding leaves out cells whose scores are no numbers: nobody knows which the others are.
        unknown = any(np.isnan(np.min(each, initial=0.0)) for each in own.values())
        if unknown or not self._candidates.has_objects:
            part = np.float32(math.sqrt(UNSEEN))
            return {name: found * part for name, found in self._noise.slopes(random).items()}
        width, height = self._preprocess.width, self._preprocess.height
        found = decode_vjp(self._decode, own, width, height, self._candidates.slopes(random))
        if self._spec.batch == 1:
            return found
        whole = {name: np.zeros(each.shape, np.float32) for name, each in self._outputs.items()}
        for name, first in picture_outputs(whole, 0, self._spec.batch).items():
            first[...] = found[name]
        return whole

    def _anchors(self) -> Anchors | None:
        """What else can be asked of the reference's cells."""
        count = anchor_count(self._decode, self._preprocess.width, self._preprocess.height)
        if count is None:
            return None

        def scores(wanted: BoolArray) -> FloatArray:
            found = self._decode_some(self._outputs, math.inf, wanted).scores
            assert found is not None
            return found

        return Anchors(count, scores)

    def _decoded(self, outputs: Outputs) -> Candidates:
        """All candidates, or those that are an object of the reference's or of their own."""
        seen = self._candidates.seen if self._candidates is not None else None
        least = min(LEAST_SCORE, _ANSWERS.score) if self._answers else LEAST_SCORE
        return self._decode_some(outputs, least, seen)

    def _decode_some(
        self, outputs: Outputs, least: float, always: BoolArray | None = None
    ) -> Candidates:
        # Of a batch, the first picture stands for all; the noise is that of all.
        own = dict(picture_outputs(outputs, 0, self._spec.batch))
        width, height = self._preprocess.width, self._preprocess.height
        return decode_some(self._decode, own, width, height, least, always)


def _chosen(candidates: Candidates) -> Detections:
    return select(candidates, _ANSWERS)
