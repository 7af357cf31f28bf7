"""Ranges of what goes into an activation function, by what its rounding does to what comes out.

x * sigmoid(x) is nearly the same for x = -6 and for x = -60. A range for the x themselves spends
half its levels on that difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.quantize.simulate import affine
from mobileq.spec import TensorRange, TensorRanges

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

    from mobileq.calibration.observers import Histogram
    from mobileq.calibration.statistics import Statistics

    Array = NDArray[np.float64]
    Function = Callable[[Array], Array]

_FRACTIONS = 48
_SMALLEST_FRACTION = 1 / 64


def narrow(model: ModelProto, statistics: Statistics, ranges: TensorRanges) -> TensorRanges:
    """The ranges, with those of tensors that only a sigmoid or a SiLU takes cut where it is flat.

    Of the ends that are tried (fractions of the range's own, one end after the other) those are
    taken that have the least expected squared error behind the function, over the tensor's
    histogram. The upper end of what a SiLU takes stays: x * sigmoid(x) is never flat there.

    Args:
        model: The prepared float model.
        statistics: Of its activations.
        ranges: Any estimator's.
    """
    takers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            takers.setdefault(name, []).append(node)
    outputs = {value.name for value in model.graph.output}
    found = dict(ranges)
    for name in ranges:
        function = _function(name, takers)
        if function and name in statistics.tensors and name not in outputs:
            histogram = statistics.tensors[name].histogram
            found[name] = _best(ranges[name], function, *_values(histogram))
    return found


def _sigmoid(values: Array) -> Array:
    import numpy as np

    result: Array = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def _silu(values: Array) -> Array:
    return values * _sigmoid(values)


def _function(name: str, takers: dict[str, list[NodeProto]]) -> Function | None:
    """What becomes of the tensor, where that is a sigmoid or a SiLU and nothing else."""
    nodes = takers.get(name, [])
    sigmoids = [node for node in nodes if node.op_type == "Sigmoid"]
    if len(sigmoids) != 1:
        return None
    if len(nodes) == 1:
        return _sigmoid
    products = [node for node in nodes if node.op_type == "Mul"]
    if len(nodes) == 2 and len(products) == 1 and sigmoids[0].output[0] in products[0].input:
        return _silu
    return None


def _values(histogram: Histogram) -> tuple[Array, Array]:
    """Middle of each bin that holds something, and how much."""
    filled = histogram.counts > 0
    return histogram.centers()[filled], histogram.counts[filled]


def _best(start: TensorRange, function: Function, values: Array, counts: Array) -> TensorRange:
    import numpy as np

    wanted = function(values)

    def error(low: float, high: float) -> float:
        scale, zero = affine(TensorRange(min=low, max=high))
        codes = np.clip(np.rint(values / scale) + zero, 0, 255)
        return float(counts @ (function((codes - zero) * scale) - wanted) ** 2)

    low, high = start.min, start.max
    fractions = np.geomspace(1.0, _SMALLEST_FRACTION, _FRACTIONS)
    for _ in range(2):
        low = min((float(start.min * part) for part in fractions), key=lambda end: error(end, high))
        if function is _sigmoid:
            high = min(
                (float(start.max * part) for part in fractions), key=lambda end: error(low, end)
            )
    return TensorRange(min=low, max=high)
