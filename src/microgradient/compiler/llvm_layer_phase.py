"""A layer of a program as a function: calls of the kernel of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgradient.compiler.llvm_layers import LayerKernel, tiles
from microgradient.compiler.llvm_writer import PhaseWriter
from microgradient.compiler.loops import Layer, Run, Term


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
        for first, size, wide in tiles(layer.inner - neurons):
            start = (turn, str(first + neurons))
            for k, term in enumerate(self._merged(layer.terms)):
                own, own_step, common, common_step = _factors(term)
                kinds = self.is_shared(own), self.is_shared(common)
                self._call(
                    LayerKernel(self.a.lanes, *kinds, k > 0, wide, self.varying),
                    (self.pointer(own, start, "0"), self.distance(own, own.stride)),
                    self.distance(own, own_step),
                    self.pointer(common, (turn, "0"), "0"),
                    self.distance(common, common_step),
                    term.count,
                    self._bias(layer, start),
                    (self._out(layer, start), self.distance(self._place(layer), 1)),
                    (size, "%blocks"),
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
                LayerKernel(lanes, True, False, k > 0, 1, True),
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
        for term in terms:
            if merged and term.count == 1:
                last = merged[-1]
                steps = self._step(last.w, term.w), self._step(last.x, term.x)
                if last.count > 1:
                    regular = steps == (last.count * last.w_step, last.count * last.x_step)
                else:
                    regular = None not in steps
                if regular:
                    w_step, x_step = steps if last.count == 1 else (last.w_step, last.x_step)
                    merged[-1] = Term(last.w, w_step or 0, last.x, x_step or 0, last.count + 1)
                    continue
            merged.append(term)
        return merged

    def _step(self, one: Run, other: Run) -> int | None:
        """Return how many places ``other`` is behind ``one``, if both are in one memory."""
        same = (one.stride, one.jump) == (other.stride, other.jump)
        if one.store == other.store and same:
            return other.first - one.first
        if min(one.store, other.store) < 0 or not same:
            return None
        if self.is_shared(one) != self.is_shared(other):
            return None
        bases = self.module.bases
        return int(bases[other.store] + other.first - bases[one.store] - one.first)

    def _call(
        self,
        kernel: LayerKernel,
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
        operands = [
            f"ptr {own[0]}, i64 {own[1]}, i64 {own_step}",
            f"ptr {common}, i64 {common_step}, i64 {terms}",
            f"ptr {bias[0]}, i64 {bias[1]}",
            f"ptr {out[0]}, i64 {out[1]}",
            f"i64 {counts[0]}, i64 {counts[1]}",
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
