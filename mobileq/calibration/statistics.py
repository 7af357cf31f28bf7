"""Statistics of a float ONNX model's activations: one pass over the samples feeds every estimator.

`mobileq.calibration.taps` says which tensors are looked at, and `derivations` which follow from
others. The pass takes about half as long again as running the model; `benchmarks/
statistics_speed.py` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.calibration.observers import Batch, TensorObserver, TensorStatistics
from mobileq.calibration.taps import (
    HIGHS,
    LOWS,
    Plan,
    Tap,
    flat_step,
    instrument,
    make_plan,
    places_of,
)
from mobileq.errors import InputError
from mobileq.onnx_runtime.sweep import sweep
from mobileq.progress import Progress, tracked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BUFFERED_SAMPLES = 16
"""numpy's cost per call is shared by this many samples."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of each tensor by its ONNX name, in graph order, over `sample_count` samples.

    A tensor that was empty, or never wholly finite, is not in it.
    """

    tensors: dict[str, TensorStatistics]
    sample_count: int


@dataclass(frozen=True)
class FirstLook:
    """Somebody who wants to see what the first samples say, and may have seen enough.

    Attributes:
        count: How many; all, if there are no more.
        see: Is called once with their statistics. No other sample is run before it returns, or
            at all where it raises.
    """

    count: int
    see: Callable[[Statistics], None]

    def order(self, total: int) -> tuple[range, range]:
        """In which samples are run: the last first, since files are decided and reported on by the
        first."""
        others = max(0, total - self.count)
        return range(others, total), range(others)


def collect(
    model_bytes: bytes,
    tensor_names: Sequence[str] | None,
    samples: Iterable[Mapping[str, NDArray[Any]]],
    progress: Progress,
    count: int | None = None,
    threads: int = 2,
    first: FirstLook | None = None,
) -> Statistics:
    """Run the model on every sample and keep the statistics of its float32 activations.

    Minimum and maximum, also per channel (axis 1 of 4-D tensors with up to 2048), are over every
    value. Histogram, mean and variance are over a regular subsample: of [N, C, H, W] about
    `sqrt(H * W) / 2` positions in each channel (at least 8, and 512 values, if there are so many),
    with odd steps and the rest left out evenly at both ends; of other tensors up to 2048 values.
    The histogram also has the extremes of every sample and channel, as what they are: single
    values, while a value of the subsample stands for many. So the ends of a distribution, which
    decide about clipping, are not left to chance. Of samples in which the tensor has NaN or
    infinite values nothing is taken.

    What follows from another tensor is derived from its extremes and subsample: activation
    functions, concatenations over channels, reshapes. There the minimum of x * sigmoid(x) is the
    function's own, -0.278, in every channel where x comes to lie on both sides of it.

    Args:
        model_bytes: An ONNX file.
        tensor_names: Which tensors; None for graph inputs and all node outputs that are not
            constant.
        samples: {input name: array} for each run. Up to `3 * threads + 1` are in memory at a time.
        progress: Is told of every sample.
        count: Number of samples, if known.
        threads: How many samples are run at the same time.
        first: What it raises ends the pass.

    Raises:
        InputError: A tensor is not in the model, the model cannot be loaded or run, or there are
            no samples.
    """
    import onnx

    model = onnx.load_model_from_string(model_bytes)
    plan = make_plan(model, tensor_names)
    collector = Collector(plan, first)
    runs = sweep(instrument(model, plan), samples, threads, collector.pause)
    for feeds, outputs in tracked(runs, progress, "Collecting statistics", count):
        collector.add(feeds, outputs)
    return collector.statistics()


class Collector:
    """Gathers the taps of a few samples, then hands them to the tensors' observers."""

    def __init__(self, plan: Plan, first: FirstLook | None = None) -> None:
        self._plan, self._first = plan, first
        self._observers = {name: TensorObserver() for name in plan.names}
        self._buffer = _Buffer(plan.taps)
        self._sample_count = 0

    @property
    def pause(self) -> int:
        """After how many samples someone is shown what they say, 0 for none."""
        return self._first.count if self._first is not None else 0

    def add(self, feeds: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Take in one sample: what it is made of, and what `add_taps` has the model give."""
        self._sample_count += 1
        if self._plan.taps:
            self._buffer.add(outputs)
        if self._buffer.is_full:
            self._flush()
        for name in self._plan.whole:
            self._observe_whole(name, feeds[name] if name in feeds else outputs[name])
        if self._first is not None and self._sample_count == self._first.count:
            self._first.see(self._seen())

    def statistics(self) -> Statistics:
        """What was seen.

        Raises:
            InputError: There are no samples.
        """
        if self._sample_count == 0:
            raise InputError("There are no calibration samples.", "Give at least one picture.")
        seen = self._seen()
        if self._first is not None and self._sample_count < self._first.count:
            self._first.see(seen)
        return seen

    def _seen(self) -> Statistics:
        self._flush()
        found = {
            name: observer.statistics(name in self._plan.per_channel)
            for name, observer in self._observers.items()
        }
        known = {name: each for name, each in found.items() if each is not None}
        return Statistics(known, self._sample_count)

    def _flush(self) -> None:
        """Observe what is buffered."""
        batches: dict[str, Batch] = {}
        for name, batch in self._buffer.batches():
            batches[name] = batch
            self._observe(name, batch)
        for name, derivation in self._plan.derived.items():
            if all(source in batches for source in derivation.sources):
                batches[name] = derivation.derive(batches)
                self._observe(name, batches[name])
        self._buffer.clear()

    def _observe(self, name: str, batch: Batch) -> None:
        if name in self._observers:  # others are looked at for what follows from them
            self._observers[name].update(batch)

    def _observe_whole(self, name: str, array: Any) -> None:
        import numpy as np

        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.size == 0:
            return  # its type was not known before
        flat = array.reshape(-1)
        low, high = flat.min().reshape(1, 1), flat.max().reshape(1, 1)
        values = flat[:: flat_step(flat.size, array.shape)].reshape(1, 1, -1)
        self._observe(name, Batch(values, low, high, flat.size))


class _Buffer:
    """Extremes and subsamples of a few samples, in arrays that are used again and again."""

    def __init__(self, taps: Sequence[Tap]) -> None:
        import numpy as np

        self._taps = taps
        channel_count = sum(tap.channel_count for tap in taps)
        self._low = np.empty((_BUFFERED_SAMPLES, channel_count), np.float32)
        self._high = np.empty_like(self._low)
        self._values: dict[str, NDArray[np.float32]] = {}
        self._filled = 0

    @property
    def is_full(self) -> bool:
        return self._filled == _BUFFERED_SAMPLES

    def add(self, outputs: Mapping[str, Any]) -> None:
        """Copy what the taps of one sample gave."""
        import numpy as np

        self._low[self._filled] = outputs[LOWS]
        self._high[self._filled] = outputs[HIGHS]
        for tap in self._taps:
            sample = outputs[tap.sample]
            if tap.strides is not None:
                sample = sample[..., places_of(tap.shape[3], tap.strides[1])].swapaxes(0, 1)
            if tap.name not in self._values:
                shape = (_BUFFERED_SAMPLES, tap.channel_count, *sample.shape[1:])
                self._values[tap.name] = np.empty(shape, np.float32)
            self._values[tap.name][self._filled] = sample
        self._filled += 1

    def batches(self) -> Iterator[tuple[str, Batch]]:
        """(tensor name, what was added since `clear`). Views, to be used before the next `add`."""
        if self._filled == 0:
            return
        filled, start = slice(0, self._filled), 0
        for tap in self._taps:
            channels = slice(start, start + tap.channel_count)
            start = channels.stop
            yield (
                tap.name,
                Batch(
                    self._values[tap.name][filled].reshape(self._filled, tap.channel_count, -1),
                    self._low[filled, channels],
                    self._high[filled, channels],
                    math.prod(tap.shape),
                ),
            )

    def clear(self) -> None:
        """Forget what was added."""
        self._filled = 0
