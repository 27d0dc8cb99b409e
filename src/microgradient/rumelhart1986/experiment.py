"""An experiment of 1986 as data: architecture, patterns, recipe, and the source of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from microgradient.rumelhart1986.network import Architecture

PDP8 = "PDP vol. 1, ch. 8"
NATURE = "Nature 323"
HINTON = "Hinton 1986"
OURS = "not stated in the original; chosen here"


@dataclass(frozen=True)
class Pattern:
    """Inputs and targets (0 for off, 1 for on) with a name to show."""

    name: str
    inputs: tuple[float, ...]
    targets: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, and when it has learned; every number with its source.

    ``update`` is "presentation" or "sweep" (summed gradient); weights start uniform within
    ``initial_range``, biases within ``initial_bias_range``. Targets of 0 and 1 are trained as
    ``off`` and ``on``; with ``loss`` "margin", only what is on the wrong side of them counts. A
    network has learned when every output of every training pattern is within ``tolerance`` of the
    trained target. The first ``warmup_sweeps`` use ``warmup_rate`` and ``warmup_momentum``.
    Training stops when the criterion is met, or goes on to ``sweeps`` if ``full`` is True.
    """

    update: str
    rate: float
    momentum: float
    initial_range: float
    initial_bias_range: float
    tolerance: float
    sweeps: int
    decay: float = 0.0
    loss: str = "half-squared"
    off: float = 0.0
    on: float = 1.0
    warmup_sweeps: int = 0
    warmup_rate: float = 0.0
    warmup_momentum: float = 0.0
    full: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check("update", self.update in ("presentation", "sweep"), '"presentation" or "sweep"')
        self._check("loss", self.loss in LOSSES, " or ".join(f'"{name}"' for name in LOSSES))
        for name in ("rate", "initial_range", "tolerance"):
            self._check(name, 0 < getattr(self, name) < float("inf"), "a positive number")
        for name in ("momentum", "decay", "warmup_momentum"):
            self._check(name, 0 <= getattr(self, name) < 1, "a number from 0 up to, not with, 1")
        for name in ("initial_bias_range", "warmup_rate", "sweeps", "warmup_sweeps"):
            self._check(name, 0 <= getattr(self, name) < float("inf"), "a number of at least 0")
        self._check("off", 0 <= self.off < self.on <= 1, f"at least 0 and below on = {self.on}")
        chosen = {f.name for f in fields(self) if getattr(self, f.name) != f.default} - {"sources"}
        if unsourced := chosen - set(self.sources):
            raise ValueError(f"a recipe gives the source of each setting; {unsourced} has none")

    def _check(self, name: str, fine: bool, expected: str) -> None:
        if not fine:
            raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")


LOSSES = ("half-squared", "margin")
SETTINGS = tuple(f.name for f in fields(Recipe) if f.name != "sources")


@dataclass(frozen=True)
class Figure:
    """A number that somebody reported: what it counts, how much, who and where."""

    what: str
    value: str
    source: str


@dataclass(frozen=True)
class Variant:
    """One way to run an experiment, and what is on record about it.

    ``original`` holds the figures of 1986; ``page`` what a modern survey page on the web says, true
    or not, with our verdict. ``note`` says what sets the variant apart.
    """

    architecture: Architecture
    recipe: Recipe
    original: tuple[Figure, ...]
    note: str = ""
    page: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A table of codes to show after training: the activities of ``group`` for some patterns."""

    group: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class Experiment:
    """A task with its variants, the first being the default.

    ``held_out`` patterns are drawn by the seed and used for a test after training.
    """

    name: str
    title: str
    patterns: tuple[Pattern, ...]
    variants: Mapping[str, Variant]
    probes: tuple[Probe, ...]
    held_out: int = 0

    def __post_init__(self) -> None:
        for name, variant in self.variants.items():
            groups = variant.architecture.groups
            inputs = sum(group.size for group in variant.architecture.inputs)
            for pattern in self.patterns:
                if (len(pattern.inputs), len(pattern.targets)) != (inputs, groups[-1].size):
                    raise ValueError(f"{self.name} {name}: pattern {pattern.name!r} does not fit")

    @property
    def default(self) -> str:
        return next(iter(self.variants))
