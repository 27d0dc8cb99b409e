"""The outputs of trained networks of one architecture, compiled once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microgradient.compiler import compiled
from microgradient.engine.value import Value
from microgradient.nn.functional import functional_call
from microgradient.nn.module import Module


def evaluator(like: Module) -> Callable[[Module, Sequence[Sequence[float]]], list[list[float]]]:
    """Return a function that gives the outputs of a module for each of some inputs.

    It is for modules with the names of parameters that ``like`` has, whose calls take a list of
    numbers and return a list of Values. It raises ValueError for others, and CompileError for what
    cannot be compiled.
    """
    names = [*like.named_parameters()]

    def outputs(weights: list[Value], xs: list[Value]) -> Any:
        return functional_call(like, dict(zip(names, weights)), (xs,))

    run = compiled.compile(outputs, batch="xs")

    def evaluate(module: Module, several: Sequence[Sequence[float]]) -> list[list[float]]:
        if [*module.named_parameters()] != names:
            raise ValueError(f"expected a module with the parameters of {like!r}, got {module!r}")
        weights = [parameter.data for parameter in module.parameters()]
        found: list[list[float]] = run(weights, [list(xs) for xs in several])
        return found

    return evaluate
