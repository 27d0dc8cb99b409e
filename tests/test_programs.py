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
