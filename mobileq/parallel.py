"""Work on several items at a time, a few of them in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

_PENDING_PER_THREAD = 3
"""Items that wait, are worked on or are done, so that no thread idles while the caller does."""


def in_parallel[T, R](
    function: Callable[[T], R], items: Iterable[T], threads: int
) -> Iterator[tuple[T, R]]:
    """(item, function's result), in the order of the items.

    Who leaves early, by an error or Ctrl-C, waits for what is being worked on and nothing more.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        pending: deque[tuple[T, Future[R]]] = deque()
        for item in items:
            pending.append((item, pool.submit(function, item)))
            if len(pending) >= _PENDING_PER_THREAD * threads:
                done, future = pending.popleft()
                yield done, future.result()
        while pending:
            done, future = pending.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
