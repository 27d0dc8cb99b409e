"""Output in every encoding, to closed, full and abandoned streams, with and without extras."""

import contextlib
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import microgradient
from microgradient.cli import main
from microgradient.rumelhart1986 import EXPERIMENTS, FOUR, trial_tables
from microgradient.streams import Stream, spelled

pytestmark = pytest.mark.once

ENCODINGS = ("ascii", "cp1252", "latin-1", "cp437", "shift_jis", "utf-8")
COMMAND = [sys.executable, "-m", "microgradient"]


def _run(arguments, encoding="utf-8", **options):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"}
    environment.pop("FORCE_COLOR", None)
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **options.pop("env", {})},
        **options,
    ) as child:
        try:
            out, err = child.communicate()
            return child.returncode, out.decode(encoding), err.decode(encoding)
        finally:
            child.kill()


# --- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_describe_in_any_encoding(encoding):
    status, out, err = _run([*COMMAND, "describe"], encoding)
    assert (status, err) == (0, "")
    assert "\\" not in out  # no character had to be written as an escape
    assert "?" not in out
    assert out.count("\n") > 120
    assert "microgradient" not in out  # no message


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_train_in_any_encoding(encoding):
    status, out, err = _run([*COMMAND, "train", "xor", "--watch", "--sweeps", "300"], encoding)
    assert (status, err) == (0, "")
    assert "\\" not in out
    for part in ("sweep 253: error", "Learned: all 4 patterns", "Weights to hidden", "0.84"):
        assert part in out
    bars = "█▁" if encoding == "utf-8" else "#_"
    assert all(bar in out for bar in bars) or encoding == "cp437"  # it has some of the bars


PROGRESS = """
from microgradient import live, nn
from microgradient.nn.training import progress
from microgradient.view.training import live as live_view
progress._PAUSE = live_view._PAUSE = 0.0
model = nn.MLP(2, [2, 1], "tanh", rng=0)
patterns = [([0.0, 1.0], [1.0]), ([1.0, 1.0], [0.0])]
settings = dict(loss=nn.half_squared_error, optimizer=nn.Adam(model.parameters()), sweeps=20)
nn.train(model, patterns, progress=True, description="中 → α", **settings)
with live({"中": [0.0, 1.0], "→": [1.0, 1.0]}) as show:
    nn.train(model, patterns, on_sweep=show, **settings)
print("done")
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("color", [{}, {"FORCE_COLOR": "1"}])
def test_progress_and_live_in_any_encoding(encoding, color):
    status, out, err = _run([sys.executable, "-c", PROGRESS], encoding, env=color)
    assert status == 0, err
    assert out.endswith("done\n")
    assert "Traceback" not in err
    name = spelled("中", encoding)
    assert name in out
    assert (f"{name} " in err) == bool(color)  # the bar is drawn on terminals alone


def test_spelled_keeps_what_the_encoding_has():
    assert spelled("→ ∂ α 中 é", "utf-8") == "→ ∂ α 中 é"
    assert spelled("→ ∂ α 中 é", "latin-1") == "-> d alpha \\u4e2d é"
    assert spelled("→ ∂ α 中 é", "ascii") == "-> d alpha \\u4e2d \\xe9"
    assert spelled("\udcff", "utf-8") == "\\udcff"  # a file's name that is no text
    assert spelled("→", None) == "→"


def test_watching_on_a_terminal(tmp_path):
    """A real terminal of 80 columns and 24 lines: frames over each other, then the results."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    command = [*COMMAND, "train", "xor", "--watch", "--sweeps", "20"]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as child:
        try:
            os.close(slave)
            shown = b""
            with contextlib.suppress(OSError):  # Linux's end of a terminal
                while part := os.read(master, 65536):
                    shown += part
            assert child.wait() == 1
        finally:
            child.kill()
            os.close(master)
    text = shown.decode()
    assert text.count("sweep ") >= 10  # frames
    assert "\x1b[1A" in text  # each over the last
    assert "\x1b[48;5;" in text or "\x1b[48;2;" in text  # colours of the ground
    assert "Not learned" in text.split("sweep 20")[-1]


# --- streams that are missing, closed, full or abandoned ------------------------------------------


def _in_shell(line):
    """Run a line of the shell in which $M is the command; return status, output and errors."""
    return _run(["/bin/sh", "-c", line.replace("$M", " ".join(COMMAND))])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_stop_training(closed, tmp_path):
    path = tmp_path / "xor.json"
    status, out, err = _in_shell(f"$M train xor --save {path} {closed}")
    assert (status, err) == (0, "")
    assert path.is_file()
    assert ("Learned" in out) == (">&- " not in closed + " " or closed == "2>&-")
    status, _, _ = _in_shell(f"$M train xor --sweeps 3 {closed}")
    assert status == 1
    status, _, _ = _in_shell(f"$M train xor --set rate=-1 {closed}")
    assert status == 2


