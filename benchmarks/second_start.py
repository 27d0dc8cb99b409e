"""Time `microgradient train all` in new processes: python benchmarks/second_start.py

A first start finds no kept machine code, a second one that of the first; with the cache off nothing
is kept. They alternate, so that all see the same machine. One sweep of each network is its start;
the whole command also trains to the end, which kept code makes no faster.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from contest import medians, show

WHOLE = [sys.executable, "-m", "microgradient", "train", "all"]
START = [*WHOLE, "--sweeps", "1", "--backend", "llvm"]
IMPORTS = [sys.executable, "-c", "import microgradient.cli, llvmlite.binding"]
WANTED = 0.5


def start(command: list[str], cache: str | Path) -> None:
    """Run ``command`` in a new process that keeps machine code in ``cache``, and bytecode."""
    environment = {**os.environ, "MICROGRADIENT_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each start compiles our Python as well
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: a network did not learn
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr}")


def contestants(command: list[str], cache: Path) -> dict[str, Callable[[], object]]:
    """Return the starts of ``command`` by name, in the order in which each round runs them."""

    def first() -> None:
        for entry in cache.glob("*"):
            entry.unlink()
        start(command, cache)

    return {
        "cache off": partial(start, command, "off"),
        "first": first,
        "second": partial(start, command, cache),
    }


def main() -> None:
    seen = []
    for title, command in (("To the first sweep", START), ("The whole command", WHOLE)):
        with tempfile.TemporaryDirectory() as folder:
            runs = contestants(command, Path(folder) / "cache")
            imports = {"its imports alone": partial(start, IMPORTS, "off")}
            seconds = medians(runs | imports, rounds=5)
        show(f"{title}: microgradient {' '.join(command[3:])}", seconds, "first")
        seen.append(seconds)
    print("\nTarget: a second start takes half the time")
    for name, seconds in zip(("to the first sweep", "the whole command"), seen, strict=True):
        for base in ("first", "cache off"):
            ratio = seconds["second"] / seconds[base]
            met = "met" if ratio <= WANTED else "MISSED"
            print(f"  {f'{name}, second over {base}':<44} {ratio:8.2f}  at most {WANTED}: {met}")


if __name__ == "__main__":
    main()
