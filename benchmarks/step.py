"""One full-batch step of MLP(2, [16, 16, 1]) on 50 points: forward, backward, zero."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import micrograd.engine
import micrograd.nn

import microgradient as mg
from closure_free import PlainValue

SIZES = (2, 16, 16, 1)
Layers = list[list[tuple[list[Any], Any]]]  # for each layer, for each neuron: weights, bias

_rng = random.Random(0)
DATA = [((_rng.uniform(-1, 1), _rng.uniform(-1, 1)), _rng.choice((-1, 1))) for _ in range(50)]
WEIGHTS: Layers = [
    [([_rng.uniform(-1, 1) for _ in range(n_in)], _rng.uniform(-1, 1)) for _ in range(n_out)]
    for n_in, n_out in pairwise(SIZES)
]


def loss_of(
    model: Callable[[Any], Any], point: Callable[[Any], Any], relu: Callable[..., Any]
) -> Any:
    """The hinge loss of micrograd's demo, without its penalty."""
    return sum(relu(1 + -y * model([point(t) for t in x])) for x, y in DATA)


def through_nn(module: Any, value: Any) -> Callable[[], list[float]]:
    """A step of a library with micrograd's interface, using its own MLP."""
    model = module.MLP(SIZES[0], list(SIZES[1:]))
    flat = [w for layer in WEIGHTS for ws, b in layer for w in (*ws, b)]
    for parameter, weight in zip(model.parameters(), flat):
        parameter.data = weight

    def step() -> list[float]:
        loss = loss_of(model, value, lambda v: v.relu())
        model.zero_grad()
        loss.backward()
        return [loss.data, *(p.grad for p in model.parameters())]

    return step


def forward(layers: Layers, x: Sequence[Any], relu: Callable[[Any], Any]) -> Any:
    """The network in plain operators."""
    for i, layer in enumerate(layers):
        sums = [sum((w * t for w, t in zip(ws, x)), b) for ws, b in layer]
        x = [relu(s) for s in sums] if i < len(layers) - 1 else sums
    return x[0]


def with_operators(value: Any) -> Callable[[], list[float]]:
    """A step of a library with micrograd's Value, written in plain operators."""
    layers: Layers = [[([value(w) for w in ws], value(b)) for ws, b in layer] for layer in WEIGHTS]
    parameters = [p for layer in layers for ws, b in layer for p in (*ws, b)]

    def step() -> list[float]:
        loss = loss_of(lambda x: forward(layers, x, lambda v: v.relu()), value, lambda v: v.relu())
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        return [loss.data, *(p.grad for p in parameters)]

    return step


def with_xad() -> Callable[[], list[float]]:
    """The same operators on XAD, a tape in C++."""
    from xad.adj_1st import Real, Tape

    layers: Layers = [[([Real(w) for w in ws], Real(b)) for ws, b in layer] for layer in WEIGHTS]
    parameters = [p for layer in layers for ws, b in layer for p in (*ws, b)]

    def relu(v: Any) -> Any:
        return v if v > 0 else v * 0.0

    def step() -> list[float]:
        with Tape() as tape:
            for p in parameters:
                tape.registerInput(p)
            tape.newRecording()
            loss = loss_of(lambda x: forward(layers, x, relu), float, relu)
            tape.registerOutput(loss)
            loss.derivative = 1.0
            tape.computeAdjoints()
            return [loss.value, *(p.derivative for p in parameters)]

    return step


def with_torch_scalars() -> Callable[[], list[float]]:
    import torch

    def value(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64)

    layers: Layers = [
        [([value(w).requires_grad_() for w in ws], value(b).requires_grad_()) for ws, b in layer]
        for layer in WEIGHTS
    ]
    parameters = [p for layer in layers for ws, b in layer for p in (*ws, b)]

    def step() -> list[float]:
        loss = loss_of(lambda x: forward(layers, x, torch.relu), value, torch.relu)
        for p in parameters:
            p.grad = None
        loss.backward()
        return [loss.item(), *(p.grad.item() for p in parameters)]

    return step


def with_torch_tensors() -> Callable[[], list[float]]:
    import torch

    xs = torch.tensor([x for x, _ in DATA], dtype=torch.float64)
    ys = torch.tensor([y for _, y in DATA], dtype=torch.float64)
    layers = [
        (
            torch.tensor([ws for ws, _ in layer], dtype=torch.float64, requires_grad=True),
            torch.tensor([b for _, b in layer], dtype=torch.float64, requires_grad=True),
        )
        for layer in WEIGHTS
    ]

    def step() -> list[float]:
        h = xs
        for i, (w, b) in enumerate(layers):
            h = h @ w.T + b
            h = torch.relu(h) if i < len(layers) - 1 else h
        loss = torch.relu(1 - ys * h[:, 0]).sum()
        for w, b in layers:
            w.grad = b.grad = None
        loss.backward()
        rows = [torch.cat([w.grad, b.grad[:, None]], 1).flatten().tolist() for w, b in layers]
        return [loss.item(), *(g for row in rows for g in row)]

    return step


def contestants() -> dict[str, Callable[[], list[float]]]:
    """Return every step that can run here, after checking that all give the same numbers."""
    steps = {
        "micrograd": through_nn(micrograd.nn, micrograd.engine.Value),
        "microgradient, nn": through_nn(mg.nn, mg.Value),
        "microgradient, plain operators": with_operators(mg.Value),
        "a closure-free Value, plain operators": with_operators(PlainValue),
    }
    if find_spec("xad"):
        steps["XAD, plain operators"] = with_xad()
    if find_spec("torch"):
        steps["torch, 0-d tensors, plain operators"] = with_torch_scalars()
        steps["torch, tensors (for scale: vectorised)"] = with_torch_tensors()
    expected = steps["micrograd"]()
    for name, step in steps.items():
        for got, want in zip(step(), expected, strict=True):
            if not math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-12):
                raise AssertionError(f"{name} computes something else: {got} for {want}")
    return steps
