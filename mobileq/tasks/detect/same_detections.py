"""Compares a model that ends in its raw head with the one that decodes in the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mobileq.errors import InputError
from mobileq.graph.frontier import between
from mobileq.graph.outline import dims, graph_inputs
from mobileq.graph.trial_run import open_run, random_inputs
from mobileq.spec import ModelSpec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import Candidates, decode
from mobileq.tasks.detect.decode.arrays import picture_outputs
from mobileq.vision.arrays import BoolArray, ByteArray, FloatArray
from mobileq.vision.preprocess import feed_picture

if TYPE_CHECKING:
    from onnx import ModelProto

    Arrays = Mapping[str, npt.NDArray[np.generic]]

BOX_TOLERANCE = 0.01
"""Pixels; boxes far larger than any picture may differ by `_BOX_PART` of their largest value."""
_BOX_PART = 1e-6
SCORE_TOLERANCE = 1e-5
_SPREAD = 2.0
"""Standard deviation of the logits that are drawn: scores and distances of every size."""


def same_detections(
    model: ModelProto,
    raw_model: ModelProto,
    spec: ModelSpec,
    raw_spec: ModelSpec,
    seed: int,
    within: ModelProto | None = None,
) -> str | None:
    """Why the two models do not give the same candidates, or None.

    Both run on two drawn pictures. A picture that nothing is in gives low scores only, so the
    graph's own decoding also gets drawn values in place of its last convolutions'. All candidates
    are compared, before suppression: boxes to 0.01 pixels, scores to 1e-5.

    Args:
        model: Ends in the decoded head.
        raw_model: Ends in the raw head; its outputs are tensors of `within`.
        spec: Of `model`.
        raw_spec: Of `raw_model`.
        seed: Of what is drawn.
        within: `model` itself, if not told, or the same with its last convolutions taken apart.
    """
    if spec.decode is None or spec.preprocess is None or raw_spec.decode is None:
        return "how the outputs become detections is not known"
    comparison = _Comparison(spec.decode, raw_spec.decode, spec)
    try:
        run_decoded, run_raw = open_run(model), open_run(raw_model)
        for inputs in _pictures(model, spec, seed):
            reason = comparison.reason(run_decoded(inputs), run_raw(inputs))
            if reason is not None:
                return f"on a drawn picture, {reason}"
        raw_names = [value.name for value in raw_model.graph.output]
        tail = between(within or model, raw_names, [output.name for output in spec.decode.outputs])
        logits = _logits(tail, raw_names, seed)
        reason = comparison.reason(open_run(tail)({**random_inputs(tail, seed), **logits}), logits)
    except InputError as error:
        return error.message.rstrip(".")
    return None if reason is None else f"on drawn logits, {reason}"


def _pictures(model: ModelProto, spec: ModelSpec, seed: int) -> Iterator[Arrays]:
    """Rectangles on grey, and noise."""
    if spec.preprocess is None or spec.inputs[0].dtype not in ("float32", "uint8"):
        yield from (random_inputs(model, seed + number) for number in range(2))
        return
    generator = np.random.default_rng(seed)
    height, width = spec.preprocess.height, spec.preprocess.width
    drawn: ByteArray = np.full((height, width, 3), 114, np.uint8)
    for _ in range(12):
        top, left = generator.integers(0, height), generator.integers(0, width)
        bottom = top + 1 + generator.integers(0, height // 2 + 1)
        right = left + 1 + generator.integers(0, width // 2 + 1)
        drawn[top:bottom, left:right] = generator.integers(0, 256, 3)
    noise = generator.integers(0, 256, drawn.shape, dtype=np.uint8)
    for picture in (drawn, noise):
        yield feed_picture(spec, picture)[0]


def _logits(tail: ModelProto, names: list[str], seed: int) -> dict[str, FloatArray]:
    generator = np.random.default_rng(seed)
    shapes = {value.name: dims(value) or () for value in graph_inputs(tail)}
    return {
        name: generator.standard_normal(shapes[name], np.float32) * np.float32(_SPREAD)
        for name in names
    }


class _Comparison:
    """Decodes both heads' outputs and says where they differ."""

    def __init__(self, decoded: DecodeSpec, raw: DecodeSpec, spec: ModelSpec) -> None:
        assert spec.preprocess is not None
        self._decoded, self._raw, self._batch = decoded, raw, spec.batch
        self._width, self._height = spec.preprocess.width, spec.preprocess.height

    def reason(self, decoded_outputs: Arrays, raw_outputs: Arrays) -> str | None:
        """Half a sentence about the first picture that differs, or None."""
        for row in range(self._batch):
            reason = self._reason_of(row, decoded_outputs, raw_outputs)
            if reason is not None:
                return reason
        return None

    def _reason_of(self, row: int, decoded_outputs: Arrays, raw_outputs: Arrays) -> str | None:
        expected = self._candidates(self._decoded, decoded_outputs, row)
        given = self._candidates(self._raw, raw_outputs, row)
        if expected.scores is None or given.scores is None:
            return _decided_reason(expected, given)
        if expected.scores.shape != given.scores.shape:
            return f"there are {len(given)} candidates instead of {len(expected)}"
        differ = ~_boxes_agree(expected.xyxy, given.xyxy)
        if np.any(differ):
            by = np.abs(expected.xyxy[differ].astype(np.float64) - given.xyxy[differ])
            return f"boxes differ by up to {by.max():.3g} pixels"
        by = np.abs(expected.scores - given.scores)
        if not np.all(by <= SCORE_TOLERANCE):
            return f"scores differ by up to {by.max():.3g}"
        return None

    def _candidates(self, spec: DecodeSpec, outputs: Arrays, row: int) -> Candidates:
        arrays = {name: array.astype(np.float32) for name, array in outputs.items()}
        arrays = dict(picture_outputs(arrays, row, self._batch))
        return decode(spec, arrays, self._width, self._height)


