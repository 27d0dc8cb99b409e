"""Intervals, outcomes on disk, and the command ``reproduce``."""

import importlib.util
import json
import random
import re
import signal
import subprocess
import sys
from statistics import median

import pytest
from scipy.stats import binomtest, ks_2samp

from microgradient.cli import main
from microgradient.cli import reproduce as command
from microgradient.rumelhart1986 import EXPERIMENTS
from microgradient.rumelhart1986.report import files
from microgradient.rumelhart1986.reproduction import statistics
from microgradient.rumelhart1986.reproduction.catalogue import GROUPS
from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile
from microgradient.rumelhart1986.reproduction.statistics import (
    median_interval,
    ratio_interval,
    wilson,
)
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.variant_study import VariantStudy
from studies import Squares

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (1, 30), (869, 1000)]
)
def test_wilson(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx(tuple(expected), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="successes of at least one trial"):
        wilson(successes, trials)


def test_the_interval_of_a_median():
    low, high = median_interval(range(1000))
    assert 450 < low < 499.5 < high < 550
    assert (low, high) == median_interval(range(1000))
    assert median_interval([7.0]) == (7.0, 7.0)
    with pytest.raises(ValueError, match="no median"):
        median_interval([])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 40])
def test_resampled_medians_are_those_of_resamples(n):
    """Drawn at once, they have the distribution of the medians of what is drawn one by one."""
    numbers, rng, times = [k**2 for k in range(n)], random.Random(7), 4000
    at_once = [statistics._resampled_median(numbers, rng) for _ in range(times)]
    one_by_one = [median(rng.choices(numbers, k=n)) for _ in range(times)]
    assert ks_2samp(at_once, one_by_one).pvalue > 0.001


def test_the_interval_of_a_ratio():
    low, high = ratio_interval(range(1000, 3000), range(100, 300))
    assert 9 < low < 10 < high < 11
    assert ratio_interval([6.0], [2.0]) == (3.0, 3.0)
    with pytest.raises(ValueError, match="no median"):
        ratio_interval([1.0], [])


def test_a_line_that_was_cut_off_is_run_again(tmp_path):
    results, study = OutcomesFile(tmp_path), Squares()
    found = study.outcomes(range(3), 1)
    results.add(study, found[:2])
    file = tmp_path / "outcomes.jsonl"
    whole = file.read_bytes()
    entry = json.loads(whole.splitlines()[1])
    line = json.dumps({**entry, "outcomes": [{"seed": 2, "learned": True}]})
    file.write_bytes(whole + b"\xff\xfe" + line[:-9].encode())  # killed while it was written
    again = OutcomesFile(tmp_path)
    assert again.of(study, 3) == found[:2]
    assert again.missing(study, 3) == [2]
    again.add(study, found[2:])
    assert OutcomesFile(tmp_path).of(study, 3) == found


def test_a_study_is_known_by_its_content(tmp_path):
    results = OutcomesFile(tmp_path)
    results.add(Squares(), [Outcome(0, True, 1, 1, 0)])
    assert results.of(Squares("other"), 1) == []


def test_every_study_has_a_name_of_its_own():
    names = [study.name for group in GROUPS.values() for study in group]
    assert len(names) == len(set(names))
    variants = {f"{one.name} {variant}" for one in EXPERIMENTS.values() for variant in one.variants}
    assert variants <= {*names}


def test_what_is_on_disk_is_not_run_again(tmp_path, monkeypatch, capsys):
    arguments = ["reproduce", "xor", "--seeds", "5", "--jobs", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    report = (tmp_path / "report.md").read_text()
    assert "Exclusive or | 2-2-1" in report
    assert " of 5 (" in report
    assert "xor 2-2-1: 4 of 5 learned" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "<td>Exclusive or</td>" in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)  # all is in the page itself
    ran = []

    def noted(self, seeds, workers):
        ran.append((self.variant, list(seeds)))
        return outcomes(self, seeds, workers)

    outcomes = VariantStudy.outcomes
    monkeypatch.setattr(VariantStudy, "outcomes", noted)
    assert main(arguments) == 0
    assert ran == []
    assert (tmp_path / "report.md").read_text() == report
    arguments[3] = "7"
    assert main(arguments) == 0
    assert sorted(ran) == sorted((variant, [5, 6]) for variant in EXPERIMENTS["xor"].variants)


