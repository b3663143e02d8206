"""Work for several processes, here or on a cluster, any of which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeAlias, TypeVar

from litehedge.cluster import Cluster
from litehedge.errors import UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")

Workers: TypeAlias = int | Cluster | None
"""Who works: so many processes here, one per core (None), or the cores of a cluster.

Results are the same, bit for bit.
"""


def in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    what: str,
    *,
    processes: Workers = None,
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
    done: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Return what `work` makes of every item, in their order.

    Parameters
    ----------
    what
        What a process does, for the error: "fits a baseline".
    processes
        How many at once, or whose.
    begin, given
        What every process calls first, and with what.
    done
        Told each result as it comes.

    Raises
    ------
    UsageError
        When a process died, as one does that is killed for memory. (A `multiprocessing.Pool` would
        wait for its work forever.)
    ClusterError
        When a cluster lost too many workers for one item, or is gone.
    """
    if isinstance(processes, Cluster):
        return processes.each(
            work, items, what, begin=begin, given=given, done=lambda at, result: done(result)
        )
    count = max(1, min(processes or os.cpu_count() or 1, len(items)))
    context = multiprocessing.get_context("spawn")  # a fork would copy numba's threads half-way
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_begin, initargs=(begin, given)
    ) as pool:
        try:
            futures = [pool.submit(work, item) for item in items]
            for future in as_completed(futures):
                done(future.result())
        except BrokenProcessPool:
            raise UsageError(
                f"a process that {what} died; memory may have run out",
                "run it again with fewer at once: --processes 1 needs least",
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)  # a process that still lives ends its work first
            raise
    return [future.result() for future in futures]


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    if begin is not None:
        begin(*given)
