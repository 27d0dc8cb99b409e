"""Print every figure of the README's section on speed: python benchmarks/run.py"""

from __future__ import annotations

import gc
import platform

import chain
import step
from contest import medians, show


def main() -> None:
    machine = f"{platform.machine()}, {platform.system()}"
    print(f"Python {platform.python_version()} on {machine}, one process, medians")
    show(
        "One full-batch step of MLP(2, [16, 16, 1]) on 50 points (forward, backward, zero)",
        medians(step.contestants(), rounds=5, calls=3),
        "micrograd",
    )
    short, long, chains = 10_000, 1_000_000, 10

    def per_node(rounds: int) -> tuple[float, float]:
        times = medians(
            {"short": lambda: chain.lives(short, chains), "long": lambda: chain.lives(long, 1)},
            rounds,
        )
        return times["short"] / (short * chains) * 1e9, times["long"] / long * 1e9

    with chain.recursion_limit(100):
        shipped = per_node(rounds=7)
        gc.disable()
        off = per_node(rounds=5)
        gc.enable()
    print("\nA chain y = y * a: build, backward, free; recursion limit 100; ns a node")
    for name, (small, large) in (("collector on, as shipped", shipped), ("collector off", off)):
        each = f"{short:,}: {small:6.0f}   {long:,}: {large:6.0f}"
        print(f"  {name:<26} {each}   ratio {large / small:.2f}")
    print("\nMemory, bytes a node: after building, and with its gradient after backward")
    for name, link in chain.LINKS.items():
        built, swept = chain.bytes_per_node(link)
        print(f"  {name:<10} {built:6.0f} {swept:6.0f}")


if __name__ == "__main__":
    main()
