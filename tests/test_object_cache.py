"""Machine code kept between processes: by content, safe when damaged, bounded, off on demand."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from microgradient.compiler.llvm import object_cache
from microgradient.compiler.llvm.object_cache import key_of, load, store

PROGRAM = """
import microgradient as mg
from microgradient.compiler.llvm import jit

compiled, made = jit._compiled, []
jit._compiled = lambda *arguments: made.append(1) or compiled(*arguments)

def f(x):  # the engine's own functions, C's, and a table
    y = mg.sin(x[0]) * mg.gamma(x[1]) + x[0] % x[1]
    for _ in range(200):
        y = mg.tanh(y * x[1]) + x[0]
    return y

value, gradient = mg.compile(mg.value_and_grad(f))([0.3, 1.7])
small = mg.compile(lambda x: mg.sin(x) * mg.gamma(x) % 0.5)(0.3)
print(len(made), value.hex(), *(g.hex() for g in gradient), small.hex())
"""


def run(folder):
    """Return how many modules a new process compiled, and its numbers."""
    environment = {**os.environ, "MICROGRADIENT_CACHE": str(folder)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    made, *numbers = done.stdout.split()
    return int(made), numbers


def test_a_second_process_compiles_nothing_and_computes_the_same(tmp_path):
    first = run(tmp_path / "new")
    assert first[0] == 3  # two programs and the interpreter
    assert run(tmp_path / "new") == (0, first[1])
    assert oct((tmp_path / "new").stat().st_mode)[-3:] == "700"


def test_two_processes_at_once_and_damage(tmp_path):
    with ThreadPoolExecutor() as pool:
        (_, numbers), (_, others) = pool.map(run, [tmp_path] * 2)
    assert numbers == others
    entries = sorted(tmp_path.iterdir())
    assert len(entries) == 3
    entries[0].write_bytes(b"")
    entries[1].write_bytes(entries[1].read_bytes()[:-1])
    damaged = bytearray(entries[2].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    entries[2].write_bytes(damaged)
    assert run(tmp_path) == (3, numbers)
    assert run(tmp_path) == (0, numbers)


@pytest.mark.parametrize("off", ["", "0", "off", "OFF"])
def test_off(monkeypatch, off):
    monkeypatch.setenv("MICROGRADIENT_CACHE", off)
    store("key", b"code")
    assert load("key") is None


def test_every_byte_counts_and_every_part_of_a_key(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    key = key_of("text", "cpu")
    store(key, b"code")
    assert load(key) == b"code"
    entry = tmp_path / key
    whole = entry.read_bytes()
    for i in range(len(whole)):
        entry.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        assert load(key) is None
        entry.write_bytes(whole[:i])
        assert load(key) is None
    entry.write_bytes(whole)
    entry.rename(tmp_path / "other")
    assert load("other") is None  # an entry under a foreign name
    keys = [key_of("text", "cpu"), key_of("tex", "tcpu"), key_of("text", "other"), key_of("text")]
    assert len({*keys}) == 4


def test_a_folder_that_others_may_write_to_or_that_cannot_be_is_not_used(tmp_path, monkeypatch):
    tmp_path.chmod(0o770)
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    store("key", b"code")
    assert (load("key"), list(tmp_path.iterdir())) == (None, [])
    tmp_path.chmod(0o700)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path / "file"))
    store("key", b"code")
    assert load("key") is None


def test_what_was_used_longest_ago_goes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    monkeypatch.setattr(object_cache, "_MOST_BYTES", 400)
    for age, key in enumerate(("a", "b", "c")):
        store(key, b"x" * 100)
        os.utime(tmp_path / key, (age, age))
    assert load("a") is not None  # used now
    store("d", b"x" * 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d"]
