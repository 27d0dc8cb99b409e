"""A chain of a million nodes under a recursion limit of 100."""

import subprocess
import sys

import pytest

SCRIPT = """
import copy, pickle, sys
import microgradient as mg
from microgradient import Value, topological_order
sys.setrecursionlimit(100)
n = {n}
x, a = Value(1.0), Value(1.0)
y = x
for _ in range(n):
    y = y * a
y.backward()
assert (x.grad, a.grad) == (1.0, float(n)), (x.grad, a.grad)
assert len(topological_order(y)) == n + 2
assert len(repr(y)) < 100
try:
    mg.draw(y)
except ValueError as refusal:
    assert f"{{n + 2:,}} nodes" in str(refusal)
for twin in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
    assert twin.data == 1.0 and len(topological_order(twin)) == n + 2
    del twin
del y
def chain(t):
    for _ in range(n // 10):
        t = t * 1.0
    return t
assert mg.grad(chain)(2.0) == 1.0
assert mg.jvp(chain, (2.0,), (3.0,))[1] == 3.0
assert mg.hvp(chain, (2.0,), (1.0,)) == 0.0
print("done")
"""


@pytest.mark.long
def test_million_nodes():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(n=1_000_000)], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr[-2000:]
