"""Generated code contains generated names and numbers alone, whatever the user's are called."""

import ast
import math
import os
import re
import struct
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value

HOSTILE = [
    "'); import os; os._exit(3)  #",
    '"\n\nraise SystemExit',
    "x\nreturn 1",
    "lambda",
    "\x00\u202e\\",
    "%s {0} ; ret void }",
    "n" * 10_000,
]
NAMES = st.sampled_from(HOSTILE) | st.text(max_size=30)
NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.8e308])
PYTHON = re.compile(r"[\w\s().,=+\-*<>\[\]:]*")
WORDS = {"def", "program", "inputs", "return", "if", "else", "nan", "inf", "sin", "total", "exp"}


@given(NAMES, NAMES, NUMBERS, NUMBERS)
@settings(max_examples=60)
def test_names_and_constants_cannot_inject_code(name, label, a, b):
    captured = Value(b, label=label)

    def f(p):
        return mg.where(p[name] > a, mg.sin(p[name]) * a, captured + p[name])

    want = f({name: 0.5})
    for backend in ("python", "llvm"):
        compiled = mg.compile(f, backend=backend)
        got = compiled({name: 0.5})
        data = want.data if isinstance(want, Value) else want
        assert got == data or (math.isnan(got) and math.isnan(data))
    program = compiled.program()
    source = compiled.source("python")
    assert PYTHON.fullmatch(source)
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert all(n in WORDS or re.fullmatch(r"[vs]\d+", n) for n in names)
    llvm = compiled.source("llvm")
    assert llvm.isascii()
    assert not any(h in llvm for h in HOSTILE[:3])
    assert max(map(len, str(program).splitlines())) < 200


@given(NUMBERS)
@settings(max_examples=200)
def test_constants_keep_their_bits(x):
    for backend in ("python", "llvm"):
        result = mg.compile(lambda y: [mg.where(y > 0, x, y)], backend=backend)(1.0)[0]
        assert struct.pack("<d", result) == struct.pack("<d", x) or (x != x and result != result)


def test_a_killed_compilation_leaves_no_files(tmp_path):
    code = f"""
import os, sys, threading, time
sys.path[:0] = {sys.path!r}
import microgradient as mg
threading.Timer(0.05, lambda: os.kill(os.getpid(), 9)).start()
while True:
    mg.compile(mg.hessian(lambda x: mg.logsumexp([a * b for a in x for b in x])))([0.1] * 9)
"""
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []
