"""A scene as SVG, for a style sheet to colour and a script to fill in.

A cell is a ``g`` with ``data-node``, the number of its node; an edge has ``data-giver`` and
``data-operand``: the node that passes an adjoint back along it, and the operand that receives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from microgradient.engine.value import Value
from microgradient.view.drawing.boxes import width
from microgradient.view.escaping import markup, plain
from microgradient.view.numerals import brief, sign_of
from microgradient.view.page.layered import Point
from microgradient.view.page.scene import CELL_HEIGHT, CHIP_GAP, Cell, Group, Port, Scene

_MARGIN, _CORNER = 10.0, 7.0
_LEVEL = 44.0  # pixels of a wire below the local derivative
_TOP = 16.0  # above the blocks, for the neurons' names


def scene_svg(scene: Scene, adjoint: Mapping[Value, float], style: str = "") -> str:
    """Return the picture as an ``svg`` element, with the final numbers.

    ``style`` is a style sheet of its own, for a picture that stands alone.
    """
    where = scene.placed
    parts: list[str] = []
    corners = [where.corners[f"b{i}"] for i in range(len(scene.groups))]
    for group, corner in zip(scene.groups, corners):
        for port in group.ports:
            parts += _edge(scene, group, port, corner, where.routes.get(port.wire, ()))
    for group, corner in zip(scene.groups, corners):
        if group.caption:
            top = next(cell.y for cell in group.cells if cell.kind != "chip")
            above = corner[1] + top - 5
            parts.append(_text(group.caption, corner[0] + group.width, above, "caption"))
        parts += (_cell(scene, cell, corner, adjoint[cell.node]) for cell in group.cells)
    above = _TOP if any(group.caption for group in scene.groups) else 0.0
    wide, high = where.width + 2 * _MARGIN, where.height + 2 * _MARGIN + above
    return element(
        "svg",
        *([element("style", style)] if style else []),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{-_MARGIN} {-_MARGIN - above} {_number(wide)} {_number(high)}",
        class_="scene",
        data_width=wide,
        data_height=high,
        role="group",
        aria_label="Computation graph",
    )


def element(name: str, *content: str, **attributes: str | float) -> str:
    """Return an element with ``content``, which is markup; ``a_b_=1`` is the attribute a-b."""
    texts = {
        key.removesuffix("_").replace("_", "-"): markup(x) if isinstance(x, str) else _number(x)
        for key, x in attributes.items()
    }
    inside = "".join(f' {key}="{text}"' for key, text in texts.items())
    return f"<{name}{inside}>{''.join(content)}</{name}>\n"


def _number(x: float) -> str:
    return f"{round(x, 1) + 0.0:g}"  # + 0.0: no "-0"


def _edge(
    scene: Scene, group: Group, port: Port, corner: Point, route: Sequence[Point]
) -> Iterator[str]:
    """Yield the line of an operand and the local derivative at its end."""
    operand = port.node.parents[port.operand]
    x, y = corner
    if operand not in scene.number:  # a constant: its number, at the end of a short line
        if port.text:
            middle = y + port.y
            line = element("path", d=f"M{_number(x + 30)},{_number(middle)}h14")
            text = _text(port.text, x + 26, middle + 4, "constant")
            yield element("g", line, text, class_="edge zero stub")
        return
    partial = port.node.partials[port.operand]
    path, (at_x, at_y), anchor = _path(group, port, corner, route)
    yield element(
        "g",
        element("path", d=path, stroke_width=width(partial)),
        *([_text(port.text, at_x, at_y, "partial", anchor)] if port.text else []),
        class_=f"edge {sign_of(partial)}",
        data_giver=scene.number[port.node],
        data_operand=port.operand,
    )


def _path(
    group: Group, port: Port, corner: Point, route: Sequence[Point]
) -> tuple[str, Point, str]:
    """Return the line of an operand, from it to the node, and where its text stands and how."""
    x, y = corner
    if route:
        end_x, end_y = route[-1]
        return _spline(route, _LEVEL if port.text else 0.0), (end_x - 7, end_y - 4), "end"
    cell = next(c for c in group.cells if c.node is port.node)
    operand = port.node.parents[port.operand]
    if any(c.node is operand and c.kind == "chip" for c in group.cells):
        end = x + cell.x, y + cell.y + cell.height / 2
        return _spline([(end[0] - CHIP_GAP, y + port.y), end]), end, "end"
    middle = x + cell.x + cell.width / 2  # from a neuron's sum down to its activation
    line = f"M{_number(middle)},{_number(2 * (y + port.y) - y - cell.y)}V{_number(y + cell.y)}"
    return line, (middle + 7, y + port.y + 4), "start"


def _spline(route: Sequence[Point], level: float = 0.0) -> str:
    """Return a path with horizontal tangents, straight where it passes a column.

    Its last ``level`` pixels are straight too.
    """
    (x, y), *rest = route
    end_x, end_y = rest[-1]
    rest[-1] = end_x - level, end_y
    parts = [f"M{_number(x)},{_number(y)}"]
    for i, (to_x, to_y) in enumerate(rest):
        if i % 2 == 1:
            parts.append(f"H{_number(to_x)}")
        else:
            half = (x + to_x) / 2
            bend = f"{_number(half)},{_number(y)} {_number(half)},{_number(to_y)}"
            parts.append(f"C{bend} {_number(to_x)},{_number(to_y)}")
        x, y = to_x, to_y
    return "".join([*parts, f"H{_number(end_x)}"] if level else parts)


def _cell(scene: Scene, cell: Cell, corner: Point, adjoint: float) -> str:
    x, y = corner[0] + cell.x, corner[1] + cell.y
    chip = cell.kind == "chip"
    right = x + cell.width - 8
    digits = 3 if chip else 4
    value, grad = brief(cell.node.data, digits), brief(adjoint, digits)
    slope = f"grad {sign_of(adjoint)}"
    if chip:
        base = y + cell.height / 2 + 4
        texts = [
            _text(cell.title, x + 7, base, "title", "start"),
            _text(value, x + 108, base, "value", "end"),
            _text(grad, right, base, slope, "end"),
        ]
    else:
        top = y + (cell.height - CELL_HEIGHT) / 2
        texts = [
            _text(cell.title, x + 8, top + 17, "title", "start"),
            _text(value, right, top + 33, "value", "end"),
            _text(f"grad {grad}", right, top + 49, slope, "end"),
        ]
    rectangle = element(
        "rect",
        x=x,
        y=y,
        width=cell.width,
        height=cell.height,
        rx=cell.height / 2 if chip else _CORNER,
    )
    name = element("title", markup(plain(scene.graph.symbol(cell.node), 80)))
    kind = "chip input" if chip else cell.kind
    return element(
        "g", name, rectangle, *texts, class_=f"node {kind}", data_node=scene.number[cell.node]
    )


def _text(text: str, x: float, y: float, kind: str, anchor: str = "end") -> str:
    return element("text", markup(plain(text)), x=x, y=y, text_anchor=anchor, class_=kind)
