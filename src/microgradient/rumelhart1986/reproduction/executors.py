"""Where shares run: in this process, in processes of this machine, on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

_MOST = 61  # processes that a pool may have on Windows
P = ParamSpec("P")
T = TypeVar("T")


class ThisProcess(Executor):
    """Runs each call at once, before ``submit`` returns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as fault:
            future.set_exception(fault)
        return future


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Yield an executor of ``count`` processes, which end with the block, at once if it raises."""
    if count == 1:
        yield ThisProcess()
        return
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    count = min(count, _MOST) if sys.platform == "win32" else count
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
    try:
        yield pool
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Have this process end when its parent does: killed, it would leave its workers waiting."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on the Dask cluster at ``address``, and how many threads it has.

    Raises ImportError without Dask, OSError if nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            "a Dask cluster needs distributed; install it with: pip install 'microgradient[dask]'"
        ) from None
    connect: Any = Client
    with connect(address) as client:
        yield client.get_executor(), sum(client.nthreads().values())
