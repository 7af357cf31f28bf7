"""What each channel of a tensor counts for the task, from gradients as `fisher` has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.calibration.samples import Sample
from mobileq.errors import MobileqError
from mobileq.external.framing import Arrays
from mobileq.logfile import logger
from mobileq.onnx_runtime import Guest
from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HANDLER = "mobileq.quantize.channel_handler:ChannelHandler"
_THREADS = 2
_STAGE = "Gradients of channels"


def channel_squares(
    onnx: Path,
    spec: ModelSpec,
    tensors: Collection[str],
    samples: Iterable[Sample],
    progress: Progress,
) -> dict[str, NDArray[np.float64]]:
    """{tensor: of each channel the sum of its squared gradients, the mean over the samples [C]}

    Of those that a gradient reaches which is not 0; none where the way back can't be run, which
    whoever chooses ranges by gradients is told of as well.

    Args:
        onnx: The float model's file.
        tensors: [N, C, H, W].

    Raises: As iterating the samples does.
    """
    import numpy as np

    found: dict[str, NDArray[np.float64]] = {}
    count = 0
    try:
        with closing(Guest(_HANDLER, onnx)) as there:
            fields = {
                "model": str(onnx.absolute()),
                "spec": msgspec.to_builtins(spec),
                "tensors": sorted(tensors),
            }
            there.request("begin", fields)

            def ask(numbered: tuple[int, Sample]) -> Arrays:
                seed, sample = numbered
                return there.request("sample", {"seed": seed}, sample.feeds)[1]

            runs = in_parallel(ask, enumerate(samples), _THREADS)
            for _, sums in tracked(runs, progress, _STAGE, None):
                count += 1
                for name, each in sums.items():
                    found[name] = found.get(name, 0) + each.astype(np.float64)
    except MobileqError as error:
        logger().info("channels are scaled without gradients: %s", error.message)
        return {}
    means = {name: each / count for name, each in found.items()}
    return {name: each for name, each in means.items() if np.isfinite(each).all() and each.any()}
