"""Checkpoints: written whole or not at all; damaged files are refused."""

import hashlib
import json
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest

import microgradient as mg
from microgradient import Value, nn


def _model(seed=1):
    return nn.MLP(
        2, [2, 1], "sigmoid", output="sigmoid", bias_initializer=nn.uniform(1.0), rng=seed
    )


def test_checkpoint_goes_round_exactly(tmp_path):
    model, other = _model(1), _model(2)
    nn.save(model, tmp_path / "a.json")
    nn.load(other, tmp_path / "a.json")
    assert other.state_dict() == model.state_dict()
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_saving_follows_links_and_keeps_permissions(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    nn.save(_model(1), target)
    target.chmod(0o640)
    link.symlink_to(target)
    nn.save(_model(2), link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    model = _model(3)
    nn.load(model, target)
    assert model.state_dict() == _model(2).state_dict()


def test_saving_replaces_nothing_but_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="not a regular file"):
            nn.save(_model(), place)
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_saving_a_nan_leaves_the_old_file(tmp_path):
    model = _model()
    nn.save(model, tmp_path / "a.json")
    content = (tmp_path / "a.json").read_bytes()
    model.parameters()[0].data = math.nan
    with pytest.raises(ValueError, match=r"layers\.0\.neurons\.0\.weights\.0.*nothing was written"):
        nn.save(model, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == content


def _spoiled(content, **changes):
    """Return the file with changes and a checksum to match, as a forger would write it."""
    content = {**content, **changes}
    if "checksum" not in changes:
        numbers = json.dumps(content["parameters"], sort_keys=True).encode()
        content["checksum"] = hashlib.sha256(numbers).hexdigest()
    return json.dumps(content).encode()


def test_spoiled_files_are_refused_and_change_nothing(tmp_path):
    path = tmp_path / "a.json"
    nn.save(_model(1), path)
    whole = path.read_bytes()
    content = json.loads(whole)
    name = next(iter(content["parameters"]))
    model = _model(2)
    before = model.state_dict()
    spoiled = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "not JSON": b"\x80\x04K\x01.",
        "a list": b"[]",
        "another format": _spoiled(content, format="x"),
        "a later version": _spoiled(content, version=2),
        "no parameters": _spoiled(content, parameters=None),
        "missing": _spoiled(content, parameters={}),
        "unknown": _spoiled(content, parameters={**content["parameters"], "x": 1.0}),
        "text": _spoiled(content, parameters={**content["parameters"], name: "1.0"}),
        "truth": _spoiled(content, parameters={**content["parameters"], name: True}),
        "huge": _spoiled(content, parameters={**content["parameters"], name: 10**400}),
        "a name twice": whole.replace(b'"version": 1', b'"version": 1, "version": 1'),
        "nan": whole.replace(b": 1,", b": NaN,", 1),
        "infinite": _spoiled(content, parameters={**content["parameters"], name: math.inf}),
        "another checksum": _spoiled(content, checksum="0" * 64),
        "no checksum": _spoiled(content, checksum=None),
        "an unknown key": _spoiled(content, more=1),
        "an edited number": whole.replace(b": 0.", b": 0.5", 1),
        "deep": b"[" * 100_000,
    }
    for what, data in spoiled.items():
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.json"):
            nn.load(model, path)
            pytest.fail(what)
        assert model.state_dict() == before


def test_a_flipped_bit_is_found_or_changes_no_number(tmp_path):
    path = tmp_path / "a.json"
    saved = _model(1)
    nn.save(saved, path)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(600):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        model = _model(2)
        before = model.state_dict()
        try:
            nn.load(model, path)
        except ValueError:
            refused += 1
            assert model.state_dict() == before
        else:  # as 1e-05 and 1E-05
            assert model.state_dict() == saved.state_dict()
    assert refused > 500


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "a.json"
    nn.save(_model(1), path)
    whole = path.read_bytes()
    model = _model(2)
    before = model.state_dict()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.json"):
            nn.load(model, path)
    assert model.state_dict() == before


def test_the_name_of_a_file_does_not_matter(tmp_path):
    nn.save(_model(1), tmp_path / "a.json")
    (tmp_path / "a.json").rename(tmp_path / "weights of mine.txt")
    model = _model(2)
    nn.load(model, tmp_path / "weights of mine.txt")
    assert model.state_dict() == _model(1).state_dict()
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"picture\.json is not a checkpoint"):
        nn.load(model, tmp_path / "picture.json")
    with pytest.raises(FileNotFoundError):
        nn.load(model, tmp_path / "a.json")


def test_an_oversized_file_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2**31)  # no byte of it is on the disk
    with pytest.raises(
        ValueError, match=r"2,147,483,648 bytes; a checkpoint of this module, with 9 par"
    ):
        nn.load(_model(), tmp_path / "a.json")


def _hostile(content, size):
    """Return a checkpoint of about ``size`` bytes with ``content`` over and over in a list."""
    inside = content * (size // len(content))
    return f'{{"format": "microgradient checkpoint", "version": 1, "parameters": [{inside}0]}}'


@pytest.mark.parametrize("content", ["[],", "{},", '"a",', "1,", "[[[[]]]],"])
def test_a_hostile_file_takes_no_more_than_the_module_itself(tmp_path, content):
    """Each ``[]`` of two bytes would take some 60 bytes of memory, and time for the checksum."""
    path = tmp_path / "a.json"
    path.write_text(_hostile(content, 20_000_000))
    model = _model()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"a\.json has 2\d,\d{3},\d{3} bytes"):
            nn.load(model, path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_file_within_the_bound_of_a_large_module_may_hold_no_lists(tmp_path):
    model = nn.Layer(100, 400, rng=0)  # 40,400 parameters: a file of up to 4 MB
    path = tmp_path / "a.json"
    for content in ("[],", "{},"):
        path.write_text(_hostile(content, 3_000_000))
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="it holds other data"):
                nn.load(model, path)
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


