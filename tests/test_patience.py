"""Compiling that takes long says so, and can be interrupted."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import microgradient as mg
from microgradient import nn
from microgradient.compiler import patience
from microgradient.compiler.llvm import jit


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(patience, "_SECONDS", 0.0)


def slow(x):
    said.wait(60)  # as long as nothing has been said
    return x * x


said = threading.Event()


@pytest.fixture
def listening(monkeypatch, impatient):
    said.clear()
    say = patience._say

    def and_tell(what):
        say(what)
        said.set()

    monkeypatch.setattr(patience, "_say", and_tell)


def test_what_takes_long_says_so(listening, capsys):
    assert mg.compile(slow)(3.0) == 9.0
    assert capsys.readouterr().err == (
        "microgradient: compiling slow takes a while (Ctrl-C ends it)\n"
    )


def test_training_says_so(listening, capsys):
    model = nn.MLP(2, [1], rng=0)

    def loss(outputs, targets):
        said.wait(60)
        return nn.half_squared_error(outputs, targets)

    optimizer = nn.GradientDescent(model.parameters(), 0.1)
    patterns = [([0.0, 1.0], [1.0])] * 2
    nn.train(model, patterns, loss=loss, optimizer=optimizer, sweeps=2, backend="llvm")
    assert "compiling the training takes a while" in capsys.readouterr().err


def test_what_is_quick_says_nothing(capsys):
    assert mg.compile(lambda x: x * x)(3.0) == 9.0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stream", ["missing", "closed"])
def test_without_a_stream_nothing_is_said(listening, monkeypatch, stream):
    with open(os.devnull, "w") as closed:
        pass
    monkeypatch.setattr("sys.stderr", None if stream == "missing" else closed)
    assert mg.compile(slow)(3.0) == 9.0


def test_code_generation_can_be_interrupted(monkeypatch):
    """LLVM does not hear of signals, so Ctrl-C must not wait for it."""
    begun, go_on = threading.Event(), threading.Event()

    def stuck(module, target):
        begun.set()
        go_on.wait(60)
        raise RuntimeError("nobody waits for this")

    compiled = mg.compile(lambda xs: sum(mg.sin(x) for x in xs), backend="llvm")
    point = [0.5] * 40
    with monkeypatch.context() as patched:
        patched.setattr(jit, "_compiled", stuck)
        patched.setattr(jit, "_QUICK", 0)
        patched.setenv("MICROGRADIENT_CACHE", "off")

        def interrupt():
            begun.wait(60)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            compiled(point)
        go_on.set()
    assert compiled(point) == pytest.approx(sum(map(mg.sin, point)))


def test_a_fault_of_code_generation_is_raised_where_it_belongs(monkeypatch):
    def failing(module, target):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(jit, "_compiled", failing)
    monkeypatch.setattr(jit, "_QUICK", 0)
    monkeypatch.setenv("MICROGRADIENT_CACHE", "off")
    with pytest.raises(RuntimeError, match="no such instruction"):
        mg.compile(lambda x: mg.sin(x) + 0.123, backend="llvm")(1.0)


SCRIPT = """
import os, signal, sys, threading, time
from microgradient.compiler.patience import interruptible

def library():  # what no signal interrupts
    begun.set()
    interrupted.wait(60)
    time.sleep(0.3)
    print("the library has ended", flush=True)

begun, interrupted = threading.Event(), threading.Event()
threading.Thread(target=lambda: (begun.wait(), os.kill(os.getpid(), signal.SIGINT))).start()
try:
    interruptible(library)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    interrupted.set()
"""
FORK = """
if os.fork() == 0:
    print("child", flush=True)
    os._exit(0)
os.wait()
"""


def ran(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_python_waits_at_its_end_for_what_was_interrupted():
    """LLVM would be found in the middle of its work by its own destructors."""
    assert ran(SCRIPT) == ["interrupted", "the library has ended"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_for_what_was_interrupted():
    assert ran(SCRIPT + FORK) == ["interrupted", "the library has ended", "child"]


def test_compiling_works_as_the_interpreter_ends():
    script = (
        "import atexit, microgradient as mg\n"
        "c = mg.compile(lambda x: x * x)\n"
        "atexit.register(lambda: print(c(3.0)))\n"
    )
    assert ran(script) == ["9.0"]
