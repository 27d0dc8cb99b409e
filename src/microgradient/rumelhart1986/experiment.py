"""An experiment of 1986 as data: architectures, patterns and recipes, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from microgradient.rumelhart1986.network import Architecture

PDP8 = "PDP vol. 1, ch. 8"
NATURE = "Nature 323"
HINTON = "Hinton 1986"
OURS = "not stated in the original; chosen here"
COMMON = {
    "update": f'{PDP8}, eq. 16: "n indexes the presentation number"',
    "momentum": f'{PDP8}, p. 330: "In most of our simulations α was about 0.9"',
    "off": f'{PDP8}, p. 329: "we typically use the values of 0.1 and 0.9 as the targets"',
    "on": f"{PDP8}, p. 329",
    "initial_range": f"{OURS}: ±1 comes nearest to the counts for XOR on p. 334",
    "initial_bias_range": f"{OURS}: as the weights",
    "tolerance": OURS,
    "sweeps": OURS,
}
"""Sources of what the experiments of the chapter have in common."""


@dataclass(frozen=True)
class NamedPattern:
    """Inputs and targets (0 for off, 1 for on), and a name to show."""

    name: str
    inputs: tuple[float, ...]
    targets: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, and when it has learned. Every number has its source.

    ``update`` is "presentation" or "sweep" (with the summed gradient). Weights start uniform within
    ±``initial_range``, biases within ±``initial_bias_range``. Targets of 0 and 1 are trained as
    ``off`` and ``on``; with ``loss`` "margin", only outputs on the wrong side of them count, and
    with "margin-cross-entropy" the slope of an output unit does not. A
    network has learned when every output of every training pattern is within ``tolerance`` of its
    trained target: training then stops, or goes on for all ``sweeps`` if ``stop_when_met`` is
    False. Biases stay at ``bias_at_most`` or below. The first ``warmup_sweeps`` use ``warmup_rate``
    and ``warmup_momentum``. Raises ValueError for numbers out of range and for settings without a
    source.
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
    bias_at_most: float = float("inf")
    stop_when_met: bool = True
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check("update", self.update in ("presentation", "sweep"), '"presentation" or "sweep"')
        self._check("loss", self.loss in LOSSES, " or ".join(f'"{name}"' for name in LOSSES))
        for name in ("rate", "tolerance"):
            self._check(name, 0 < getattr(self, name) < float("inf"), "a positive number")
        for name in ("momentum", "decay", "warmup_momentum"):
            self._check(name, 0 <= getattr(self, name) < 1, "a number of at least 0 and below 1")
        ranges = ("initial_range", "initial_bias_range")
        for name in (*ranges, "warmup_rate", "sweeps", "warmup_sweeps"):
            self._check(name, 0 <= getattr(self, name) < float("inf"), "a number of at least 0")
        both = self.warmup_sweeps and self.bias_at_most < float("inf")
        self._check("bias_at_most", not both, "left out where there are warmup_sweeps")
        self._check("bias_at_most", self.bias_at_most > -float("inf"), "a number, or inf for none")
        self._check("off", 0 <= self.off < self.on <= 1, f"at least 0 and below on = {self.on}")
        chosen = {f.name for f in fields(self) if getattr(self, f.name) != f.default} - {"sources"}
        if unsourced := sorted(chosen - set(self.sources)):
            raise ValueError(
                "a recipe must give the source of each setting; there is none for "
                f"{', '.join(unsourced)}"
            )

    def changed(self, settings: Mapping[str, object], source: str) -> Recipe:
        """Return a recipe with other settings, which all have one source. Raises as the class."""
        sources = {**self.sources, **dict.fromkeys(settings, source)}
        return replace(self, **settings, sources=sources)  # type: ignore[arg-type]

    def _check(self, name: str, fine: bool, expected: str) -> None:
        if not fine:
            raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")


LOSSES = ("half-squared", "margin", "margin-cross-entropy")
MARGIN = 0.2, 0.8
"""What outputs that are off or on are to be below or above (Nature 323, Fig. 4)."""
SETTINGS = tuple(f.name for f in fields(Recipe) if f.name != "sources")


def pdp8_recipe(
    rate: float,
    sources: Mapping[str, str],
    initial_range: float = 1.0,
    sweeps: int = 10_000,
    bias_at_most: float = float("inf"),
) -> Recipe:
    """Return a recipe of the chapter: what is not given here is as in most of its experiments.

    Biases start in the same range as weights. ``sources`` add to those of ``COMMON``, or replace
    them; errors are those of ``Recipe``.
    """
    return Recipe(
        update="presentation",
        rate=rate,
        momentum=0.9,
        initial_range=initial_range,
        initial_bias_range=initial_range,
        tolerance=0.1,
        sweeps=sweeps,
        off=0.1,
        on=0.9,
        bias_at_most=bias_at_most,
        sources={**COMMON, **sources},
    )


@dataclass(frozen=True)
class Claim:
    """What somebody found: the quantity, its value, and the source or a remark."""

    quantity: str
    value: str
    source: str


@dataclass(frozen=True)
class Variant:
    """One way to run an experiment, and what has been reported about it.

    ``original`` holds the findings of 1986, ``survey_page`` what a modern page on the web states,
    right or wrong, with our verdict. ``note`` says what sets the variant apart. Where the recipe is
    known not to learn everything, ``better`` is the variant that does. Where training takes long,
    one seed in ``one_in`` is trained.
    """

    architecture: Architecture
    recipe: Recipe
    original: tuple[Claim, ...]
    note: str = ""
    survey_page: tuple[Claim, ...] = ()
    better: str | None = None
    one_in: int = 1


@dataclass(frozen=True)
class Probe:
    """Codes to show after training: the activities of the units of ``group`` for some patterns."""

    group: str
    patterns: tuple[NamedPattern, ...] = field(repr=False)


@dataclass(frozen=True)
class Experiment:
    """A task and its variants, of which the first is the default.

    ``held_out`` patterns are kept out of training and test the network after it: so many drawn at
    random, or sets of names, of which each seed takes the next one.
    ``unit_names`` names the units of a group, one by one, where they stand for something.
    """

    name: str
    title: str
    patterns: tuple[NamedPattern, ...]
    variants: Mapping[str, Variant]
    probes: tuple[Probe, ...]
    held_out: int | tuple[tuple[str, ...], ...] = 0
    unit_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = {pattern.name for pattern in self.patterns}
        sets = () if isinstance(self.held_out, int) else self.held_out
        for held_out in sets:
            if unknown := sorted({*held_out} - names):
                raise ValueError(f"{self.name} has no pattern {unknown[0]!r} to hold out")
        if len({len(held_out) for held_out in sets}) > 1:
            raise ValueError(f"{self.name}: sets of held-out patterns must be of one size")
        for name, variant in self.variants.items():
            if variant.better is not None and variant.better not in self.variants:
                raise ValueError(f"{self.name} has no variant {variant.better!r}")
            net = variant.architecture
            if any(len(names) != net.groups.get(g) for g, names in self.unit_names.items()):
                raise ValueError(f"{self.name} {name}: the names of units do not fit")
            for pattern in self.patterns:
                if (len(pattern.inputs), len(pattern.targets)) != (net.inputs, net.outputs):
                    raise ValueError(f"{self.name} {name}: pattern {pattern.name!r} does not fit")

    @property
    def tested(self) -> int:
        """How many patterns are held out."""
        if isinstance(self.held_out, int):
            return self.held_out
        return len(self.held_out[0]) if self.held_out else 0

    def __repr__(self) -> str:
        variants = ", ".join(self.variants)
        return f"<experiment {self.name!r}: {len(self.patterns)} patterns; variants {variants}>"

    @property
    def default(self) -> str:
        """The name of the default variant."""
        return next(iter(self.variants))