def _boxes_agree(expected: FloatArray, given: FloatArray) -> BoolArray:
    """Per pair of boxes [..., 4], broadcast. Boxes beyond float32 are alike: none is shown."""
    finite = np.isfinite(expected).all(axis=-1), np.isfinite(given).all(axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(expected).max(axis=-1, keepdims=True, initial=0.0)
        allowed = np.maximum(BOX_TOLERANCE, _BOX_PART * size)
        near = np.all(np.abs(expected - given) <= allowed, axis=-1)
    agree: BoolArray = (finite[0] & finite[1] & near) | ~(finite[0] | finite[1])
    return agree


def _decided_reason(expected: Candidates, given: Candidates) -> str | None:
    """Compare boxes the models have decided on, highest score first.

    Nearly equal scores may come in another order, and of those at the end another one may be in.
    Only below these may there be more: a graph that suppresses has fewer boxes between its own.
    """
    if expected.score is None or expected.class_id is None:
        return "only one of the heads needs suppression"
    if given.score is None or given.class_id is None:
        return "only one of the heads needs suppression"
    if len(given) < len(expected):
        return f"there are {len(given)} candidates instead of {len(expected)}"
    if not len(expected):
        return None
    fits = _boxes_agree(expected.xyxy[:, np.newaxis], given.xyxy[np.newaxis])
    fits &= np.abs(expected.score[:, np.newaxis] - given.score) <= SCORE_TOLERANCE
    fits &= expected.class_id[:, np.newaxis] == given.class_id
    last = float(expected.score.min()) + SCORE_TOLERANCE
    free = np.ones(len(given), np.bool_)
    for row, score in zip(fits, expected.score, strict=True):
        match = np.flatnonzero(row & free)
        if match.size:
            free[match[0]] = False
        elif score > last:
            return f"no candidate is like one of the decoded head's with the score {score:.3g}"
    more = given.score[free & (given.score > last)]
    if more.size:
        return f"there is a candidate with the score {more.max():.3g} that the decoded head has not"
    return None
