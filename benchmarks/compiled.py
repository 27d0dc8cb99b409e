"""Print the table of what compiling is worth: python benchmarks/compiled.py [SECTION ...]

Sections: warm, cold, restarts, ratio, gpt, python. One process except for the cold starts,
alternating rounds, medians, ratios. Peers that are not installed are left out.
"""

from __future__ import annotations

import ctypes
import json
import math
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import family_trees_peers as family
import gpt_tape
import microgradient as mg
import objectives
import xor_peers
from contest import medians, show
from microgradient import nn
from microgradient.compiler.backends import kernel_of
from microgradient.compiler.llvm.builder import Module
from microgradient.compiler.llvm.jit import Code, vector_width
from microgradient.compiler.llvm.training_kernel import NetworkTrainer
from microgradient.engine.services.trees import leaves, rebuild
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import TrainingPrograms, training_programs
from microgradient.rumelhart1986 import Network
from microgradient.rumelhart1986.experiments.family_trees import ARCHITECTURE
from microgradient.rumelhart1986.experiments.xor import TWO_HIDDEN

HERE = Path(__file__).parent
MULTIPLY_ADDS = 162_864  # of a sweep: 3 x 57,600 less those by inputs, and the biases


def family_trees_programs(problem: family.Problem) -> TrainingPrograms:
    """Return the compiled parts of the training, without a criterion, as the peers have none."""
    network = Network(ARCHITECTURE, 1.0, 1.0, random.Random(0))
    return training_programs(
        Objective(
            network,
            lambda outputs, targets: nn.margin_error(outputs, targets, family.LOW, family.HIGH),
            criterion=None,
        ),
        nn.Momentum(network.parameters(), *family.WARM, family.DECAY),
        list(zip(problem.inputs, problem.targets)),
    )


def by_microgradient(problem: family.Problem) -> Callable[[], list[float]]:
    """Return the training, compiled beforehand like that of the peers."""
    parts = family_trees_programs(problem)
    count = len(parts.patterns)
    kernel = NetworkTrainer(parts.gradient, parts.update, count, count)
    kernel.present(parts.patterns)

    def train() -> list[float]:
        kernel.set_column(0, problem.weights)
        kernel.set_column(1, [0.0] * len(problem.weights))
        for sweeps, rate, momentum in family.phases(problem.sweeps):
            kernel.train(sweeps, [(rate, momentum, 1 - family.DECAY)], False)
        return kernel.column(0)

    return train


def multiply_add_limit(count: int) -> Callable[[], object]:
    """Return a function that does ``count`` multiply-adds in registers and nothing else."""
    sums, width = 20, vector_width()
    kind = f"<{width} x double>"
    near_one, half = 0x3FEFFFFFFFFFFFFF, 0x3FE0000000000000
    lines = [f"define {kind} @limit(i64 %n) {{", "entry:", "  br label %loop", "loop:"]
    lines.append("  %i = phi i64 [ 0, %entry ], [ %j, %loop ]")
    starts = [
        f"%a{k} = phi {kind} [ zeroinitializer, %entry ], [ %b{k}, %loop ]" for k in range(sums)
    ]
    steps = [
        f"%b{k} = call {kind} @llvm.fmuladd.v{width}f64({kind} %a{k}, "
        f"{kind} splat (double 0x{near_one:X}), {kind} splat (double 0x{half:X}))"
        for k in range(sums)
    ]
    lines += [f"  {line}" for line in (*starts, *steps)]
    lines += ["  %j = add i64 %i, 1", "  %more = icmp slt i64 %j, %n"]
    lines += ["  br i1 %more, label %loop, label %done", "done:"]
    total = "%b0"
    for k in range(1, sums):
        lines.append(f"  %s{k} = fadd {kind} {total}, %b{k}")
        total = f"%s{k}"
    lines += [f"  store {kind} {total}, ptr %out, align 8", "  ret void", "}"]
    lines[0] = "define void @limit(i64 %n, ptr %out) {"
    lines.append(f"declare {kind} @llvm.fmuladd.v{width}f64({kind}, {kind}, {kind})")
    code = Code(Module("\n".join(lines), ()))
    function = code.function("limit", ["i64", "ptr"])
    out = (ctypes.c_double * width)()
    turns = count // (sums * width)
    return lambda: (code, function(turns, out))


