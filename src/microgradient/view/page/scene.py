"""What a page draws of a graph, before it is SVG: blocks with cells, wires with local derivatives.

A block shows one node in one cell; a neuron is one block with a cell for its weighted sum, one for
its activation, and its weights as chips on the wires that they multiply. Constants stand in
formulas, and have no block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from microgradient.engine import ops
from microgradient.engine.value import Value
from microgradient.nn.module import ACTIVATIONS
from microgradient.view.escaping import plain
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.numerals import brief, subscript
from microgradient.view.page.layered import Block, Placed, Wire, placed
from microgradient.view.text.step_text import StepWriter

CELL_HEIGHT, ROW = 55.0, 19.0  # pixels: title, value and gradient; one operand
CHIP_WIDTH, CHIP_GAP = 178.0, 30.0
GAP, BETWEEN = 104.0, 22.0  # between columns, where the local derivatives stand; within a column
_LEAST, _MOST = 120.0, 240.0  # a cell's width
_LETTER = 7.8  # the width of a letter of a title
_INNER = 22.0  # between a neuron's sum and its activation
_TITLE = 15  # letters of a title that may be a formula
_STUB = 46.0  # room for a number that is an operand of a neuron


@dataclass(frozen=True)
class Cell:
    """The place of a node within a block: a box with three lines, or the chip of a weight."""

    node: Value
    kind: str
    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Port:
    """Where an operand arrives at a node: ``text`` is the local derivative, or a constant.

    ``wire`` is the key of the wire that arrives there; "" if the operand is a chip or a constant.
    """

    node: Value
    operand: int
    y: float
    text: str
    wire: str = ""


@dataclass
class Group:
    """A block of the layout and what it shows; ``caption`` is the neuron's name."""

    nodes: tuple[Value, ...]
    width: float
    height: float
    cells: list[Cell] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    caption: str = ""

    @property
    def out(self) -> float:
        """The height at which wires leave."""
        last = next(cell for cell in reversed(self.cells) if cell.kind != "chip")
        return last.y + last.height / 2


