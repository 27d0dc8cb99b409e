"""Studies run in shares: in processes, on a cluster, with workers that are lost."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import pytest

from microgradient.rumelhart1986.reproduction import shares
from microgradient.rumelhart1986.reproduction.executors import dask_cluster, processes
from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile
from microgradient.rumelhart1986.reproduction.shares import run_studies
from microgradient.rumelhart1986.study import Outcome
from studies import Failing, Interrupted, Killing, Noting, Squares

pytestmark = pytest.mark.once

SEEDS = 40
HERE = partial(processes, 1)


def run(studies, results, executors=HERE, workers=1, seeds=SEEDS):
    return list(run_studies(studies, seeds, results, executors, workers))


def expected(study, seeds=SEEDS):
    return study.outcomes(range(seeds), 1)


def test_every_seed_is_trained_once_and_progress_says_how_far(tmp_path):
    results, studies = OutcomesFile(tmp_path), [Noting("a", str(tmp_path)), Squares("b")]
    told = run(studies, results)
    assert [results.of(study, SEEDS) for study in studies] == [expected(Squares())] * 2
    trained = (tmp_path / "trained").read_text().split()
    assert sorted(map(int, trained)) == list(range(SEEDS))
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert (told[-1].done, told[-1].total, told[-1].seconds_left) == (2 * SEEDS, 2 * SEEDS, 0.0)
    assert {one.ended.name for one in told if one.ended} == {"a", "b"}
    assert told[0].seconds_left is None  # nobody knows how long the other study takes
    assert run(studies, results) == []
    assert [one.total for one in run(studies, results, seeds=SEEDS + 3)][-1] == 6


@pytest.mark.parametrize("workers", [2, 3])
def test_executors_do_not_change_outcomes(tmp_path, workers):
    results = OutcomesFile(tmp_path)
    with ThreadPoolExecutor(workers) as pool:
        run([Squares()], results, partial(nullcontext, pool), workers)
    assert results.of(Squares(), SEEDS) == expected(Squares())
    assert OutcomesFile(tmp_path).of(Squares(), SEEDS) == expected(Squares())


def test_shares_grow_to_about_the_seconds_they_may_take(tmp_path, monkeypatch):
    sizes = []

    def timed(study, seeds):
        sizes.append(len(seeds))
        return study.outcomes(seeds, 1), 0.1 * len(seeds)

    monkeypatch.setattr(shares, "_timed", timed)
    run([Squares()], OutcomesFile(tmp_path), seeds=1000)
    assert sizes[:3] == [shares._FIRST, 8 * shares._FIRST, 150]
    assert sum(sizes) == 1000
    assert max(sizes) == 150  # 15 seconds


def test_a_lost_worker_costs_its_share(tmp_path):
    study, results = Killing("killed", str(tmp_path)), OutcomesFile(tmp_path)
    run([study, Squares()], results, partial(processes, 2), 2, seeds=12)
    assert (tmp_path / "killed").read_text() == "x"
    assert results.of(study, 12) == expected(Squares(), 12)
    assert results.of(Squares(), 12) == expected(Squares(), 12)
    trained = (tmp_path / "trained").read_text().split()
    assert trained.count("5") == 2
    assert trained.count("0") == 1


def test_workers_that_are_lost_between_shares_cost_nothing(tmp_path):
    results = OutcomesFile(tmp_path)
    killed = 0
    for _ in run_studies([Squares("a"), Squares("b")], SEEDS, results, partial(processes, 2), 2):
        if killed < 2:
            killed += 1
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
    assert killed == 2
    for name in ("a", "b"):
        assert results.of(Squares(name), SEEDS) == expected(Squares())


def test_what_ended_beside_a_fault_is_kept(tmp_path, monkeypatch):
    """Both shares have ended when they are looked at."""
    results = OutcomesFile(tmp_path)
    wait = shares.wait_for
    monkeypatch.setattr(shares, "wait_for", lambda futures, return_when: wait(futures))
    monkeypatch.setattr(shares, "_FIRST", SEEDS)
    with pytest.raises(ValueError, match="seed 7"), ThreadPoolExecutor(2) as pool:
        run([Failing("f"), Squares()], results, partial(nullcontext, pool), 2)
    assert results.of(Squares(), SEEDS) == expected(Squares())


def test_a_share_that_kills_every_worker_is_an_error(tmp_path):
    study, results = Killing("killed", str(tmp_path), times=9), OutcomesFile(tmp_path)
    with pytest.raises(RuntimeError, match="killed: the seeds 4 to 11 lost their worker 3 times"):
        run([study], results, partial(processes, 2), 2, seeds=12)
    assert results.of(study, 12) == expected(Squares(), 4)


@pytest.mark.parametrize("count", [1, 2])
def test_what_a_share_raises_is_raised_and_what_ended_is_kept(tmp_path, count):
    for study, kind in ((Failing("f"), ValueError), (Interrupted("i"), KeyboardInterrupt)):
        results = OutcomesFile(tmp_path)
        with pytest.raises(kind):
            run([study], results, partial(processes, count), count)
        first = shares._FIRST
        assert results.of(study, SEEDS)[:first] == expected(Squares(), first)
        assert 7 in results.missing(study, SEEDS)


def test_a_real_dask_cluster(tmp_path):
    """Two worker processes, of which one is killed while it trains."""
    from distributed import LocalCluster

    results, study = OutcomesFile(tmp_path), Killing("killed", str(tmp_path))
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        dask_cluster(cluster.scheduler_address) as (executor, threads),
    ):
        assert threads == 2
        run([study, Squares()], results, partial(nullcontext, executor), threads, seeds=12)
    assert results.of(study, 12) == expected(Squares(), 12)
    assert results.of(Squares(), 12) == expected(Squares(), 12)


def test_nobody_at_a_dask_address(monkeypatch):
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(OSError, match=r"tcp://127\.0\.0\.1:9"),
        dask_cluster("tcp://127.0.0.1:9"),
    ):
        pass


def test_outcomes_have_findings(tmp_path):
    results = OutcomesFile(tmp_path)
    found = [Outcome(3, False, 10, 2, 1, {"distinct codes": 7.0})]
    results.add(Squares(), found)
    assert OutcomesFile(tmp_path).of(Squares(), 4) == found