def warm() -> dict[str, float]:
    problem = family.problem()
    trainers: dict[str, Callable[[], Any]] = {"microgradient": by_microgradient(problem)}
    for name, peer in family.PEERS.items():
        if find_spec(name):
            trainers[name] = peer(problem)
    expected = trainers["numpy"]()
    for name, trainer in trainers.items():
        apart = family.difference(trainer(), expected)
        if apart > 1e-6:
            raise AssertionError(f"{name} learns other weights: {apart}")
    limit = {"limit": multiply_add_limit(MULTIPLY_ADDS * problem.sweeps)}
    seconds = medians({**trainers, **limit}, rounds=9)
    show("Family trees, 104 cases, 1,500 sweeps, warm", seconds, "microgradient")
    return seconds


def cold(peers: Sequence[str] = tuple(family.PEERS), rounds: int = 5) -> dict[str, float]:
    problem = family.problem()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.json"
        file.write_text(json.dumps(asdict(problem)), "utf-8")
        script = str(HERE / "family_trees_peers.py")

        def process(name: str) -> Callable[[], object]:
            command = [sys.executable, script, name, str(file)]
            return lambda: subprocess.run(command, check=True, capture_output=True)

        names = ["microgradient", *(name for name in peers if find_spec(name))]
        seconds = medians({name: process(name) for name in names}, rounds)
    show("The same, a process from its start to trained", seconds, "microgradient")
    return seconds


def restart_trainers(*, fastest: bool = False) -> dict[str, Callable[[], Any]]:
    """Return ours and our peers' trainings, which have been compared; maybe the fastest alone."""
    weights = xor_peers.initial()
    cases = [((float(a), float(b)), [target]) for a, b, target in xor_peers.CASES]

    def train(workers: int) -> xor_peers.Trained:
        models = [Network(TWO_HIDDEN.architecture, 1.0, 1.0, random.Random(0)) for _ in weights]
        for model, row in zip(models, weights):
            for parameter, weight in zip(model.parameters(), row, strict=True):
                parameter.data = weight
        results = nn.train_replicas(
            models,
            cases,
            loss=nn.half_squared_error,
            optimizer=lambda p: nn.Momentum(p, xor_peers.RATE, xor_peers.MOMENTUM),
            sweeps=30_000,
            update="presentation",
            criterion=nn.within(xor_peers.TOLERANCE),
            workers=workers,
        )
        trained = [[p.data for p in result.model.parameters()] for result in results]
        return trained, [result.sweeps for result in results]

    trainers: dict[str, Callable[[], Any]] = {
        "microgradient, two threads": lambda: train(2),
        "microgradient, one thread": lambda: train(1),
    }
    if not fastest:
        trainers["numpy"] = xor_peers.by_numpy(weights)
    if find_spec("jax"):
        trainers["jax, in chunks without the stopped"] = xor_peers.by_jax(weights)
        if not fastest:
            trainers["jax, vmap and fori_loop"] = xor_peers.by_jax_fori(weights)
    expected = list(trainers.values())[-1]()
    for name, trainer in trainers.items():
        xor_peers.check(trainer(), expected, name)
    return trainers


def restarts() -> None:
    title = "XOR 2-2-1, 1,000 restarts of up to 30,000 sweeps"
    seconds = medians(restart_trainers(), rounds=3)
    show(title, seconds, "microgradient, two threads")


def _repeated(kernel: Any, inputs: Sequence[float]) -> Callable[[], object]:
    given = (ctypes.c_double * len(inputs))(*inputs)
    return kernel.again(given)  # type: ignore[no-any-return]


