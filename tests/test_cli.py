"""The command: results, pictures, weights, and one sentence for bad input."""

import subprocess
import sys

import pytest

from microgradient import nn
from microgradient.cli import main
from microgradient.rumelhart1986 import EXPERIMENTS, FOUR, run

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_train_shows_the_result_beside_the_original(capsys):
    assert main(["train", "xor", "--seed", "1986"]) == 0
    shown = capsys.readouterr().out
    for part in ("Learned: all 4 patterns", "about 245 sweeps", "6,587", "Weights to hidden"):
        assert part in shown
    assert "Activities of hidden" in shown


def test_not_learned_is_exit_status_1(capsys):
    assert main(["train", "xor", "--sweeps", "3"]) == 1
    assert "Not learned: " in capsys.readouterr().out


def test_settings_and_variant(capsys):
    arguments = [
        "train",
        "xor",
        "--variant",
        "2-1-1",
        "--set",
        "rate=0.25",
        "--set",
        "stop_when_met=false",
    ]
    assert main([*arguments, "--sweeps", "900"]) == 0
    shown = capsys.readouterr().out
    assert "Set for this run: rate=0.25, sweeps=900, stop_when_met=False" in " ".join(shown.split())
    assert "trained for 900" in shown


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_picture_and_weights_are_written(tmp_path, ending, capsys):
    picture, weights = tmp_path / f"xor.{ending}", tmp_path / "xor.json"
    assert main(["train", "xor", "--plot", str(picture), "--save", str(weights)]) == 0
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert picture.read_bytes().startswith(start)
    network = run(EXPERIMENTS["xor"], seed=0, settings={"sweeps": 0}).network
    nn.load(network, weights)
    assert network([0.0, 1.0])[0].data > 0.7


def test_all_writes_a_picture_for_each(tmp_path, capsys):
    """A few sweeps show the output for each; other tests show that each learns."""
    assert main(["train", "all", "--sweeps", "2", "--plot", str(tmp_path / "p.png")]) == 1
    shown = capsys.readouterr().out
    for experiment in FOUR:
        assert experiment.title in shown
        assert (tmp_path / f"p-{experiment.name}.png").stat().st_size > 10_000
    assert "held-out patterns right" in " ".join(shown.split())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_trained_and_drawn(name, tmp_path, capsys):
    plot = tmp_path / "p.png"
    assert main(["train", name, "--sweeps", "1", "--plot", str(plot)]) == 1
    assert EXPERIMENTS[name].title in capsys.readouterr().out
    assert plot.stat().st_size > 10_000


def test_describe_gives_each_setting_its_source(capsys):
    assert main(["describe"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("family-trees, variant literal", "Nature 323, Fig. 4", "initial_range"):
        assert part in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "rte=1"], "KEY=VALUE, where KEY is one of update, rate"),
        (["--set", "rate"], "KEY=VALUE"),
        (["--set", "rate=fast"], "rate must be a number, got 'fast'"),
        (["--set", "rate=-1"], "rate must be a positive number"),
        (["--set", "rate=nan"], "rate must be a positive number"),
        (["--set", "stop_when_met=maybe"], "stop_when_met must be true or false"),
        (["--set", "sweeps=1.5"], "sweeps must be a whole number"),
        (["--set", "update=epoch"], '"presentation" or "sweep"'),
        (["--sweeps", "-1"], "sweeps must be"),
        (["--variant", "9-9-9"], "it has 2-2-1, 2-1-1"),
        (["--plot", "x.gif"], ".png, .svg, .pdf"),
        (["--plot", "no/such/folder/x.png"], "no folder"),
        (["--save", "no/such/folder/x.json"], "no folder"),
        (["--save", "."], "name of a file"),
        (["--save", "/dev/null"], "name of a file"),
        (["--save", "x.png", "--plot", "x.png"], "two files"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    assert main(["train", "xor", *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_unknown_network_lists_the_known(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "xro"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert all(name in error for name in (*EXPERIMENTS, "all"))
    assert error.count("\n") == 1


def test_variant_goes_with_one_network(capsys):
    assert main(["train", "all", "--variant", "literal"]) == 2
    assert "one network" in capsys.readouterr().err


def test_divergence_is_one_sentence(capsys):
    settings = ["--set", "rate=1e308", "--set", "momentum=0.999", "--set", "initial_range=1e308"]
    status = main(["train", "xor", *settings])
    shown = capsys.readouterr()
    assert (status, shown.err.count("\n")) == (2, 1)
    assert "not finite" in shown.err


def test_as_a_module():
    arguments = [sys.executable, "-m", "microgradient", "train", "xor"]
    run = subprocess.run(arguments, capture_output=True, text=True)
    assert run.returncode == 0
    assert "Learned" in run.stdout