NO_STREAMS = """
import sys
sys.stdout = sys.stderr = {streams}
import microgradient as mg
from microgradient import nn
model = nn.MLP(2, [2, 1], "tanh", rng=0)
patterns = [([0.0, 1.0], [1.0]), ([1.0, 1.0], [0.0])]
settings = dict(loss=nn.half_squared_error, optimizer=nn.Adam(model.parameters()), sweeps=20)
for progress in (None, True, False):
    assert nn.train(model, patterns, progress=progress, **settings).sweeps == 20
with mg.live() as show:
    assert nn.train(model, patterns, on_sweep=show, **settings).sweeps == 20
open(sys.argv[1], "w").write("done")
"""


@pytest.mark.parametrize(
    "streams",
    [
        "None",
        "open(sys.argv[1], 'w'); sys.stderr.close()",
        "type('Log', (), {'write': len, 'flush': lambda log: None})()",  # no isatty, no encoding
    ],
)
def test_training_without_standard_streams(streams, tmp_path):
    """As under pythonw, after close(), and with a replacement that can do little but write."""
    code = NO_STREAMS.format(streams=streams)
    status, _, err = _run([sys.executable, "-c", code, str(tmp_path / "done")])
    assert (tmp_path / "done").read_text() == "done", err
    assert status == 0


def test_nobody_reads_the_output():
    line = "($M train all --sweeps 2; echo status $? >&2) | head -n 1"
    status, out, err = _in_shell(line)
    assert (status, out) == (0, "== Exclusive or ==\n")
    assert err == "status 141\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_is_one_sentence():
    status, _, err = _in_shell("$M train xor > /dev/full")
    assert (status, err) == (2, "microgradient: [Errno 28] No space left on device\n")


def test_a_stream_that_closes_takes_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    stream = Stream("stdout")
    print("→", file=stream)
    sys.stdout.close()
    assert not stream.isatty()
    print("more", file=stream)
    stream.flush()
    assert stream.fault is None


# --- without extras -------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path):
    """A function that runs Python with this package and the standard library alone."""
    (tmp_path / "microgradient").symlink_to(Path(microgradient.__file__).parent)

    def run(*arguments):
        return _run([sys.executable, "-S", *arguments], env={"PYTHONPATH": str(tmp_path)})

    assert run("-c", "import rich")[0] == 1
    return run


def test_the_command_needs_no_other_package(bare):
    status, out, err = bare("-m", "microgradient", "describe", "xor")
    assert (status, err) == (0, "")
    assert out == _run([*COMMAND, "describe", "xor"])[1]
    status, out, err = bare("-m", "microgradient", "train", "xor")
    assert (status, err) == (0, "")
    assert "Learned: all 4 patterns" in out
    assert "Activities of hidden" in out


def test_what_needs_a_package_says_so_before_it_trains(bare):
    for option, extra in (("--watch", "cli"), ("--plot=x.png", "plot"), ("--backend=llvm", "fast")):
        status, out, err = bare("-m", "microgradient", "train", "xor", option)
        assert (status, out) == (2, "")
        assert f"pip install 'microgradient[{extra}]'" in err
        assert err.count("\n") == 1


# --- what is said ---------------------------------------------------------------------------------


def test_all_ends_with_a_summary(capsys):
    main(["train", "all", "--sweeps", "2"])
    summary = capsys.readouterr().out.split("== Summary ==\n")[1].splitlines()
    assert summary[0].split() == [
        "network",
        "result",
        "sweeps",
        "patterns",
        "right",
        "held-out",
        "right",
    ]
    assert [line.split()[0] for line in summary[1:5]] == [one.name for one in FOUR]
    assert all("not learned" in line and "not met" in line for line in summary[1:5])


def test_a_recipe_known_not_to_learn_names_the_one_that_does(capsys):
    assert main(["train", "family-trees", "--variant", "literal", "--sweeps", "20"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "--variant learns is the one that does." in out
    assert "Another seed" not in out
    main(["train", "family-trees", "--sweeps", "20"])
    assert "Another seed, more sweeps or a smaller rate may help" in " ".join(
        capsys.readouterr().out.split()
    )


def test_no_title_ends_in_an_empty_note():
    for experiment in EXPERIMENTS.values():
        for name, variant in experiment.variants.items():
            first = trial_tables.recipe_table(experiment, name, variant).title.split("\n")[0]
            assert not first.endswith((":", ": ", "()")), first


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_fit_the_terminal(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    main(["describe"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width
