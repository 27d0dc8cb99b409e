"""Studies that need no training, for the tests of how studies are run; processes import them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from microgradient.rumelhart1986.study import Outcome


@dataclass(frozen=True)
class Squares:
    """A seed's outcome is its square; ``before`` is called for each seed."""

    name: str = "squares"
    folder: str = ""

    @property
    def content(self):
        return self.name

    def wanted(self, seeds):
        return range(seeds)

    def outcomes(self, seeds, workers):
        return [self._outcome(seed) for seed in seeds]

    def _outcome(self, seed):
        return Outcome(seed, True, seed**2, 1, 0, {"half": seed / 2})


@dataclass(frozen=True)
class Noting(Squares):
    """Notes each seed that is trained in a file."""

    def outcomes(self, seeds, workers):
        with (Path(self.folder) / "trained").open("a") as file:
            file.write("".join(f"{seed}\n" for seed in seeds))
        return super().outcomes(seeds, workers)


@dataclass(frozen=True)
class Killing(Noting):
    """Kills its own process at the seed 5, ``times`` times."""

    times: int = 1

    def outcomes(self, seeds, workers):
        found = super().outcomes(seeds, workers)
        mark = Path(self.folder) / "killed"
        if 5 in seeds and (mark.read_text() if mark.exists() else "").count("x") < self.times:
            with mark.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return found


@dataclass(frozen=True)
class Failing(Squares):
    """Raises at the seed 7."""

    def outcomes(self, seeds, workers):
        if 7 in seeds:
            raise ValueError("seed 7 is impossible")
        return super().outcomes(seeds, workers)


@dataclass(frozen=True)
class Interrupted(Squares):
    """Is interrupted at the seed 7."""

    def outcomes(self, seeds, workers):
        if 7 in seeds:
            raise KeyboardInterrupt
        return super().outcomes(seeds, workers)
