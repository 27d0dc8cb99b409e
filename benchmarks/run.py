"""Print the figures that speed is judged by, and their targets: python benchmarks/run.py

The native engine and, in a process of its own, the pure one; then compiling, calls, second starts
and training. Each beside its peers, in alternating rounds of one process. In the eager part a ratio
says how many times faster than the peer we are. Machine code is not kept from run to run.
"""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import chain
import gpt_tape
import step
import transforms
from contest import medians, show
from microgradient.engine import native

NATIVE = native.node is not None


class Target(NamedTuple):
    """What the native and the pure engine must reach: a ratio, or a limit (``most``)."""

    what: str
    native: float
    pure: float
    most: bool = False


STEP = "One full-batch step of MLP(2, [16, 16, 1]) on 50 points (forward, backward, zero)"
GPT = "One step of a scalar transformer (one layer, 16 wide, 4 heads, 8 positions)"
OPERATORS = Target("operators, against XAD", 6.0, 0.8)
THROUGH_NN = Target("nn, against XAD", 15.0, 3.0)
GPT_OPERATORS = Target("GPT, the same operators, against a closure-free Value", 12.0, 1.6)
GPT_DOT = Target("GPT, dot, against a closure-free Value", 30.0, 7.0)
BYTES = Target("bytes a node, with its gradient", 80.0, 145.0, most=True)
LONG = Target("ns a node in a chain of a million", 300.0, float("inf"), most=True)
SLOWER = Target("a node of a million, over one of ten thousand", 3.0, float("inf"), most=True)


def judge(target: Target, seen: float) -> None:
    """Print what was to be reached and what was."""
    wanted = target.native if NATIVE else target.pure
    met = seen <= wanted if target.most else seen >= wanted
    sign = "at most" if target.most else "at least"
    print(f"  {target.what:<56} {seen:8.2f}   {sign} {wanted:g}: {'met' if met else 'MISSED'}")


def main() -> None:
    machine = f"{platform.machine()}, {platform.system()}"
    print(f"{native.description}, Python {platform.python_version()} on {machine}, medians")
    steps = medians(step.contestants(), rounds=7, calls=2)
    show(STEP, steps, "micrograd")
    tape = medians(gpt_tape.contestants(), rounds=5)
    show(GPT, tape, "a closure-free Value")
    show(
        "Derivatives", medians(transforms.contestants(), rounds=7), "a closure-free Value, gradient"
    )
    short, long, rounds = 10_000, 1_000_000, 5 if NATIVE else 2  # in Python, seconds each
    with chain.recursion_limit(100):
        lives = medians(
            {"short": lambda: chain.lives(short, 10), "long": lambda: chain.lives(long, 1)}, rounds
        )
        gc.disable()
        off = medians({"long": lambda: chain.lives(long, 1)}, rounds // 2)["long"]
        gc.enable()
    each, every = lives["short"] / (10 * short) * 1e9, lives["long"] / long * 1e9
    print("\nA chain y = y * a: build, backward, free; recursion limit 100; ns a node")
    print(f"  {short:,}: {each:.0f}   {long:,}: {every:.0f}", end="")
    print(f", without the collector {off / long * 1e9:.0f}")
    print("\nMemory, bytes a node: after building, and with its gradient after backward")
    sizes = {name: chain.bytes_per_node(link) for name, link in chain.LINKS.items()}
    for name, (built, swept) in sizes.items():
        print(f"  {name:<10} {built:6.0f} {swept:6.0f}")
    print("\nTargets")
    if xad := steps.get("XAD, plain operators"):
        judge(OPERATORS, xad / steps["microgradient, plain operators"])
        judge(THROUGH_NN, xad / steps["microgradient, nn"])
    peer = tape["a closure-free Value"]
    judge(GPT_OPERATORS, peer / tape["microgradient, the same operators"])
    judge(GPT_DOT, peer / tape["microgradient, dot"])
    judge(BYTES, round(sizes["y * a"][1]))  # the chain has ends
    judge(LONG, every)
    judge(SLOWER, every / each)
    if NATIVE:
        print(flush=True)
        subprocess.run([sys.executable, __file__], env={**os.environ, "MICROGRADIENT_PURE": "1"})
        nothing_kept = {**os.environ, "MICROGRADIENT_CACHE": "off"}
        for name in ("compiling.py", "calls.py", "second_start.py", "training.py"):
            subprocess.run([sys.executable, Path(__file__).with_name(name)], env=nothing_kept)


if __name__ == "__main__":
    main()
