"""A layer of a program as a function: calls of the kernel of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from microgradient.compiler.llvm.addresses import PhaseWriter
from microgradient.compiler.llvm.contraction import Contraction, tiles
from microgradient.compiler.loops.nests import Layer, Run, Term
from microgradient.compiler.loops.progressions import progressions


class LayerPhase(PhaseWriter):
    """The function of a layer."""

    def __init__(self, module: Any, number: int, layer: Layer) -> None:
        super().__init__(module, number, layer)
        self._layer(layer)

    def _layer(self, layer: Layer) -> None:
        if layer.inner == layer.count:
            self._calls(layer, "0")
        else:
            with self.lines.loop(layer.count // layer.inner) as turn:
                self._calls(layer, turn)

    def _calls(self, layer: Layer, turn: str) -> None:
        """Call a kernel for each stretch of neurons and of terms."""
        neurons = 0 if self.varying else self._side_by_side(layer, turn)
        for first, size, wide in tiles(layer.inner - neurons, (6, 4)):
            start = (turn, str(first + neurons))
            for k, term in enumerate(self._merged(layer.terms)):
                own, own_step, common, common_step = _factors(term)
                rows = "a" * (not self.is_shared(own)) + "b" * (not self.is_shared(common))
                self._call(
                    Contraction(self.a.lanes, wide, 2, rows, "out" if k else "bias"),
                    (self.pointer(own, start, "0"), self.distance(own, own.stride)),
                    self.distance(own, own_step),
                    self.pointer(common, (turn, "0"), "0"),
                    self.distance(common, common_step),
                    term.count,
                    self._bias(layer, start),
                    (self._out(layer, start), self.distance(self._place(layer), 1)),
                    (size, "%blocks" if self.varying else 1),
                )

    def _side_by_side(self, layer: Layer, turn: str) -> int:
        """Compute neurons whose weights lie side by side in the lanes of vectors; return how many.

        To the kernel they are rows, and the common factor is the weight of its only neuron.
        """
        lanes: int = self.module.vector
        count = layer.inner // lanes * lanes
        terms = self._merged(layer.terms)
        factors = [_factors(term) for term in terms]
        if not count or any(own.stride != 1 for own, _, _, _ in factors):
            return 0
        if layer.bias is not None and layer.bias.stride:
            return 0
        start = (turn, "0")
        for k, (term, (own, own_step, common, common_step)) in enumerate(zip(terms, factors)):
            self._call(
                Contraction(lanes, 1, 2, "b", "out" if k else "bias"),
                (self.pointer(common, start, "0"), 0),
                common_step,
                self.pointer(own, start, "0"),
                own_step,
                term.count,
                self._bias(layer, start),
                (self._out(layer, start), 0),
                (1, count // lanes),
            )
        return count

    def _merged(self, terms: Sequence[Term]) -> list[Term]:
        """Return fewer stretches: groups, too, may lie at equal distances, such as time steps'."""
        merged: list[Term] = []
        for alone, group in groupby(terms, key=lambda term: term.count == 1):
            if not alone:
                merged += group
                continue
            some = list(group)
            done = 0
            points = ((self._memory(t.w), self._memory(t.x)) for t in some)
            for p in progressions(((w[0], x[0]), (w[1], x[1])) for w, x in points):
                first = some[done]
                merged.append(Term(first.w, p.step[0], first.x, p.step[1], p.size))
                done += p.size
        return merged

    def _memory(self, run: Run) -> tuple[tuple[object, ...], int]:
        """Return which memory a run lies in, with its strides, and where in it."""
        if run.store < 0:
            return (run.store, run.stride, run.jump), run.first
        kind = "t" if self.is_shared(run) else "v"
        return (kind, run.stride, run.jump), self.module.bases[run.store] + run.first

    def _call(
        self,
        kernel: Contraction,
        own: tuple[str, int | str],
        own_step: int | str,
        common: str,
        common_step: int | str,
        terms: int,
        bias: tuple[str, int],
        out: tuple[str, int | str],
        counts: tuple[int, int | str],
    ) -> None:
        self.module.kernels[kernel.name] = kernel
        lanes = kernel.lanes
        operands = [
            f"ptr {own[0]}, i64 {own[1]}, i64 {lanes}, i64 {own_step}",
            f"ptr {common}, i64 {lanes}, i64 {common_step}",
            f"ptr {bias[0]}, i64 {bias[1]}",
            f"ptr {out[0]}, i64 {out[1]}, i64 {lanes}",
            f"i64 {counts[0]}, i64 {counts[1]}, i64 {terms}",
        ]
        self.lines.do(f"call void @{kernel.name}({', '.join(operands)})")

    def _bias(self, layer: Layer, start: tuple[str, str]) -> tuple[str, int]:
        if layer.bias is None:
            return f"@{self.module.name}_zero", 0
        return self.pointer(layer.bias, start, "0"), layer.bias.stride

    def _place(self, layer: Layer) -> Run:
        return Run(layer.group, layer.first, 1, layer.inner)

    def _out(self, layer: Layer, start: tuple[str, str]) -> str:
        return self.pointer(self._place(layer), start, "0")


def _factors(term: Term) -> tuple[Run, int, Run, int]:
    """Return the factor that is each neuron's own and its step, then the common one's."""
    if term.w.stride or not term.x.stride:
        return term.w, term.w_step, term.x, term.x_step
    return term.x, term.x_step, term.w, term.w_step
