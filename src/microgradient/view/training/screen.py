"""A moment of training on a terminal: matrices of shades, as many as fit, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from microgradient.view.training.frame import Frame, Matrix, css, curve, headline

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

_TALL = 16  # a matrix with more rows lies on its side
_FEW = 12  # columns of a matrix whose cells are two characters wide, and so nearly square
_GAP = 3  # columns between two matrices
_COLORS = "blue +, orange -, darker is larger, scaled for each; codes: white 0, black 1"
_DIGITS = "weights: sign and tenths of the largest in the matrix; codes: tenths"


class Size(NamedTuple):
    """The room for a frame: columns, lines (None: as many as it takes), and if it has colours."""

    columns: int
    lines: int | None
    colors: bool


class Block(NamedTuple):
    """A matrix as lines of text, and the columns that they take."""

    title: str
    lines: list[Text]
    width: int


def on_screen(moment: Frame, size: Size) -> Group:
    """Return a frame for ``rich``: the matrices that fit into ``size``, and the names of others.

    Without colours, numbers are shown as digits.
    """
    from rich.console import Group
    from rich.text import Text

    blocks = [_block(m, size.colors) for m in (*moment.weights, *moment.codes) if m.rows]
    legend = Text(_COLORS if size.colors else _DIGITS, "dim")
    above = [Text(text, no_wrap=True) for text in (headline(moment), curve(moment.errors))]
    around = 3 + -(-len(legend) // size.columns)  # the line of what is left out, too
    height = None if size.lines is None else size.lines - around
    columns, left_out = _placed(blocks, size.columns, height)
    names = ", ".join(block.title for block in blocks if any(block is b for b in left_out))
    below = [Text(f"no room for: {names}", "dim", no_wrap=True, overflow="ellipsis")]
    return Group(*above, *_beside(columns), legend, *(below if left_out else []))


def _block(matrix: Matrix, colors: bool) -> Block:
    """Return a matrix as text: a row has a name if it is an input's; columns, then, initials."""
    from rich.text import Text

    names, rows = ("",) * len(matrix.rows) if matrix.signed else matrix.names, matrix.rows
    lines = [Text(matrix.title)]
    wide = 2 if len(rows[0]) <= _FEW or not colors else 1
    if len(rows) > _TALL:
        wide = 1 if colors else 2
        initials = "".join((name[:1] or " ").ljust(wide) for name in names).rstrip()
        lines += [Text(initials)] if initials else []
        names, rows = ("",) * len(rows[0]), tuple(zip(*rows))
    margin = max(map(len, names))
    for name, row in zip(names, rows):
        line = Text(f"{name.rjust(margin)} " if margin else "")
        for x in row:
            if colors:
                line.append(" " * wide, f"on {css(x, matrix)}")
            else:
                line.append(_digit(x, matrix))
        lines.append(line)
    return Block(matrix.title, lines, max(map(len, lines)))


def _digit(x: float, matrix: Matrix) -> str:
    """Return a number as two characters: a sign, and tenths of the largest, or of 1 for a code."""
    if x - x != 0:
        return " ?"
    largest = matrix.largest if matrix.signed else max(1.0, matrix.largest)
    tenths = min(9, int(10 * abs(x) / largest))
    return f"{'-' if x < 0 else '+' if matrix.signed and tenths else ' '}{tenths}"


def _placed(
    blocks: Sequence[Block], width: int, height: int | None
) -> tuple[list[list[Block]], list[Block]]:
    """Return the blocks in columns, tall ones first, and those for which there is no room."""
    if height is None:  # no terminal: one below the other
        return [list(blocks)], []
    columns: list[list[Block]] = []
    left_out: list[Block] = []
    for block in sorted(blocks, key=lambda block: -len(block.lines)):
        for column in [*columns, None]:
            wider = [[*c, block] if c is column else c for c in columns]
            wider += [] if column is not None else [[block]]
            used = sum(len(b.lines) for b in (column or [])) + len(block.lines)
            if used <= height and _width(wider) <= width:
                columns = wider
                break
        else:
            left_out.append(block)
    return columns, left_out


def _width(columns: Sequence[Sequence[Block]]) -> int:
    return sum(max(block.width for block in column) + _GAP for column in columns) - _GAP


def _beside(columns: Sequence[Sequence[Block]]) -> list[Text]:
    """Return the lines of columns of blocks that stand beside each other."""
    from rich.text import Text

    stacks = [[line for block in column for line in block.lines] for column in columns]
    widths = [max(block.width for block in column) + _GAP for column in columns]
    lines = []
    for i in range(max(map(len, stacks), default=0)):
        whole = Text(no_wrap=True)
        for stack, width in zip(stacks, widths):
            part = stack[i].copy() if i < len(stack) else Text()
            part.pad_right(width - len(part))
            whole.append_text(part)
        whole.right_crop(_GAP)
        lines.append(whole)
    return lines