def test_names_may_hold_brackets_and_any_other_character(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            self.parts = {name: Value(0.5) for name in ("[{", "[0]", "ä{}", "𝕏" * 99, '"', "\n")}

    model, other = Odd(), Odd()
    model.parameters()[1].data = 3.0
    nn.save(model, tmp_path / "a.json")
    nn.load(other, tmp_path / "a.json")
    assert other.state_dict() == model.state_dict()
    content = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(content, indent=8, ensure_ascii=False))
    nn.load(other, tmp_path / "a.json")  # laid out by another program


@pytest.mark.parametrize("number", ["[]", '"1"', "null", "true", "{}"])
def test_types_are_checked_before_the_checksum(tmp_path, number):
    path = tmp_path / "a.json"
    nn.save(_model(), path)
    path.write_text(path.read_text().replace(": 0.", f': {number}, "x": 0.', 1))
    with pytest.raises(ValueError, match=r"expected a number for str|it holds other data"):
        nn.load(_model(), path)


def test_odd_paths_are_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for odd in (None, 3, b"x.json", ["x.json"]):
        for act in (nn.save, nn.load):
            with pytest.raises(TypeError, match=r"path of a file, such as 'model\.json', got"):
                act(_model(), odd)
    for odd in ("", "x/", "a\0b"):
        for act in (nn.save, nn.load):
            with pytest.raises(ValueError, match=r"path of a file, such as|allows no file named"):
                act(_model(), odd)
    with pytest.raises(TypeError, match=r'as in nn\.save\(model, "model\.json"\), got str'):
        nn.save("model.json", _model())
    with pytest.raises(TypeError, match=r'as in nn\.load\(model, "model\.json"\), got str'):
        nn.load("model.json", _model())
    y = Value(2.0) * 3.0
    for save in (mg.draw(y).render, mg.page(y).save):  # the same paths everywhere
        with pytest.raises(TypeError, match=r"path of a file, such as 'model\.json', got int 3"):
            save(3)
        with pytest.raises(ValueError, match="path of a file"):
            save("x/")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_that_the_system_allows(tmp_path):
    path = tmp_path / ("x" * 250 + ".json")
    nn.save(_model(1), path)
    model = _model(2)
    nn.load(model, path)
    assert model.state_dict() == _model(1).state_dict()


FULL = """
import resource, sys
from microgradient import nn
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # as a disk that is full
try:
    nn.save(nn.MLP(2, [2, 1], rng=0), sys.argv[1])
except OSError as fault:
    print(fault)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no limit to set")
def test_a_write_that_fails_names_the_target_and_leaves_it(tmp_path):
    path = tmp_path / "a.json"
    nn.save(_model(), path)
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True)
    assert run.stdout == f"[Errno 27] File too large: nothing was written: {str(path)!r}\n"
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_training_goes_on_exactly_from_a_pickled_model_and_optimizer():
    """A checkpoint holds no optimizer state: docs/limits.md."""
    settings = {"loss": nn.half_squared_error, "backend": "eager"}
    patterns = [([0.0, 1.0], [1.0]), ([1.0, 1.0], [0.0])]
    runs = []
    for stop in (False, True):
        model = _model(1)
        optimizer = nn.Adam(model.parameters(), 0.1)
        nn.train(model, patterns, optimizer=optimizer, sweeps=5, **settings)
        if stop:
            model, optimizer = pickle.loads(pickle.dumps((model, optimizer)))
        nn.train(model, patterns, optimizer=optimizer, sweeps=5, **settings)
        runs.append(model.state_dict())
    assert runs[0] == runs[1]


def test_pipes_are_not_read_and_loops_of_links_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        nn.load(_model(), tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValueError, match="not a regular file"):
        nn.save(_model(), tmp_path / "loop")
    assert (tmp_path / "loop").is_symlink()


SAVING = """
import sys
from microgradient import nn
models = [nn.MLP(8, [40, 8], rng=seed) for seed in (1, 2)]
nn.save(models[0], sys.argv[1])
print("started", flush=True)
while True:
    for model in models:
        nn.save(model, sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill -9")
def test_kill_while_saving_loses_nothing(tmp_path):
    """Whenever the process is killed, the file is one of the two being written, and complete."""
    path = tmp_path / "a.json"
    states = [nn.MLP(8, [40, 8], rng=seed).state_dict() for seed in (1, 2)]
    rng = random.Random(0)
    for _ in range(8):
        command = [sys.executable, "-c", SAVING, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "started\n"
                time.sleep(rng.uniform(0.0, 0.05))  # any moment will do
            finally:
                process.kill()
        model = nn.MLP(8, [40, 8], rng=3)
        nn.load(model, path)
        assert model.state_dict() in states
    nn.save(model, path)  # and leftovers beside it do no harm


def test_missing_file():
    with pytest.raises(FileNotFoundError):
        nn.load(_model(), "no/such/file.json")
