"""The child's side of `hosted`: layers are fitted where their sessions are, so that no activation
goes through a pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.parallel import one_blas_thread
from mobileq.protobuf import write_model
from mobileq.quantize.repairs.bias_correction import correct_bias
from mobileq.quantize.repairs.compensated_rounding import round_about_means
from mobileq.quantize.repairs.layerwise import Revise, Walk, most_samples
from mobileq.quantize.repairs.weight_rounding import round_weights
from mobileq.spec import TensorRange

REVISIONS: Final[Mapping[str, Revise]] = {
    "weight-rounding": round_weights,
    "compensated-rounding": round_about_means,
    "bias-correction": correct_bias,
}


class LayerHandler:
    """Methods as `mobileq.external.child` calls them, one after the other."""

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Load the `model` whose layers the `repair` revises; `ranges` and `keep_float` as `Walk`
        has them. Gives how many `samples` are wanted at most, and `steps`."""
        self._model = onnx.load(fields["model"])
        self._ranges = msgspec.convert(fields["ranges"], dict[str, TensorRange])
        self._keep_float, self._revise = fields["keep_float"], REVISIONS[fields["repair"]]
        self._samples: deque[dict[str, Any]] = deque()
        self._walk: Walk | None = None
        return {"samples": most_samples(self._model), "steps": len(self._model.graph.node)}, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """One more of them."""
        self._samples.append(arrays)
        return {}, {}

    def step(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """The next op, once all samples are there."""
        if self._walk is None:
            self._walk = Walk(
                self._model, self._samples, self._ranges, self._keep_float, self._revise
            )
            self._samples = deque()
        # Many small products, between which the layers themselves are run by two threads.
        with one_blas_thread():
            self._walk.step()
        return {}, {}

    def write(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """The revised model, to `path`."""
        write_model(self._model, Path(fields["path"]))
        return {}, {}
