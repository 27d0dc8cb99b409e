"""explain: a derivative as the sum over all paths of the products of local derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import mul

from microgradient.engine import ops
from microgradient.engine.floats import fsum
from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.repetitions import without_like_terms
from microgradient.view.graph.running_sums import with_sums
from microgradient.view.numerals import counted, large
from microgradient.view.text.formulas import ATOM, LATEX, TEXT, Notation, number
from microgradient.view.text.step_text import StepWriter

_MOST_FACTORS = 100  # for each path that limit= allows
_LINE = "\n      "
Edge = tuple[Value, int]  # a node, and which of its operands is next on the path


def explain(value: Value, x: Value, names: Names | None = None, *, limit: int = 100) -> Explanation:
    """Return d(value)/dx written out: for each path from x, the product of its local derivatives.

    Prints as text, first in symbols and then in numbers; a notebook displays LaTeX. It also says
    how many multiplications the paths take one by one, and how many the reverse sweep takes for
    the derivatives by all inputs at once: the reason for reverse mode. ``names`` is ``locals()``,
    or what ``watch`` remembered. If there are more than ``limit`` paths, one of the like terms of a
    sum is written out, and a node stands for the others, as on a page. Raises ValueError if the
    result does not depend on x, or if there are too many paths even so: their number may double
    with every node. Source: Bauer, Computational Graphs and Rounding Error, SIAM J. Numer. Anal.
    11 (1974).
    """
    limit = positive(limit, "limit")
    graph = NumberedGraph(value, names, "explain")
    if type(x) is not Value or x.op is ops.constant:
        raise TypeError(f"explain expects the Value to differentiate by, got {shown(x)}")
    if x not in graph.number:
        raise ValueError(
            f"the result does not depend on {x.label or 'that Value'} ({x.data!r}); pass one of "
            "the Values that it was computed from"
        )
    below = _counts(graph, x)
    if _too_many(below[graph.result], limit):
        folded = without_like_terms(with_sums(graph))
        if x in folded.number and not _too_many((few := _counts(folded, x))[folded.result], limit):
            graph, below = folded, few
    if _too_many(below[graph.result], limit):
        paths, factors = below[value][0], sum(below[value])
        raise ValueError(
            f"there {'is' if paths == 1 else 'are'} {large(paths)} path{'s' * (paths != 1)} from "
            f"x to the result with {large(factors)} factors, and explain writes out at most "
            f"{limit} with {_MOST_FACTORS * limit:,}; write explain(part, x) for a part of it "
            "(the loss of one example), raise limit=, or use trace(value), which needs each edge "
            "only once"
        )
    return Explanation(graph, x, tuple(_paths(graph, x, below)), below[graph.result][1])


def _too_many(count: tuple[int, int], limit: int) -> bool:
    paths, multiplications = count
    return paths > limit or paths + multiplications > _MOST_FACTORS * limit


@dataclass(frozen=True)
class Explanation:
    """d(result)/dx as a sum over ``paths``: tuples of (node, operand) edges, from the result on.

    ``multiplications`` is how many the products take if each path is multiplied out by itself.
    """

    graph: NumberedGraph
    x: Value
    paths: tuple[tuple[Edge, ...], ...]
    multiplications: int

    @property
    def products(self) -> list[float]:
        """The product of the local derivatives along each path."""
        return [reduce(mul, (node.partials[i] for node, i in path), 1.0) for path in self.paths]

    @property
    def value(self) -> float:
        """The derivative: the sum of the products."""
        return fsum(self.products)

    @property
    def reverse_multiplications(self) -> int:
        """How many multiplications the reverse sweep takes for the derivatives by all inputs.

        One for each edge, except for those of the result, whose adjoint is 1.
        """
        nodes = (node for node in self.graph.nodes if node is not self.graph.result)
        return sum(1 for node in nodes for _ in self.graph.edges(node))

    @property
    def all_multiplications(self) -> int:
        """How many multiplications the products along all paths from all inputs take."""
        paths, length = {self.graph.result: 1}, {self.graph.result: 0}
        for node in reversed(self.graph.nodes):
            for _, parent, _ in self.graph.edges(node):
                paths[parent] = paths.get(parent, 0) + paths[node]
                length[parent] = length.get(parent, 0) + length[node] + paths[node]
        inputs = [node for node in self.graph.nodes if not node.parents]
        return sum(max(0, length[x] - paths[x]) for x in inputs)

    def __repr__(self) -> str:
        writer = StepWriter(self.graph)
        lines = [f"{writer.derivative(self.x)} = {_equation(self, writer, TEXT, ' × ', _LINE)}"]
        lines += [f"{writer.symbol(n)} = {writer.formula(n)}" for n in self.graph.repeated]
        return "\n".join([*lines, self.cost()])

    def latex(self) -> str:
        """Return the equation as LaTeX, to be put between dollars."""
        writer = StepWriter(self.graph, LATEX)
        body = _equation(self, writer, LATEX, r" \cdot ", r" \\" + "\n&")
        return rf"\begin{{aligned}}{writer.derivative(self.x)} &= {body}\end{{aligned}}"

    def cost(self) -> str:
        """Return a sentence that compares the multiplications along paths and in the sweep."""
        inputs = sum(1 for node in self.graph.nodes if not node.parents)
        all_of_them = f"all {inputs} inputs" if inputs > 1 else "the input"
        these = (
            f"{counted(len(self.paths), 'path')}, {counted(self.multiplications, 'multiplication')}"
        )
        return (
            f"{these}. For the derivatives by {all_of_them}: "
            f"{large(self.all_multiplications)} along the paths, "
            f"{self.reverse_multiplications:,} by the reverse sweep, one for each edge."
        )

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$\n\n{self.cost()}"


def _equation(
    explanation: Explanation, writer: StepWriter, notation: Notation, times: str, line: str
) -> str:
    if not explanation.paths[0]:
        return "1"
    symbols = [
        times.join(writer.local_derivative(n, i) for n, i in path) for path in explanation.paths
    ]
    numbers = [
        times.join(number(notation, n.partials[i]).within(ATOM) for n, i in path)
        for path in explanation.paths
    ]
    values = [notation.number(product) for product in explanation.products]
    values = [v if not v.startswith("-") else notation.brackets % v for v in values]
    parts = [f"{line}+ ".join(symbols), f"{line}+ ".join(numbers)]
    if len(values) > 1:
        parts.append(" + ".join(values))
    return f"{line}= ".join([*parts, notation.number(explanation.value)])


def _counts(graph: NumberedGraph, x: Value) -> dict[Value, tuple[int, int]]:
    """Return, for each node that depends on x, the number of paths from x and multiplications."""
    found = {x: (1, 0)}  # the product of a path of n edges takes n - 1 multiplications
    length = {x: 0}  # edges of all paths together
    for node in graph.nodes:
        parents = [parent for _, parent, _ in graph.edges(node) if parent in found]
        if parents:
            paths = sum(found[parent][0] for parent in parents)
            length[node] = sum(length[parent] + found[parent][0] for parent in parents)
            found[node] = paths, length[node] - paths
    return found


def _paths(
    graph: NumberedGraph, x: Value, below: dict[Value, tuple[int, int]]
) -> Iterator[tuple[Edge, ...]]:
    """Yield every path from the result down to x, depth first, without recursion."""
    path: list[Edge] = []
    stack = [_ways(graph, graph.result, below)]
    if graph.result is x:
        yield ()
    while stack:
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
            if path:
                path.pop()
            continue
        path.append(edge)
        parent = edge[0].parents[edge[1]]
        if parent is x:
            yield tuple(path)
            path.pop()
        else:
            stack.append(_ways(graph, parent, below))


def _ways(graph: NumberedGraph, node: Value, below: Mapping[Value, object]) -> Iterator[Edge]:
    return iter([(node, i) for i, parent, _ in graph.edges(node) if parent in below])
