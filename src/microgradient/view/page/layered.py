"""A layered layout: blocks in columns by rank, links from left to right, few crossings.

After Sugiyama, Tagawa and Toda 1981: a link that passes columns has a place in each of them; the
order within columns follows the neighbours' mean positions, to and fro; then every block moves as
near to its neighbours as its order and the gaps allow, which is an isotonic regression.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

Point = tuple[float, float]
"""x to the right and y downwards, in pixels, from the upper left corner."""

_SWEEPS = 8  # to and fro, over the orders; as many over the positions
_PASSING = 14.0  # the height of a link's place in a column that it passes


@dataclass(frozen=True)
class Block:
    """A rectangle in the column ``rank``."""

    key: str
    rank: int
    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """A link from the right side of one block to the left side of another, further right.

    ``leaves`` and ``arrives`` are the heights at which it does, from the tops of the two blocks.
    """

    key: str
    source: str
    target: str
    leaves: float
    arrives: float


@dataclass(frozen=True)
class Placed:
    """The size of a picture, the upper left corners of the blocks, and the points of each wire.

    A wire goes through its points with horizontal tangents; between the second and the third, the
    fourth and the fifth, and so on, it passes a column in a straight line.
    """

    width: float
    height: float
    corners: Mapping[str, Point]
    routes: Mapping[str, tuple[Point, ...]]


def placed(blocks: Sequence[Block], wires: Sequence[Wire], gap: float, between: float) -> Placed:
    """Place blocks with at least ``gap`` pixels across between columns, and ``between`` within."""
    return _Layout(blocks, wires, gap, between).placed()


class _Link(NamedTuple):
    """One end of a link: the block at the other end.

    ``shift`` is how far below that block's top this block's top lies if the link is straight,
    ``port`` how far down that block the link ends, from 0 to 1.
    """

    other: str
    shift: float
    port: float


class _Layout:
    def __init__(
        self, blocks: Sequence[Block], wires: Sequence[Wire], gap: float, between: float
    ) -> None:
        self.gap, self.between, self.wires = gap, between, wires
        self.block = {block.key: block for block in blocks}
        self.columns: list[list[str]] = [[] for _ in range(1 + max(b.rank for b in blocks))]
        self.before: dict[str, list[_Link]] = {}
        self.after: dict[str, list[_Link]] = {}
        for block in blocks:
            self._add(block)
        self.places = {wire.key: self._places(wire) for wire in wires}
        self.top: dict[str, float] = {}

    def _add(self, block: Block) -> None:
        self.block[block.key] = block
        self.columns[block.rank].append(block.key)
        self.before[block.key], self.after[block.key] = [], []

    def _places(self, wire: Wire) -> list[str]:
        """Return the keys of the places that a wire has in the columns that it passes."""
        first, last = self.block[wire.source].rank, self.block[wire.target].rank
        passed = [f"{wire.key} {rank}" for rank in range(first + 1, last)]
        for rank, key in enumerate(passed, first + 1):
            self._add(Block(key, rank, 0.0, _PASSING))
        ends = [(wire.source, wire.leaves), *((key, _PASSING / 2) for key in passed)]
        for (a, leaves), (b, arrives) in zip(
            ends, [*ends[1:], (wire.target, wire.arrives)], strict=True
        ):
            high_a, high_b = self.block[a].height, self.block[b].height
            self.after[a].append(_Link(b, arrives - leaves, arrives / high_b))
            self.before[b].append(_Link(a, leaves - arrives, leaves / high_a))
        return passed

    def placed(self) -> Placed:
        self._order()
        self._stack()
        for sweep in range(_SWEEPS):
            for column in self.columns if sweep % 2 == 0 else reversed(self.columns):
                self._settle(column)
        lowest = min(self.top.values())
        widths = [max(self.block[key].width for key in column) for column in self.columns]
        lefts = [sum(widths[:i]) + i * self.gap for i in range(len(widths))]
        corners = {
            key: (
                lefts[block.rank] + (widths[block.rank] - block.width) / 2,
                self.top[key] - lowest,
            )
            for key, block in self.block.items()
        }
        high = max(y + self.block[key].height for key, (_, y) in corners.items())
        routes = {wire.key: tuple(self._route(wire, corners, widths)) for wire in self.wires}
        passed = {key for keys in self.places.values() for key in keys}
        shown = {key: corner for key, corner in corners.items() if key not in passed}
        return Placed(lefts[-1] + widths[-1], high, shown, routes)

    def _route(
        self, wire: Wire, corners: Mapping[str, Point], widths: Sequence[float]
    ) -> Iterator[Point]:
        x, y = corners[wire.source]
        yield x + self.block[wire.source].width, y + wire.leaves
        for key in self.places[wire.key]:
            x, y = corners[key]
            half = widths[self.block[key].rank] / 2
            yield x - half, y + _PASSING / 2
            yield x + half, y + _PASSING / 2
        x, y = corners[wire.target]
        yield x, y + wire.arrives

    # --- the order within columns ----------------------------------------------------------------

    def _order(self) -> None:
        best, fewest = self.columns, self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            forward = sweep % 2 == 0
            near = self.before if forward else self.after
            for column in self.columns if forward else reversed(self.columns):
                at = self._tops()
                mean = {
                    key: fmean(self._end(link, at) for link in near[key])
                    if near[key]
                    else at[key][0] + at[key][1] / 2
                    for key in column
                }
                column.sort(key=mean.__getitem__)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [[*column] for column in self.columns], crossings
        self.columns = [[*column] for column in best]

    def _tops(self) -> dict[str, tuple[float, float]]:
        """Return how far down each block begins in its column, from 0 to 1, and its share of it."""
        return {
            key: (i / len(column), 1 / len(column))
            for column in self.columns
            for i, key in enumerate(column)
        }

    def _end(self, link: _Link, at: Mapping[str, tuple[float, float]]) -> float:
        top, share = at[link.other]
        return top + link.port * share

    def _crossings(self) -> int:
        """Return how many pairs of links between neighbouring columns cross."""
        crossings = 0
        for column, following in zip(self.columns, self.columns[1:]):
            place = {key: i for i, key in enumerate(following)}
            seen: list[float] = []
            for key in column:
                for end in sorted(place[link.other] + link.port for link in self.after[key]):
                    crossings += len(seen) - bisect_right(seen, end)
                    insort(seen, end)
        return crossings

    # --- positions within columns ----------------------------------------------------------------

    def _stack(self) -> None:
        """Put the blocks of each column one below the other, around the same middle."""
        for column in self.columns:
            heights = [self.block[key].height for key in column]
            top = -(sum(heights) + self.between * (len(heights) - 1)) / 2
            for key, height in zip(column, heights):
                self.top[key] = top
                top += height + self.between

    def _settle(self, column: Sequence[str]) -> None:
        """Move the blocks of a column as near to where their links are straight as they can be.

        That is the least sum of squares under the order: y[i + 1] >= y[i] + height + gap. Without
        the heights it is an isotonic regression, solved by pooling adjacent violators.
        """
        taken = 0.0  # by the blocks above
        pools: list[tuple[float, int]] = []  # mean and number of blocks that move as one
        offsets = []
        for key in column:
            links = [*self.before[key], *self.after[key]]
            wanted = fmean(self.top[k.other] + k.shift for k in links) if links else self.top[key]
            pools.append((wanted - taken, 1))
            while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
                (a, m), (b, n) = pools[-2:]
                pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
            offsets.append(taken)
            taken += self.block[key].height + self.between
        tops = [mean for mean, number in pools for _ in range(number)]
        for key, top, offset in zip(column, tops, offsets, strict=True):
            self.top[key] = top + offset
