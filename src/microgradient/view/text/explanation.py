"""A derivative as the sum over paths of products of local derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import mul

from microgradient.engine import ops
from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.view.graph.numbering import Names, Numbering
from microgradient.view.graph.sweep_steps import large
from microgradient.view.text.formulas import ATOM, LATEX, TEXT, Notation, number
from microgradient.view.text.step_text import Teller

_MOST_FACTORS = 100  # for each path that limit= allows
Edge = tuple[Value, int]  # a node, and the position among its operands of the next one down


def explain(value: Value, x: Value, names: Names | None = None, *, limit: int = 100) -> Explanation:
    """Return d(value)/dx written out: for each path from x, the product of its local derivatives.

    Prints as text, symbols first and then numbers; shows itself as LaTeX in a notebook. It also
    says how many multiplications the paths take one by one, and how many the reverse sweep needs
    for the derivatives by every input at once: that is why reverse mode. ``names`` is ``locals()``,
    or what ``watch`` remembered. Raises ValueError, with the number of paths, above ``limit``
    of them: they may double with every node. Source: Bauer, Computational Graphs and Rounding
    Error, SIAM J. Numer. Anal. 11 (1974).
    """
    limit = positive(limit, "limit")
    graph = Numbering(value, names, "explain")
    if type(x) is not Value or x.op is ops.constant:
        raise TypeError(f"explain expects the Value to differentiate by, got {shown(x)}")
    if x not in graph.number:
        raise ValueError(
            f"the result does not depend on {x.label or 'that Value'} ({x.data!r}); take one of "
            "the Values that it was made from"
        )
    below = _counts(graph, x)
    paths, factors = below[value][0], sum(below[value])
    if paths > limit or factors > _MOST_FACTORS * limit:
        raise ValueError(
            f"there {'is' if paths == 1 else 'are'} {large(paths)} path{'s' * (paths != 1)} from "
            f"x to the result with {large(factors)} factors, and explain writes out at most "
            f"{limit} with {_MOST_FACTORS * limit:,}: explain a node nearer to x, raise limit=, or "
            "see trace(value), which needs each edge only once"
        )
    return Explanation(graph, x, tuple(_paths(graph, x, below)), below[value][1])


@dataclass(frozen=True)
class Explanation:
    """d(result)/dx as a sum over ``paths``; each is a tuple of (node, operand) edges, result first.

    ``multiplications`` is how many the products take when every path is multiplied out alone.
    """

    graph: Numbering
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
        return ops.fsum(self.products)

    @property
    def reverse_multiplications(self) -> int:
        """How many the reverse sweep takes for the derivatives by all inputs: one for an edge.

        The edges of the result itself cost none, as its adjoint is 1.
        """
        nodes = (node for node in self.graph.nodes if node is not self.graph.result)
        return sum(1 for node in nodes for _ in self.graph.edges(node))

    @property
    def all_multiplications(self) -> int:
        """How many the products along all paths take for the derivatives by all inputs."""
        paths, length = {self.graph.result: 1}, {self.graph.result: 0}
        for node in reversed(self.graph.nodes):
            for _, parent, _ in self.graph.edges(node):
                paths[parent] = paths.get(parent, 0) + paths[node]
                length[parent] = length.get(parent, 0) + length[node] + paths[node]
        inputs = [node for node in self.graph.nodes if not node.parents]
        return sum(max(0, length[x] - paths[x]) for x in inputs)

    def __repr__(self) -> str:
        tell = Teller(self.graph)
        lines = _equation(self, tell, TEXT, " × ", "\n      ")
        return f"{tell.by(self.x)} = {lines}\n{self.cost()}"

    def latex(self) -> str:
        """Return the equation as LaTeX, to be put between dollars."""
        tell = Teller(self.graph, LATEX)
        body = _equation(self, tell, LATEX, r" \cdot ", r" \\" + "\n&")
        return rf"\begin{{aligned}}{tell.by(self.x)} &= {body}\end{{aligned}}"

    def cost(self) -> str:
        """Return how many multiplications this takes, and the reverse sweep for all inputs."""
        inputs = sum(1 for node in self.graph.nodes if not node.parents)
        return (
            f"{_many(len(self.paths), 'path')}, {_many(self.multiplications, 'multiplication')}. "
            f"For the derivatives by {f'all {inputs} inputs' if inputs > 1 else 'the input'}: "
            f"{large(self.all_multiplications)} along the paths, "
            f"{self.reverse_multiplications:,} by the reverse sweep, one for each edge."
        )

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$\n\n{self.cost()}"


def _equation(it: Explanation, tell: Teller, notation: Notation, times: str, line: str) -> str:
    if not it.paths[0]:
        return "1"
    symbols = [times.join(tell.local(n, i) for n, i in path) for path in it.paths]
    numbers = [
        times.join(number(notation, n.partials[i]).within(ATOM) for n, i in path)
        for path in it.paths
    ]
    values = [notation.number(product) for product in it.products]
    values = [v if not v.startswith("-") else notation.brackets % v for v in values]
    parts = [f"{line}+ ".join(symbols), f"{line}+ ".join(numbers)]
    if len(values) > 1:
        parts.append(" + ".join(values))
    return f"{line}= ".join([*parts, notation.number(it.value)])


def _counts(graph: Numbering, x: Value) -> dict[Value, tuple[int, int]]:
    """Return for each node that x reaches: how many paths from x, how many multiplications."""
    found = {x: (1, 0)}  # the product of a path of n edges takes n - 1 multiplications
    length = {x: 0}  # total edges over all paths
    for node in graph.nodes:
        parents = [parent for _, parent, _ in graph.edges(node) if parent in found]
        if parents:
            paths = sum(found[parent][0] for parent in parents)
            length[node] = sum(length[parent] + found[parent][0] for parent in parents)
            found[node] = paths, length[node] - paths
    return found


def _paths(
    graph: Numbering, x: Value, below: dict[Value, tuple[int, int]]
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


def _ways(graph: Numbering, node: Value, below: Mapping[Value, object]) -> Iterator[Edge]:
    return iter([(node, i) for i, parent, _ in graph.edges(node) if parent in below])


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
