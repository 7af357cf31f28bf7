"""From calibration samples to what every target needs: ranges, and the ops that stay float."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mobileq.errors import UsageError
from mobileq.progress import Progress
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.sensitivity import GroupSensitivity, keep_float, rank_groups
from mobileq.quantize.simulate import Simulator
from mobileq.spec import Spec, TensorRange

if TYPE_CHECKING:
    import numpy.typing as npt

    Feeds = Mapping[str, npt.NDArray[Any]]

CALIBRATOR: Final = "mse"
"""The range with the least expected squared error, over the histogram of each tensor."""
_RANKED_SAMPLES = 2


class QuantPlan(Spec, frozen=True, kw_only=True):
    """What to quantize and how, by the ONNX model's tensor names.

    `keep_float` names, for each op that stays float, the tensor that it gives.
    """

    calibrator: str
    ranges: dict[str, TensorRange]
    keep_float: tuple[str, ...]
    sensitivities: tuple[GroupSensitivity, ...] = ()


def plan_quantization(
    model_bytes: bytes,
    samples: Callable[[], Iterable[Feeds]],
    count: int,
    patterns: Sequence[str],
    progress: Progress,
) -> QuantPlan:
    """Collect statistics, choose ranges, and find the few ops that make most of the noise.

    Args:
        model_bytes: The prepared float model.
        samples: Gives the calibration inputs, as often as asked.
        count: How many there are.
        patterns: Regular expressions (`re.search`) on tensor names; ops that give a tensor that
            one of them matches stay float whatever they cost.

    Raises:
        UsageError: A pattern matches nothing.
        re.error: A pattern is no regular expression.
    """
    import onnx

    from mobileq.calibration.ranges import estimate
    from mobileq.calibration.statistics import collect

    model = onnx.load_model_from_string(model_bytes)
    groups = find_groups(model)
    wanted = matching_groups(groups, patterns)
    statistics = collect(model_bytes, None, samples(), progress, count)
    ranges = estimate(statistics, CALIBRATOR)
    simulator = Simulator(model, groups, ranges)
    ranked = rank_groups(simulator, list(islice(samples(), _RANKED_SAMPLES)), progress)
    kept = {*keep_float(ranked), *wanted}
    return QuantPlan(
        calibrator=CALIBRATOR,
        ranges=ranges,
        keep_float=tuple(group.name for group in groups if group.name in kept),
        sensitivities=ranked,
    )


def matching_groups(groups: Sequence[OpGroup], patterns: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        expression = re.compile(pattern)
        names = {
            group.name for group in groups if any(expression.search(name) for name in group.tensors)
        }
        if not names:
            raise UsageError(
                f"--keep-float {pattern!r} matches no op's output.",
                "Use the names of the ONNX model's tensors.",
            )
        found |= names
    return found
