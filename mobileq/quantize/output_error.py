"""How far the outputs of a quantized model are from those of the float model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.spec import DecodeSpec, ModelSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    from mobileq.tasks.detect.decode import Candidates
    from mobileq.tasks.detect.detections import Detections

Outputs = Mapping[str, "npt.NDArray[Any]"]


def has_candidates(spec: ModelSpec) -> bool:
    """Whether cells can be compared one by one. Rows that are sorted in the graph can't be."""
    decode = spec.decode
    if decode is None or spec.preprocess is None:
        return False
    return decode.head == "raw" or decode.kind not in ("end2end", "ssd")


@dataclass(frozen=True)
class Compared:
    """What one run of another model gave.

    Attributes:
        error: Of its candidates where they can be compared, else `noise`.
        noise: Noise power over signal power, the mean of all outputs: 10^(-SQNR/10).
        detections: In model-input pixels; None where none were asked for, or the outputs can't be
            decoded.
    """

    error: float
    noise: float
    detections: Detections | None = None


class Reference:
    """The float model's outputs of one sample, which others are held against.

    They are decoded once, and those of the others once for all that is asked of them.
    """

    def __init__(self, spec: ModelSpec, outputs: Outputs, detect: bool = False) -> None:
        from mobileq.tasks.detect.candidate_error import CandidateReference

        self._spec, self._outputs = spec, outputs
        self._detect = detect and spec.decode is not None and spec.preprocess is not None
        self._powers = {name: _power(values) for name, values in outputs.items()}
        self._candidates: CandidateReference | None = None
        self.detections: Detections | None = None
        if has_candidates(spec) or self._detect:
            candidates = self._decoded(outputs)
            self._candidates = CandidateReference(candidates) if has_candidates(spec) else None
            self.detections = _chosen(candidates) if self._detect else None

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs. Those that are the reference's own arrays cost nothing."""
        noise = self._noise(found)
        error, detections = noise, None
        if self._candidates is not None or self._detect:
            candidates = self._decoded(found)
            if self._candidates is not None:
                known = self._candidates.error(candidates)
                error = noise * _UNSEEN if known is None else known
            detections = _chosen(candidates) if self._detect else None
        return Compared(error, noise, detections)

    def _decoded(self, outputs: Outputs) -> Candidates:
        from mobileq.tasks.detect.decode import decode
        from mobileq.tasks.detect.decode.arrays import picture_outputs

        preprocess = self._spec.preprocess
        assert preprocess is not None
        size = preprocess.width, preprocess.height
        # Of a batch, the first picture stands for all; the noise is that of all.
        own = picture_outputs(outputs, 0, self._spec.batch)
        # All cells, also those whose score noise makes less than nothing.
        return decode(self._decode_spec, dict(own), *size, -math.inf)

    @property
    def _decode_spec(self) -> DecodeSpec:
        assert self._spec.decode is not None
        return self._spec.decode

    def _noise(self, found: Outputs) -> float:
        import numpy as np

        shares = []
        for name, wanted in self._outputs.items():
            if found[name] is wanted:
                shares.append(0.0)
                continue
            difference = np.subtract(found[name], wanted, dtype=np.float32)
            if not math.isfinite(self._powers[name]):
                difference = difference[np.isfinite(wanted)]  # the float model has no numbers there
            error = _power(difference)
            if not math.isfinite(error):
                shares.append(_NO_NUMBERS)
                continue
            signal = self._powers[name]
            if not math.isfinite(signal):
                signal = _power(wanted[np.isfinite(wanted)])
            shares.append(error / signal if signal > 0.0 else float(error > 0.0))
        return sum(shares) / len(shares)


_NO_NUMBERS = 1e6
"""Share of outputs that hold NaN or infinity where the reference does not."""
_UNSEEN = 1e-3
"""A picture in which the float model sees nothing says little: its noise breaks ties only."""


def _chosen(candidates: Candidates) -> Detections:
    from mobileq.tasks.detect.nms import Thresholds, select

    return select(candidates, Thresholds.evaluation())


def _power(values: npt.NDArray[Any]) -> float:
    import numpy as np

    flat = np.asarray(values, np.float32).reshape(-1)
    return float(np.square(flat).sum(dtype=np.float64))
