"""Deep XOR rewritten from the recipe of 1986 to today's, step by step; other paths; depths.

Every study has the rate that ``best_rate`` chose for it: what is compared are recipes at their
best, not how well one rate suits them.
"""

from __future__ import annotations

from dataclasses import replace

from microgradient.rumelhart1986.deep.network import Kind
from microgradient.rumelhart1986.deep.study import DeepStudy
from microgradient.rumelhart1986.deep.threshold import HardThreshold

LOGISTIC = Kind("sigmoid", 0.5)
WIDER = Kind("sigmoid", 1.0)
GLOROT = Kind("sigmoid", "glorot")
TANH = Kind("tanh", "glorot")
RELU = Kind("relu", "he")


def _residual(kind: Kind) -> Kind:
    return replace(kind, residual=True)


_BLOCKS = _residual(RELU)

REWRITE: tuple[tuple[str, DeepStudy], ...] = (
    (
        "1986: logistic units, ±.5, squared error, momentum",
        DeepStudy(LOGISTIC, 10, "momentum", 0.25),
    ),
    ("initial weights: Glorot and Bengio 2010", DeepStudy(GLOROT, 10, "momentum", 0.25)),
    ("hidden units: tanh", DeepStudy(TANH, 10, "momentum", 0.05)),
    ("hidden units: ReLU, with weights of He et al. 2015", DeepStudy(RELU, 10, "momentum", 0.0025)),
    ("residual layers: He et al. 2016", DeepStudy(_BLOCKS, 10, "momentum", 0.00025)),
    ("error: cross-entropy", DeepStudy(_BLOCKS, 10, "momentum", 0.0001, "cross-entropy")),
    ("optimizer: Adam, Kingma and Ba 2015", DeepStudy(_BLOCKS, 10, "adam", 0.01, "cross-entropy")),
    ("AdamW: Loshchilov and Hutter 2019", DeepStudy(_BLOCKS, 10, "adamw", 0.01, "cross-entropy")),
)
"""One network of ten layers: what was changed, and the study with this and all changes before."""

OTHER_PATHS: tuple[tuple[str, DeepStudy], ...] = (
    ("1986 with Adam", DeepStudy(LOGISTIC, 10, "adam", 0.005)),
    ("1986 with weights within ±1 and Adam", DeepStudy(WIDER, 10, "adam", 0.005)),
    ("1986 with weights of Glorot and Bengio and Adam", DeepStudy(GLOROT, 10, "adam", 0.005)),
    ("1986 with residual layers", DeepStudy(_residual(LOGISTIC), 10, "momentum", 0.025)),
    ("tanh with residual layers", DeepStudy(_residual(TANH), 10, "momentum", 0.05)),
)
"""Some of those changes without the others."""

LAYERS = (4, 6, 10)

BY_DEPTH: tuple[DeepStudy, ...] = tuple(
    DeepStudy(kind, layers, optimizer, rate)
    for kind, optimizer, rates in (
        (LOGISTIC, "momentum", (0.5, 0.25, 0.25)),
        (WIDER, "momentum", (1.0, 0.5, 0.25)),
        (LOGISTIC, "adam", (0.025, 0.05, 0.005)),
        (WIDER, "adam", (0.1, 0.05, 0.005)),
        (RELU, "momentum", (0.05, 0.01, 0.0025)),
        (RELU, "adam", (0.01, 0.001, 0.001)),
        (_residual(LOGISTIC), "momentum", (0.25, 0.1, 0.025)),
        (_BLOCKS, "momentum", (0.0025, 0.005, 0.00025)),
    )
    for layers, rate in zip(LAYERS, rates)
)
"""Kinds of networks with 4, 6 and 10 layers."""

DEEP_STUDIES: tuple[DeepStudy, ...] = tuple(
    dict.fromkeys([study for _, study in (*REWRITE, *OTHER_PATHS)] + [*BY_DEPTH])
)
"""All of them, each once."""

HARD_THRESHOLD = HardThreshold()
