"""Threads for large tiles: the same numbers whatever their count, because work is cut by its size alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Part = tuple[int, int]
Result = TypeVar("Result")

# Multiplications of a part that are worth a thread of their own: a few hundred microseconds.
PART_WORK = 1 << 24

_pool: ThreadPoolExecutor | None = None


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let updates and reads of large tiles run on several threads inside a ``with`` block.

    Results do not depend on `count`, to the last bit. The linear algebra library gets one thread for each of ours.

    Parameters
    ----------
    count
        Number of threads, >= 1.

    Raises
    ------
    ValueError
        If count is below 1.
    """
    global _pool
    if count < 1:
        raise ValueError(f"count = {count} is not allowed; at least 1 thread")
    before = _pool
    with threadpool_limits(limits=1):
        _pool = ThreadPoolExecutor(count) if count > 1 else None
        try:
            yield
        finally:
            if _pool is not None:
                _pool.shutdown()
            _pool = before


def parts_of(count: int, work: int, *, least: int = 1) -> list[Part]:
    """Return ranges of `count` things that cost `work` multiplications together, each of at least `least` things."""
    size = max(least, -(-count * PART_WORK // max(work, 1)))
    return [(begin, min(begin + size, count)) for begin in range(0, count, size)]


def do_parts(function: Callable[[int, int], Result], parts: Sequence[Part]) -> list[Result]:
    """Call a function for each range, on the threads that are allowed, and return what it gives in order."""
    if _pool is None or len(parts) < 2:
        return [function(*part) for part in parts]
    return list(_pool.map(lambda part: function(*part), parts))
