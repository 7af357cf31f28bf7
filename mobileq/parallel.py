"""Work on several items at a time, a few of them in memory."""

from __future__ import annotations

import importlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mobileq.interruption import interrupt

if TYPE_CHECKING:
    from ctypes import CDLL

_PENDING_PER_THREAD = 3
"""Items that wait, are worked on or are done, so that no thread idles while the caller does."""

_OPENBLAS = (("scipy_openblas_", "64_"), ("openblas_", "64_"), ("openblas_", ""))
"""What stands around the names of its functions, in numpy's wheels (2.2) and elsewhere."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products of numpy's OpenBLAS by the thread that asks for them; of the whole process.

    Its threads wait for each other in loops. With two on a busy machine of two cores, rounding the
    weights of a convolution took five times the processor time, and five times as long.
    """
    found = _openblas()
    if found is None:  # another library, which nobody has measured
        yield
        return
    library, before, after = found
    threads = library[f"{before}get_num_threads{after}"]()
    library[f"{before}set_num_threads{after}"](1)
    try:
        yield
    finally:
        library[f"{before}set_num_threads{after}"](threads)


def _openblas() -> tuple[CDLL, str, str] | None:
    import ctypes
    from importlib import import_module

    path = import_module("numpy.linalg._umath_linalg").__file__
    library = ctypes.CDLL(path)  # looked up in what it is linked to as well
    for before, after in _OPENBLAS:
        if hasattr(library, f"{before}set_num_threads{after}"):
            return library, before, after
    return None


@contextmanager
def threads_for(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are waited for at the end; after Ctrl-C not for other processes' answers."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException as error:
        # A generator is closed on the way of a Ctrl-C that came elsewhere.
        if KeyboardInterrupt in (type(error), type(error.__context__)):
            interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def in_parallel[T, R](
    function: Callable[[T], R], items: Iterable[T], threads: int, pause: int = 0
) -> Generator[tuple[T, R], None, None]:
    """(item, function's result), in the order of the items.

    Who leaves early, by an error or Ctrl-C, waits for what is being worked on and nothing more.

    Args:
        pause: After so many items none is begun before the next is asked for.
    """
    with threads_for(threads) as pool:
        pending: deque[tuple[T, Future[R]]] = deque()
        for at, item in enumerate(items):
            while pending and at == pause:
                done, future = pending.popleft()
                yield done, future.result()
            pending.append((item, pool.submit(function, item)))
            if len(pending) >= _PENDING_PER_THREAD * threads:
                done, future = pending.popleft()
                yield done, future.result()
        while pending:
            done, future = pending.popleft()
            yield done, future.result()


def import_ahead(*names: str) -> None:
    """Have modules imported while this thread waits for something else. What fails fails again
    where it is needed."""

    def work() -> None:
        for name in names:
            with suppress(Exception):
                importlib.import_module(name)

    threading.Thread(target=work, name="imports", daemon=True).start()


def ahead[T](items: Iterable[T], count: int) -> Generator[T, None, None]:
    """The items, of which so many are made in advance, in a thread of their own."""
    end = object()
    iterator = iter(items)
    with threads_for(1) as pool:
        pending = deque(pool.submit(next, iterator, end) for _ in range(count))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, iterator, end))
            yield item  # type: ignore[misc]  # `end` is no item
