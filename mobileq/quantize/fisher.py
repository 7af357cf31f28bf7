"""How much the task's error rises where an activation is off: from gradients, without labels.

Let g be the gradient, with respect to an activation, of a sum of what the task compares, with signs
drawn at random (`Reference.slopes`). The activation being off by d, the mean of (g . d)^2 over the
signs is, to first order in d, the error of the answers. Errors of rounding and clipping taken as
independent, that is the sum of g^2 d^2 over the values: the diagonal of the Fisher information.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.calibration.purposes import purposes
from mobileq.calibration.quantization_error import ErrorModel
from mobileq.calibration.statistics import Statistics
from mobileq.errors import MobileqError
from mobileq.onnx_runtime import Guest
from mobileq.page import plural
from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.spec import ModelSpec, TensorRanges
from mobileq.tasks.base import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]

_THREADS = 2


@dataclass(frozen=True)
class Gradients:
    """How many are looked at: of how many samples, each run there and back, and of large tensors
    one in how many values."""

    samples: int
    stride: int


FEW = Gradients(48, 3)
"""Of ranges by more it was not shown that they leave a smaller error on other pictures."""
MANY = Gradients(64, 1)
"""Where no op can be float instead, and the weights' fitting takes longer anyway."""


def with_importance(
    statistics: Statistics,
    onnx: Path,
    model: ModelProto,
    spec: ModelSpec,
    samples: Iterable[Feeds],
    progress: Progress,
    fixed: Collection[str] = (),
    gradients: Gradients = FEW,
) -> Statistics:
    """The statistics, each tensor that a gradient reaches with its `importance`.

    Where a tensor is for one function only, the gradient is that of the function's result. What
    tensors go without it, or all of them where the way back can't be run, is told.

    Args:
        onnx: The float model's file, and
        model: what is in it.
        samples: Some of the statistics', {input name: array} for each run, as many as `gradients`
            tells.
        fixed: Types of ops that give tensors whose ranges are settled, and no importance is asked.
    """
    known = purposes(model, task_of(spec).sigmoids)
    settled = {name for node in model.graph.node if node.op_type in fixed for name in node.output}
    # Errors of probabilities near 0 weigh without bound: a range for these would hold no others.
    last = {value.name for value in model.graph.output}
    settled |= {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Softmax" and node.output[0] in last
    }
    bins = {
        name: {
            "width": tensor.histogram.width,
            "first": tensor.histogram.first,
            "count": len(tensor.histogram.counts),
            "result": name if name not in known else known[name].result or name,
        }
        for name, tensor in statistics.tensors.items()
        if name not in settled
    }
    fields = {
        "model": str(onnx.absolute()),
        "spec": msgspec.to_builtins(spec),
        "bins": bins,
        "stride": gradients.stride,
    }
    try:
        count = min(gradients.samples, statistics.sample_count)
        numbered = tracked(enumerate(samples), progress, "Gradients", count)
        stopped, mean = _averaged(onnx, fields, numbered)
    except MobileqError as error:
        progress.notice(f"Ranges are chosen without the task's gradients: {error.message}")
        return statistics
    missing = bins.keys() - mean.keys()
    if missing and stopped:
        progress.notice(
            f"{plural(len(missing), 'range')} of {len(bins)} are chosen without the task's "
            f"gradients, which don't go through {', '.join(sorted(set(stopped.values())))}."
        )
    tensors = dict(statistics.tensors)
    for name, squares in mean.items():
        tensor = tensors[name]
        if squares.any():  # else nothing that the task compares depends on it
            importance = replace(tensor.histogram, counts=squares)
            tensors[name] = replace(tensor, importance=importance)
    return replace(statistics, tensors=tensors)


def expected_errors(
    model: ModelProto, spec: ModelSpec, statistics: Statistics, ranges: TensorRanges
) -> dict[str, float]:
    """{tensor: error of the task where it alone is rounded to its range, in 8 bits}

    Of tensors that have an `importance`. To first order, and as if errors of values that are
    rounded had nothing to do with each other.
    """
    import numpy as np

    known = purposes(model, task_of(spec).sigmoids)
    found = {}
    for name, tensor in statistics.tensors.items():
        importance, span = tensor.importance, ranges.get(name)
        if importance is None or span is None or span.min == span.max:
            continue
        function = known[name].function if name in known else None
        told = ErrorModel(replace(tensor, histogram=importance), 8, function)
        (each,) = told.errors(np.array([span.min]), np.array([span.max]))
        found[name] = float(each * importance.counts.sum())
    return found


def _averaged(
    onnx: Path, fields: dict[str, Any], numbered: Iterable[tuple[int, Feeds]]
) -> tuple[dict[str, str], dict[str, NDArray[np.float64]]]:
    """Tensors that no gradient reaches, with the type of op in the way; and of the others the
    squared gradients in bins, a sample's on average.

    Raises: As `Session`, and as iterating the samples does.
    """
    with closing(Guest("mobileq.quantize.fisher_handler:FisherHandler", onnx)) as there:
        stopped: dict[str, str] = there.request("begin", fields)[0]["stopped"]

        def run(numbered: tuple[int, Feeds]) -> Mapping[str, NDArray[np.float64]]:
            seed, feeds = numbered
            return there.request("sample", {"seed": seed}, feeds)[1]

        count = 0
        total: dict[str, NDArray[np.float64]] = {}
        # In the samples' order, whichever is done first: sums are the same in every run.
        for _, new in in_parallel(run, numbered, _THREADS):
            count += 1
            for name, each in new.items():
                total[name] = total[name] + each if name in total else each
    return stopped, {name: each / count for name, each in total.items()}
