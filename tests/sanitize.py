"""Run what is in C under the compiler's sanitizers: python tests/sanitize.py (Linux, GCC).

It builds _node.c and _call.c with AddressSanitizer (memory freed, overrun) and
UndefinedBehaviorSanitizer in a copy of the package, runs the tests of the engine and of calls with
them, and then repeats a program with every single allocation failing in turn: each must end in an
exception, and leave no node behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = [
    "native",
    "value",
    "state_machine",
    "leaks",
    "anomaly",
    "attributes",
    "deep",
    "threads",
    "call_memory",
]
FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]

WITHOUT_MEMORY = """
import copy, gc
import _testcapi
import microgradient as mg
from microgradient.engine.native import node as c

def program():
    x, y = mg.Value(0.5, label="x"), mg.Value(2)
    z = mg.tanh(x * y - 1) / (y ** 2) + 3 * mg.maximum(x, y) - abs(-x)
    z = mg.dot([x, y, z], [z, 1.0, 2], x) + mg.fsum([x, z, 3]) + mg.dot([x] * 70, [y] * 70)
    z = mg.nn.half_squared_error([z, y], [1.0, 0.0]) + mg.exp(x).relu()
    chain = z
    for _ in range(300):
        chain = chain + 1.0
    chain.backward()
    order = c.computed_nodes(chain, z)  # called directly: CPython 3.11 forgets the arguments
    c.gradients(order, {chain: 1.0}, [x, y])  # of a Python function whose frame finds no room
    c.dependents(order, [x])
    x < 3, x == 2, x.parents, z.parents, z.partials, x.grad, hash(x), repr(z)
    x.grad, x.data, x.label = None, 4, "w"
    copy.copy(z)

program()
gc.collect()
before, failed = c.live_nodes(), 0
for start in range(3_000):
    _testcapi.set_nomemory(start, start + 1)
    try:
        program()
    except Exception as fault:  # a MemoryError, or what Python's own code turns it into
        failed += 1
        fault.__traceback__ = None  # the interpreter keeps its last MemoryError, with its frames
    finally:
        _testcapi.remove_mem_hooks()
    gc.collect(0)
    assert c.live_nodes() == before, f"allocation {start} leaves nodes behind"
assert failed > 500
print(f"{failed} failed allocations, no node left behind")
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "src", "microgradient")
        shutil.copytree(ROOT / "src" / "microgradient", source)
        include = f"-I{sysconfig.get_path('include')}"
        compiler = ["gcc", "-shared", "-fPIC", "-std=c11", "-ffp-contract=off", include, *FLAGS]
        for c_file in (source / "engine" / "_node.c", source / "compiler" / "llvm" / "_call.c"):
            library = c_file.with_suffix(".abi3.so")
            library.unlink(missing_ok=True)
            subprocess.run([*compiler, str(c_file), "-o", str(library), "-lm"], check=True)
        runtimes = [
            subprocess.run(
                ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
            ).stdout.strip()
            for name in ("libasan.so", "libubsan.so", "libstdc++.so")
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": str(source.parent),
            "PYTHONMALLOC": "malloc",  # pymalloc's arenas would hide a node that is used when freed
            "LD_PRELOAD": ":".join(runtimes),
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter keeps much; the tests count nodes
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "MICROGRADIENT_PURE": "0",
        }
        tests = [str(ROOT / "tests" / f"test_{name}.py") for name in TESTS]
        for command in (
            ["-c", "from microgradient.engine import native; assert native.node is not None"],
            ["-c", WITHOUT_MEMORY],
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        ):
            if code := subprocess.run([sys.executable, *command], env=environment).returncode:
                return code
    print("no fault found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