def ratio() -> None:
    print("\nGradient over value, both compiled")
    for name, objective in objectives.OBJECTIVES.items():
        f, x0 = objective(mg)
        pair = [
            kernel_of(mg.compile(g, backend="python").program(x0), "llvm") for g in (f, mg.grad(f))
        ]
        calls = {str(i): _repeated(kernel, x0) for i, kernel in enumerate(pair)}
        seconds = medians(calls, rounds=15, calls=20 if name in ("lstm", "family_trees") else 2000)
        value, gradient = seconds["0"], seconds["1"]
        count = objectives.operations(objective)
        print(
            f"  {name:<14} {count:>8,} operations   value {value * 1e6:9.2f} us   "
            f"gradient {gradient * 1e6:9.2f} us   ratio {gradient / value:5.2f}"
        )


def gpt() -> None:
    rng = random.Random(0)
    shapes = gpt_tape.parameters(float, rng)
    tokens = [rng.randrange(gpt_tape.TOKENS) for _ in range(gpt_tape.POSITIONS + 1)]
    flat = leaves(shapes)
    step = mg.compile(mg.value_and_grad(lambda w: gpt_tape.loss(rebuild(shapes, iter(w)), tokens)))
    tape = gpt_tape.step(gpt_tape.TapeValue)
    value, gradient = step(flat)
    for x, y in zip([value, *gradient], tape(), strict=True):
        if abs(x - y) > 1e-9:
            raise AssertionError(f"the compiled step computes something else: {x} for {y}")
    seconds = medians({"microgradient": lambda: step(flat), "tape": tape}, rounds=7)
    show("A scalar GPT step, forward and backward", seconds, "microgradient")


def python() -> None:
    """A sweep of the family trees as generated Python, against micrograd."""
    problem = family.problem()
    parts = family_trees_programs(problem)
    kernel = kernel_of(parts.gradient, "python")
    eager = _micrograd_sweep(problem)
    calls = {
        "microgradient, Python source": lambda: kernel.run_batch(problem.weights, parts.patterns),
        "micrograd": eager,
    }
    slopes = calls["microgradient, Python source"]()
    for x, y in zip(slopes, eager()):
        if abs(x - y) > 1e-9:
            raise AssertionError(f"the compiled sweep computes something else: {x} for {y}")
    title = "Family trees, the gradient of one sweep, in Python"
    show(title, medians(calls, rounds=3), "microgradient, Python source")


def _exp(self: Any) -> Any:
    """exp, which micrograd lacks, written as its other operations are."""
    out = type(self)(math.exp(self.data), (self,), "exp")

    def backward() -> None:
        self.grad += out.data * out.grad

    out._backward = backward
    return out


def _micrograd_sweep(problem: family.Problem) -> Callable[[], list[float]]:
    from micrograd.engine import Value

    Value.exp = _exp
    values = [Value(w) for w in problem.weights]

    def layer(weights: Any, read: Sequence[Any], size: int) -> list[Any]:
        sums = [sum([next(weights) * x for x in read]) + next(weights) for _ in range(size)]
        return [(1.0 + (-s).exp()) ** -1 for s in sums]

    def outputs(inputs: Sequence[float]) -> list[Any]:
        weights = iter(values)
        codes = [*layer(weights, inputs[:24], 6), *layer(weights, inputs[24:], 6)]
        for size in (12, 6, 24):
            codes = layer(weights, codes, size)
        return codes

    def sweep() -> list[float]:
        for value in values:
            value.grad = 0.0
        for inputs, targets in zip(problem.inputs, problem.targets):
            error = 0.0
            for y, target in zip(outputs(inputs), targets):
                if target > 0.5 and y.data < family.HIGH:
                    error = error + 0.5 * (y - family.HIGH) ** 2
                elif target <= 0.5 and y.data > family.LOW:
                    error = error + 0.5 * (y - family.LOW) ** 2
            if not isinstance(error, float):
                error.backward()
        return [value.grad for value in values]

    return sweep


SECTIONS: dict[str, Callable[[], object]] = {
    "warm": warm,
    "cold": cold,
    "restarts": restarts,
    "ratio": ratio,
    "gpt": gpt,
    "python": python,
}


def main() -> None:
    machine = f"{platform.machine()}, {vector_width()} lanes"
    print(f"Python {platform.python_version()}, {machine}, medians")
    for name in sys.argv[1:] or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