def test_an_interrupted_run_reports_what_is_there(tmp_path, monkeypatch, capsys):
    outcomes = VariantStudy.outcomes

    def stopped(self, seeds, workers):
        if self.variant == "2-1-1":
            raise KeyboardInterrupt
        return outcomes(self, seeds, workers)

    monkeypatch.setattr(VariantStudy, "outcomes", stopped)
    arguments = ["reproduce", "xor", "--seeds", "3", "--jobs", "1", "--out", str(tmp_path)]
    assert main(arguments) == 130
    assert "goes on from what is on disk" in capsys.readouterr().out
    report = (tmp_path / "report.md").read_text()
    assert "2-2-1" in report
    assert "2-1-1" not in report


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_goes_on(tmp_path, how):
    """Ctrl-C and kill -9 lose nothing that had ended; the next run gives the same outcomes."""
    arguments = ["reproduce", "parity-6", "xor", "--seeds", "100", "--jobs", "2", "--out"]
    command = [sys.executable, "-m", "microgradient", *arguments, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            assert b"learned" in process.stdout.readline()  # one study has ended
            process.send_signal(how)
            process.stdout.read()
        finally:
            process.kill()
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    kept = OutcomesFile(tmp_path)
    studies = [*GROUPS["parity-6"], *GROUPS["xor"]]
    assert any(len(kept.of(study, 100)) == 100 for study in studies)
    assert any(kept.missing(study, 100) for study in studies)
    assert main([*arguments, str(tmp_path)]) == 0
    whole, study = OutcomesFile(tmp_path), GROUPS["xor"][0]
    assert whole.of(study, 100) == study.outcomes(range(100), 1)


def test_a_study_from_a_file(tmp_path, capsys):
    file = tmp_path / "rates.toml"
    file.write_text('experiment = "xor"\nseeds = 4\n[grid]\nrate = [0.25, 0.5]\n')
    assert main(["reproduce", str(file), "--jobs", "1", "--out", str(tmp_path)]) == 0
    assert "rates rate=0.5: " in capsys.readouterr().out
    report = (tmp_path / "report.md").read_text()
    assert " of 4 (" in report
    assert "rate=0.5" in report


def test_a_file_called_like_an_experiment_is_another_study(tmp_path, capsys):
    file = tmp_path / "xor.toml"
    file.write_text('experiment = "xor"\nseeds = 3\n[recipe]\nrate = 0.7\n')
    arguments = ["reproduce", "xor", str(file), "--seeds", "3", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "xor.toml 2-2-1: " in printed
    assert "xor 2-2-1: " in printed


def test_a_name_given_twice_is_one(tmp_path, capsys):
    arguments = ["reproduce", "negation", "negation", "--seeds", "3", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("negation 4-3-3: ") == 1
    comparison, _, failures = (tmp_path / "report.md").read_text().partition("are wrong")
    assert comparison.count("| Negation |") == failures.count("| Negation |") == 1


def test_a_report_without_matplotlib_has_no_pictures(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    absent = {"matplotlib", "markdown_it"}
    monkeypatch.setattr(files, "find_spec", lambda name: None if name in absent else found(name))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["reproduce", "xor", "symmetry", "--seeds", "2", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    report = (tmp_path / "report.md").read_text()
    assert "Exclusive or | 2-2-1" in report
    assert "![" not in report
    assert not (tmp_path / "report.html").exists()


def test_outcomes_of_other_versions_are_not_used(tmp_path):
    results, study = OutcomesFile(tmp_path), Squares()
    results.add(study, study.outcomes(range(3), 1))
    file = tmp_path / "outcomes.jsonl"
    file.write_text(file.read_text().replace('"version": "', '"version": "0.0.'))
    assert OutcomesFile(tmp_path).missing(study, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xer"], "there is nothing called 'xer' to reproduce; there are xor, "),
        (["none.toml"], "none.toml"),
        (["bad.toml"], "bad.toml must be UTF-8 text"),
        (["wrong.toml"], "wrong.toml: unknown key recipe.rat; did you mean rate?"),
        (["xor", "--seeds", "0"], "at least 1"),
        (["xor", "--jobs", "two"], "at least 1"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    (tmp_path / "wrong.toml").write_text('experiment = "xor"\n[recipe]\nrat = 1\n')
    try:
        status = main(["reproduce", *arguments, "--out", str(tmp_path / "out")])
    except SystemExit as exited:
        status = exited.code
    assert status == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, ""), (20.0, "about 20 s left"), (600.0, "about 10 min left")],
)
def test_time_left(seconds, text):
    assert command._left(seconds) == text
