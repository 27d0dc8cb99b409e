"""Machine code kept between processes: by content, safe when damaged, bounded, off on demand."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from microgradient.compiler.llvm import object_cache
from microgradient.compiler.llvm.builder import Module
from microgradient.compiler.llvm.object_cache import key_of, load, store, usable_folder

pytestmark = pytest.mark.once

KEY = key_of("key")
posix = pytest.mark.skipif("not hasattr(os, 'getuid')", reason="owners and modes")

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
    store(KEY, b"code")
    assert load(KEY) is None


def test_every_byte_counts_and_every_part_of_a_key(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    key = key_of("text", "cpu")
    store(key, b"code")
    assert load(key) == b"code"
    entry = tmp_path / f"{key}.object"
    whole = entry.read_bytes()
    for i in range(len(whole)):
        entry.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        assert load(key) is None
        entry.write_bytes(whole[:i])
        assert load(key) is None
    entry.write_bytes(whole)
    entry.rename(tmp_path / f"{KEY}.object")
    assert load(KEY) is None  # an entry under a foreign name
    keys = [key_of("text", "cpu"), key_of("tex", "tcpu"), key_of("text", "other"), key_of("text")]
    assert len({*keys}) == 4


def test_other_versions_and_processors_have_other_keys(monkeypatch):
    jit = pytest.importorskip("microgradient.compiler.llvm.jit")
    keys = []
    monkeypatch.setattr(jit, "load", lambda key: keys.append(key))
    monkeypatch.setattr(jit, "store", lambda key, code: None)
    module = Module("define void @f() {\n ret void\n}\n", ())
    jit.Code(module)
    for where, name, other in (
        (jit, "__version__", "99"),
        (jit, "_RECIPE", "99"),
        (jit, "_LARGE", 0),  # another effort
        (jit, "_features", lambda: ""),
        (jit.llvmlite, "__version__", "99"),
        (jit.llvm, "llvm_version_info", (99, 0, 0)),
        (jit.llvm, "get_host_cpu_name", lambda: ""),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, other)
            jit.Code(module)
    jit.Code(module)
    assert keys[0] == keys[-1]
    assert len({*keys}) == len(keys) - 1


@posix
def test_a_folder_that_others_may_write_to_or_that_cannot_be_is_not_used(tmp_path, monkeypatch):
    tmp_path.chmod(0o770)
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    store(KEY, b"code")
    assert (load(KEY), list(tmp_path.iterdir())) == (None, [])
    tmp_path.chmod(0o700)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path / "file"))
    store(KEY, b"code")
    assert load(KEY) is None


@posix
def test_what_belongs_to_others_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    store(KEY, b"code")
    (entry,) = tmp_path.iterdir()
    entry.chmod(0o620)
    assert load(KEY) is None
    entry.chmod(0o600)
    assert load(KEY) == b"code"
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert usable_folder() is None


@posix
def test_a_link_is_followed_if_the_user_made_it(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder")
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(link))
    assert usable_folder() == link
    lstat = type(link).lstat
    others = [*lstat(link)[:4], os.getuid() + 1, *lstat(link)[5:10]]
    monkeypatch.setattr(type(link), "lstat", lambda self: os.stat_result(others))
    assert usable_folder() is None


def test_a_folder_that_is_read_only_is_read(tmp_path, monkeypatch):
    def refused(*arguments, **settings):  # by hand: root may write everywhere
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    store(KEY, b"code")
    monkeypatch.setattr(object_cache.tempfile, "NamedTemporaryFile", refused)
    monkeypatch.setattr(os, "utime", refused)
    store(key_of("another"), b"code")
    assert (load(KEY), len([*tmp_path.iterdir()])) == (b"code", 1)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "replace", full)
    store(KEY, b"code")
    assert [*tmp_path.iterdir()] == []


def test_without_a_home_nothing_is_kept(tmp_path, monkeypatch):
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.delenv("MICROGRADIENT_CACHE")
    monkeypatch.chdir(tmp_path)

    def homeless(*arguments, **settings):
        raise RuntimeError("no home")

    for found in (homeless, lambda *arguments, **settings: Path("~/.cache/microgradient")):
        monkeypatch.setattr(platformdirs, "user_cache_path", found)
        store(KEY, b"code")
        assert load(KEY) is None
    assert [*tmp_path.iterdir()] == []


def test_what_was_used_longest_ago_goes_first_and_other_files_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRADIENT_CACHE", str(tmp_path))
    monkeypatch.setattr(object_cache, "_MOST_BYTES", 400)
    monkeypatch.setattr(object_cache, "_UNSEEN_BYTES", 0)
    (tmp_path / "thesis").write_bytes(b"x" * 1000)
    os.utime(tmp_path / "thesis", (0, 0))
    a, b, c, d = map(key_of, "abcd")
    for age, key in enumerate((a, b, c), 1):
        store(key, b"x" * 100)
        os.utime(tmp_path / f"{key}.object", (age, age))
    unfinished = tmp_path / f"{a}.object.killed"
    unfinished.write_bytes(b"")
    os.utime(unfinished, (0, 0))
    assert load(a) is not None  # used now
    store(d, b"x" * 100)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"thesis", *(f"{key}.object" for key in (a, c, d))}
