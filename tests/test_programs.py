"""Programs in the styles that users bring run with only their imports changed, and print the same.

Each file in tests/programs is such a program. It is run twice from the same text: as it stands, on
micrograd, on autograd, or on a Value of one file (tests/programs/tape.py), and with these names in
its import lines replaced by ours. The words that it prints must be the same, and the numbers, to
nine digits: sums are rounded once here.
"""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

import microgradient as mg

PROGRAMS = sorted(Path(__file__).with_name("programs").glob("*.py"))
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
IMPORTED = re.compile(
    r"^(from|import) (micrograd|autograd(?:\.numpy|\.scipy\.special)?|programs\.tape)\b", re.M
)
DECLARED = {"adam": ("m", "v")}
"""Attributes that a program sets on Values: the one line to write besides the imports."""


def printed(text, path):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, path, "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize("path", [p for p in PROGRAMS if p.stem != "tape"], ids=lambda p: p.stem)
def test_prints_the_same_with_only_the_imports_changed(path):
    theirs = path.read_text(encoding="utf-8")
    ours, changed = IMPORTED.subn(r"\1 microgradient", theirs)
    mg.attributes(*DECLARED.get(path.stem, ()))
    assert changed > 0
    expected, got = printed(theirs, str(path)), printed(ours, str(path))
    assert NUMBER.sub("#", got) == NUMBER.sub("#", expected)
    numbers = list(map(float, NUMBER.findall(expected)))
    assert len(numbers) > 10
    assert list(map(float, NUMBER.findall(got))) == pytest.approx(numbers, rel=1e-9, abs=1e-12)


def test_a_gpt_of_functions_compiles_with_the_logsumexp_that_its_refusal_names():
    program = Path(__file__).with_name("programs") / "gpt_functions.py"
    names = {"__name__": "gpt"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(IMPORTED.sub(r"\1 microgradient", program.read_text(encoding="utf-8")), names)
    eager = mg.value_and_grad(names["loss_fn"])
    fast = mg.compile(eager, static=("tokens", "targets"))
    with pytest.raises(mg.CompileError, match="logsumexp"):  # it takes the largest score by max
        fast(names["params"], [0, 1, 2], [1, 2, 3])
    names["logsumexp"] = mg.logsumexp
    for tokens, targets in (([0, 1, 2], [1, 2, 3]), ([3, 2], [2, 1])):  # a program for each
        value, gradient = fast(names["params"], tokens, targets)
        expected = eager(names["params"], tokens, targets)
        assert value == pytest.approx(expected[0], rel=1e-13)
        assert gradient["tok"] == pytest.approx(np.array(expected[1]["tok"]), rel=1e-11)


@pytest.mark.parametrize("name", ["arcsin", "arctan", "arcsinh", "arctan2", "power"])
def test_functions_that_numpy_names_otherwise_are_named(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; write ") as raised:
        getattr(mg, name)
    ours = getattr(mg, str(raised.value).split()[-1])
    numbers = (0.25, 0.5)[: getattr(np, name).nin]
    assert ours(*numbers) == pytest.approx(getattr(np, name)(*numbers), rel=1e-15)
