"""How large a model's values become, seen in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.progress import Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from mobileq.spec import ModelSpec

_SEED = 20240229


def largest_values(model: ModelProto, spec: ModelSpec) -> dict[str, float]:
    """The largest magnitude of each float32 activation, on a picture of noise."""
    from mobileq.calibration.ranges import estimate
    from mobileq.calibration.statistics import collect
    from mobileq.graph.trial_run import random_inputs

    feeds: dict[str, NDArray[Any]] = dict(random_inputs(model, _SEED))
    if spec.preprocess is not None and spec.inputs[0].dtype == "float32":
        feeds[spec.inputs[0].name] = _noise(spec)
    statistics = collect(model.SerializeToString(), None, [feeds], Silent())
    ranges = estimate(statistics, "min_max")
    return {name: max(-found.min, found.max) for name, found in ranges.items()}


def _noise(spec: ModelSpec) -> NDArray[Any]:
    """Of all that a pixel can be, as the model takes it."""
    import numpy as np

    preprocess = spec.preprocess
    assert preprocess is not None
    pixels = np.random.default_rng(_SEED).integers(0, 256, spec.inputs[0].shape)
    shape = [1, 1, 1, 1]
    shape[1 if preprocess.layout == "NCHW" else 3] = -1
    mean, std = (np.reshape(v, shape) for v in (preprocess.image_mean, preprocess.image_std))
    return np.asarray((pixels * preprocess.rescale_factor - mean) / std, np.float32)