class Scene:
    """The blocks and wires of a graph, and where they are."""

    def __init__(self, graph: NumberedGraph, captions: Mapping[Value, str] | None = None) -> None:
        self.graph, self.captions = graph, captions or {}
        self.writer = StepWriter(graph)
        self.number = {node: i for i, node in enumerate(graph.nodes)}
        self.readers: dict[Value, list[Value]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            for _, parent, _ in graph.edges(node):
                self.readers[parent].append(node)
        self.groups = [*self._groups()]
        self.group = {node: group for group in self.groups for node in group.nodes}

    @cached_property
    def wires(self) -> list[Wire]:
        key = {node: f"b{i}" for i, group in enumerate(self.groups) for node in group.nodes}
        return [
            Wire(port.wire, key[source], key[port.node], self.group[source].out, port.y)
            for group in self.groups
            for port in group.ports
            if port.wire and (source := port.node.parents[port.operand]) in key
        ]

    @cached_property
    def placed(self) -> Placed:
        """Where everything is; the columns are ranks, inputs as late as possible."""
        ranks = self.ranks
        blocks = [
            Block(f"b{i}", ranks[i], group.width, group.height)
            for i, group in enumerate(self.groups)
        ]
        return placed(blocks, self.wires, GAP, BETWEEN)

    @cached_property
    def ranks(self) -> list[int]:
        """The column of each block: after all that it reads; inputs just before their readers."""
        rank = dict.fromkeys((f"b{i}" for i in range(len(self.groups))), 0)
        into: dict[str, list[str]] = {key: [] for key in rank}
        readers: dict[str, list[str]] = {key: [] for key in rank}
        for wire in self.wires:
            into[wire.target].append(wire.source)
            readers[wire.source].append(wire.target)
        for key in rank:  # blocks are in topological order
            rank[key] = max((rank[source] + 1 for source in into[key]), default=0)
        for key in rank:
            if not into[key] and readers[key]:
                rank[key] = min(rank[reader] for reader in readers[key]) - 1
        return [*rank.values()]

    @property
    def columns(self) -> dict[Value, int]:
        """The column of each node: a weight's is that of its neuron."""
        found = {node: rank for group, rank in zip(self.groups, self.ranks) for node in group.nodes}
        for group, rank in zip(self.groups, self.ranks):
            for cell in group.cells:
                found.setdefault(cell.node, rank)
        return found

    # --- blocks ----------------------------------------------------------------------------------

    def _groups(self) -> Iterator[Group]:
        boxed = {p for n in self.graph.nodes for p in self._boxed_operands(n)} | {self.graph.result}
        inside: set[Value] = set()
        for node in self.graph.nodes:
            if node in inside or (not node.parents and node not in boxed):
                continue
            if not self._weights(node):
                yield self._plain(node)
                continue
            activation = self._activation(node)
            if activation is not None:
                inside.add(activation)
            yield self._neuron(node, activation)

    def _boxed_operands(self, node: Value) -> Iterator[Value]:
        chips = self._weights(node)
        return (p for i, p, _ in self.graph.edges(node) if i not in chips)

    def _weights(self, node: Value) -> dict[int, Value]:
        """Return the leaves that a ``dot`` weights its operands with, by position; and its bias."""
        if node.op is not ops.dot:
            return {}
        n = len(node.parents) // 2
        return {
            i: w
            for i, w in enumerate(node.parents)
            if (i < n or i == 2 * n) and not w.parents and w in self.graph.number
        }

    def _activation(self, node: Value) -> Value | None:
        """Return the activation that alone reads ``node``."""
        if len(self.readers[node]) != 1 or node is self.graph.result:
            return None
        (reader,) = self.readers[node]
        alone = reader.op is not None and reader.op.name in ACTIVATIONS and len(reader.parents) == 1
        return reader if alone else None

    def _plain(self, node: Value) -> Group:
        title = self._title(node)
        width = _width(title)
        edges = [*self.graph.edges(node)]
        height = max(CELL_HEIGHT, len(edges) * ROW + 8)
        group = Group((node,), width, height)
        group.cells = [Cell(node, self._kind(node), title, 0, 0, width, height)]
        first = (height - len(edges) * ROW) / 2
        group.ports = [
            Port(node, i, first + (row + 0.5) * ROW, brief(partial), f"{self._key(node)}-{i}")
            for row, (i, _, partial) in enumerate(edges)
        ]
        return group

    def _neuron(self, node: Value, activation: Value | None) -> Group:
        nodes = (node,) if activation is None else (node, activation)
        titles = [self._title(it) for it in nodes]
        width = max(map(_width, titles))
        n = len(node.parents) // 2
        chips = self._weights(node)
        rows = n + (len(node.parents) > 2 * n)
        inner = len(nodes) * CELL_HEIGHT + (len(nodes) - 1) * _INNER
        height = max(inner, rows * ROW)
        stub = _STUB if any(p not in self.graph.number for p in node.parents[n : 2 * n]) else 0.0
        left = stub + CHIP_WIDTH + CHIP_GAP
        group = Group(nodes, left + width, height, caption=self.captions.get(node, ""))
        first, top = (height - rows * ROW) / 2, (height - inner) / 2
        for row in range(rows):
            i, y = (row if row < n else 2 * n), first + row * ROW
            if i in chips:
                chip = self._chip_title(chips[i], "b" if i == 2 * n else f"w{subscript(row + 1)}")
                group.cells.append(Cell(chips[i], "chip", chip, stub, y + 1, CHIP_WIDTH, ROW - 2))
                group.ports.append(Port(node, i, y + ROW / 2, ""))
            if i < n:
                operand = node.parents[n + i]
                known = operand in self.graph.number
                text = "" if known and i in chips else brief(node.partials[n + i])
                wire = f"{self._key(node)}-{n + i}" if known else ""
                text = text if known else brief(operand.data)
                group.ports.append(Port(node, n + i, y + ROW / 2, text, wire))
        for row, (it, title) in enumerate(zip(nodes, titles)):
            y = top + row * (CELL_HEIGHT + _INNER)
            group.cells.append(Cell(it, self._kind(it), title, left, y, width, CELL_HEIGHT))
        if activation is not None:
            middle = top + CELL_HEIGHT + _INNER / 2
            group.ports.append(Port(activation, 0, middle, brief(activation.partials[0])))
        return group

    # --- texts -----------------------------------------------------------------------------------

    def _key(self, node: Value) -> str:
        return f"n{self.number[node]}"

    def _kind(self, node: Value) -> str:
        if node is self.graph.result:
            return "result"
        return "operation" if node.parents else "input"

    def _title(self, node: Value) -> str:
        symbol, formula = self.writer.symbol(node), self.writer.formula(node)
        if not formula:
            return symbol
        if self._weights(node):
            return f"{symbol} = w·x" + " + b" * (len(node.parents) % 2)
        whole = f"{symbol} = {formula}"
        return whole if len(whole) <= _TITLE else f"{symbol} = {self.graph.sign(node)}"

    def _chip_title(self, weight: Value, otherwise: str) -> str:
        """Return a weight's name if there is room for it: ``w₀₀₁`` for ``weights[0,0,1]``."""
        name = self.graph.symbol(weight)
        if ours := re.fullmatch(r"(w)eights\[([\d,]+)\]|(b)ias\[([\d,]+)\]", name):
            letter, index = (text for text in ours.groups() if text is not None)
            name = letter + subscript(
                index.replace(",", "" if re.search(r"\d\d", index) is None else ",")
            )
        return otherwise if len(name) > 6 or re.fullmatch(r"v-?\d+", name) else plain(name)


def _width(title: str) -> float:
    return min(_MOST, max(_LEAST, _LETTER * len(title) + 16))
