"""Studies run in shares of seeds by any executor: processes, a cluster, MPI.

A share is a study, which must pickle, and some of its seeds. Which share a seed is in, and who runs
it, changes nothing of its outcome. A worker that is lost costs its share, which is run again: one
at a time, if all that ran were lost with it, so that one which kills its worker is found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile
from microgradient.rumelhart1986.study import Outcome, Study

_SECONDS = 15.0  # about how long a share takes: what is lost when a run ends early
_FIRST = 4  # seeds of the first share, by which it is seen how long one takes
_GROWTH = 8  # of a share against the one before
_LOSSES = 3  # how often a share may be lost with its worker before that is an error

Executors = Callable[[], AbstractContextManager[Executor]]
"""Makes an executor: once more when the last one broke."""


@dataclass
class Progress:
    """How far a run has come: networks trained, and seconds that are left, None if unknown."""

    done: int
    total: int
    seconds_left: float | None
    ended: Study | None = None
    """The study whose last network this was, if it was one."""


@dataclass
class _Share:
    queue: _Queue
    seeds: list[int]
    losses: int = 0


@dataclass
class _Queue:
    """The seeds of one study that are still to train."""

    study: Study
    missing: list[int]
    running: int = 0
    seconds: float | None = None  # of one network, by the last share
    size: int = 0
    lost: list[_Share] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether a share may start: the first one runs alone, to tell how long one takes."""
        return bool(self.lost or self.missing) and not (self.seconds is None and self.running)

    @property
    def seconds_left(self) -> float:
        return (self.seconds or 0.0) * len(self.missing)

    def next(self) -> _Share:
        if self.lost:
            return self.lost.pop()
        if self.seconds is None:
            self.size = _FIRST
        else:
            fitting = int(_SECONDS / max(self.seconds, 1e-9))
            self.size = max(1, min(_GROWTH * self.size, fitting))
        seeds, self.missing = self.missing[: self.size], self.missing[self.size :]
        return _Share(self, seeds)


def run_studies(
    studies: Sequence[Study],
    seeds: int,
    results: OutcomesFile,
    executors: Executors,
    workers: int,
) -> Iterator[Progress]:
    """Train each study from the seeds that have no outcome in ``results``; yield after each share.

    At most ``workers`` shares run at once. Outcomes are on disk before the progress is yielded.
    Raises what a share raised, RuntimeError if a share was lost several times with its worker.
    """
    queues = [_Queue(study, results.missing(study, seeds)) for study in studies]
    total = sum(len(queue.missing) for queue in queues)
    done, suspects = 0, False
    while any(queue.missing or queue.lost for queue in queues):
        with executors() as executor:
            running: dict[Future[tuple[list[Outcome], float]], _Share] = {}
            broken = False
            while not broken:
                suspects = suspects and any(queue.lost for queue in queues)
                limit = 1 if suspects else workers
                broken = not _submit(queues, running, executor, limit)
                if not running:
                    break
                ended, _ = wait_for(running, return_when=FIRST_COMPLETED)
                failure: BaseException | None = None
                for future in ended:
                    share = running.pop(future)
                    share.queue.running -= 1
                    try:
                        found, seconds = future.result()
                    except BaseException as fault:
                        if _is_loss(fault):
                            _put_back(share, fault)
                            broken = broken or isinstance(fault, BrokenExecutor)
                        else:
                            failure = fault
                        continue
                    results.add(share.queue.study, found)
                    share.queue.seconds = seconds / len(share.seeds)
                    done += len(share.seeds)
                    yield _progress(queues, share.queue, done, total, workers)
                if failure is not None:
                    raise failure
            for share in running.values():  # of the executor that broke
                share.queue.running -= 1
                share.queue.lost.append(share)
            suspects = suspects or broken


def _submit(
    queues: Sequence[_Queue],
    running: dict[Future[tuple[list[Outcome], float]], _Share],
    executor: Executor,
    limit: int,
) -> bool:
    """Start shares until ``limit`` are running; return False if the executor is broken.

    Shares that were lost come first.
    """
    while len(running) < limit and (ready := [queue for queue in queues if queue.is_ready]):
        queue = max(ready, key=_urgency)
        share = queue.next()
        try:
            future = executor.submit(_timed, queue.study, share.seeds)
        except BrokenExecutor:
            queue.lost.append(share)
            return False
        queue.running += 1
        running[future] = share
    return True


def _progress(
    queues: Sequence[_Queue], queue: _Queue, done: int, total: int, workers: int
) -> Progress:
    last = not (queue.missing or queue.lost or queue.running)
    return Progress(done, total, _seconds_left(queues, workers), queue.study if last else None)


def _urgency(queue: _Queue) -> tuple[bool, bool, float]:
    """Return what is to start first: what was lost, was not tried yet, takes longest."""
    return bool(queue.lost), queue.seconds is None, queue.seconds_left


def _seconds_left(queues: Sequence[_Queue], workers: int) -> float | None:
    if any(queue.seconds is None and (queue.missing or queue.running) for queue in queues):
        return None
    return sum(queue.seconds_left for queue in queues) / workers


def _is_loss(fault: BaseException) -> bool:
    """Return whether a worker was lost, by the types that executors raise then."""
    is_dask = type(fault).__module__.partition(".")[0] == "distributed"
    return is_dask or isinstance(fault, (BrokenExecutor, CancelledError))


def _put_back(share: _Share, fault: BaseException) -> None:
    share.losses += 1
    if share.losses >= _LOSSES:
        name, seeds = share.queue.study.name, share.seeds
        raise RuntimeError(
            f"{name}: the seeds {seeds[0]} to {seeds[-1]} lost their worker {share.losses} times; "
            "it may need more memory"
        ) from fault
    share.queue.lost.append(share)


def _timed(study: Study, seeds: Sequence[int]) -> tuple[list[Outcome], float]:
    """Train a study in this thread; return the outcomes, and how many seconds that took."""
    start = time.perf_counter()
    return study.outcomes(seeds, 1), time.perf_counter() - start
