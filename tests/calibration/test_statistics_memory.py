"""How a pass goes: its progress, its memory, its threads."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mobileq.calibration.statistics import collect
from mobileq.progress import Silent

from .networks import network, pictures, run


class Listener(Silent):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, int | None]] = []
        self.advanced = 0

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Any]:
        self.told.append((name, total))
        yield self._advance

    def _advance(self) -> None:
        self.advanced += 1


def test_progress_is_told_of_every_sample() -> None:
    listener = Listener()
    collect(network(8), None, iter(pictures(19, 1, 3, 8, 8)), listener, 19)
    assert listener.told == [("Collecting statistics", 19)]
    assert listener.advanced == 19


def test_few_samples_are_in_memory_at_a_time() -> None:
    alive, most = 0, 0

    class Tracked(dict[str, np.ndarray]):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def feeds() -> Iterator[Tracked]:
        nonlocal alive, most
        for each in pictures(30, 1, 3, 8, 8):
            alive += 1
            most = max(most, alive)
            yield Tracked(each)
            del each

    run(network(8), feeds())
    assert most <= 8


def test_memory_does_not_grow_with_the_samples() -> None:
    model = network(24)

    def feeds(count: int) -> Iterator[dict[str, np.ndarray]]:
        random = np.random.default_rng(0)
        for _ in range(count):
            yield {"x": random.normal(size=(1, 3, 24, 24)).astype(np.float32)}

    def peak(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        run(model, feeds(count))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(20)
    few, many = peak(40), peak(200)
    assert many < few * 1.05 + 50_000


def test_threads_end_with_the_pass() -> None:
    run(network(8), pictures(4, 1, 3, 8, 8))
    deadline = time.monotonic() + 120
    while [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
