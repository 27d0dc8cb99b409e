"""All pieces of the gallery, by name and in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc

from microgradient.gallery.piece import Finding, Picture, Race, Shown, timed

_HERE = "microgradient.gallery"
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Rivals": (
        "rivals.perceptron",
        "rivals.boltzmann",
        "rivals.hopfield",
        "rivals.genetic",
        "rivals.id3",
        "rivals.features",
    ),
    "Descendants": (
        "descendants.convolution",
        "descendants.lstm",
        "descendants.residual",
        "descendants.transformer",
        "descendants.optimizers",
        "descendants.neural_ode",
        "descendants.cannon",
        "descendants.implicit_layer",
        "descendants.hyperparameter",
        "descendants.autoencoder",
    ),
    "Learning without back-propagation": (
        "without_backprop.forward_forward",
        "without_backprop.equilibrium",
        "without_backprop.predictive_coding",
        "without_backprop.feedback_alignment",
    ),
    "Names, and what they are": ("names.networks", "names.training"),
}
"""The modules of each section of the page."""


def name_of(module: str) -> str:
    """Return what the command calls a piece: ``id3``, ``names-training``."""
    folder, _, name = module.rpartition(".")
    return f"{'names-' * (folder == 'names')}{name.replace('_', '-')}"


PIECES: Mapping[str, str] = {
    name_of(module): f"{_HERE}.{module}" for modules in SECTIONS.values() for module in modules
}
"""The module of each piece, by the name that the command knows it by."""

_NOT_INSTALLED = (
    "the gallery needs {missing}; install all that it needs with: "
    "pip install 'microgradient[gallery]'"
)


def module_of(name: str) -> str:
    """Return the module of the piece called ``name``; raises ValueError if there is none."""
    if name not in PIECES:
        raise ValueError(f"the gallery has no piece {name!r}; it has {', '.join(PIECES)}")
    return PIECES[name]


@dataclass(frozen=True)
class Exhibit:
    """What a piece has shown; each finding has the seconds that it took."""

    name: str
    title: str
    text: str
    findings: Sequence[tuple[Finding, float]]
    races: Sequence[Race]
    pictures: Sequence[Picture]
    seconds: float


def exhibit(name: str, *, small: bool = False) -> Exhibit:
    """Run the piece called ``name`` and return what it shows.

    Raises ValueError for unknown names, ImportError if a package is missing.
    """
    try:
        module = import_module(module_of(name))
    except ModuleNotFoundError as fault:
        raise ImportError(_NOT_INSTALLED.format(missing=fault.name)) from None
    shown: Iterator[Shown] = module.run(**(module.SMALL if small else {}))
    all_shown = [*timed(shown)]
    title, _, text = cleandoc(module.__doc__ or "").partition("\n\n")
    return Exhibit(
        name,
        title,
        text,
        [(one, seconds) for one, seconds in all_shown if isinstance(one, Finding)],
        [one for one, _ in all_shown if isinstance(one, Race)],
        [one for one, _ in all_shown if isinstance(one, Picture)],
        sum(seconds for _, seconds in all_shown),
    )
