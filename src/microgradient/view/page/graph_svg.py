"""The graph of a page as SVG: laid out by Graphviz, drawn here, for a script to find its parts.

Boxes are ``n0``, ``n1``, … in the order of the graph's nodes; the link into node 4 from its
operand 1 is ``en4-1``. Colours are attributes, which a style sheet may override.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from microgradient.engine.value import Value
from microgradient.view.drawing.boxes import (
    Box,
    Cluster,
    Link,
    clusters,
    every_node,
    width,
)
from microgradient.view.drawing.dot import (
    BOX_FONT_SIZE,
    COLOR,
    FILL,
    FONT,
    FONT_SIZE,
    FRAME,
    OUTLINE,
    dot_lines,
)
from microgradient.view.drawing.layout import Area, Curve, Layout, Point, layout
from microgradient.view.escaping import markup, plain
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.numerals import short

_ROOM = "value 888888888"  # as wide as nearly any text with a number
_DENSE = ("ranksep=0.35", "nodesep=0.2")
_MARGIN, _CORNER = 4, 8
_ZOOM = 1.15  # pixels of the page for a point
_BASELINE = 0.35  # below the middle of a line, as a part of the font's size


def graph_svg(graph: NumberedGraph, adjoint: Mapping[Value, float]) -> str:
    """Return the graph with its values and the given adjoints as an ``svg`` element.

    Boxes have room for every number that a step can show in them. Raises RuntimeError if there
    is no Graphviz or if it fails.
    """
    boxes, links = every_node(graph)
    final = {
        f"n{i}": (f"value {short(node.data)}", f"grad {short(adjoint[node])}")
        for i, node in enumerate(graph.nodes)
    }
    roomy = dict.fromkeys(final, (_ROOM, _ROOM))
    placed = _layout([_with_numbers(box, roomy) for box in boxes], links)
    parts = [
        *_clusters(clusters(boxes), placed),
        *(_link(link, placed.curves[f"e{link.key}"]) for link in links),
        *(_box(_with_numbers(box, final), placed.areas[box.key]) for box in boxes),
    ]
    wide, high = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=wide,
        height=high,
        viewBox=f"{-_MARGIN} {-_MARGIN} {_number(wide)} {_number(high)}",
        style=f"--width:{_ZOOM * wide:.0f}px",
        role="group",
        aria_label="Computation graph",
        font_family=f"{FONT},sans-serif",
        font_size=FONT_SIZE,
        text_anchor="middle",
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
    return f"{round(x, 2) + 0.0:g}"  # + 0.0: no "-0"


def _with_numbers(box: Box, numbers: Mapping[str, tuple[str, str]]) -> Box:
    """Return ``box`` with other numbers in its last two lines, if it has any."""
    if box.key not in numbers:
        return box
    return replace(box, lines=(*box.lines[:-2], *numbers[box.key]))


def _layout(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Lay out from left to right, or from top to bottom if that was wider than high."""
    across = layout([*_DENSE, *dot_lines(boxes, links, direction="LR")])
    if across.width <= across.height:
        return across
    return layout([*_DENSE, *dot_lines(boxes, links, direction="TB")])


def _clusters(found: Iterable[Cluster], placed: Layout) -> Iterator[str]:
    for cluster in found:
        parts = [_rectangle(placed.areas[cluster.key], fill="none", stroke=FRAME)]
        if cluster.key in placed.titles:  # not if the title is empty
            parts.append(_text(cluster.title, placed.titles[cluster.key], OUTLINE, FONT_SIZE))
        yield element("g", *parts, class_="cluster")
        yield from _clusters(cluster.inner, placed)


def _link(link: Link, curve: Curve) -> str:
    color, thick = COLOR[link.sign], width(link.number)
    first, *rest = (f"{_number(x)},{_number(y)}" for x, y in curve.points)
    parts = [
        element(
            "path", d=f"M{first}C{' '.join(rest)}", fill="none", stroke=color, stroke_width=thick
        )
    ]
    if curve.tip is not None:
        corners = " ".join(f"{_number(x)},{_number(y)}" for x, y in _arrow(curve))
        parts.append(
            element("polygon", points=corners, fill=color, stroke=color, stroke_width=thick)
        )
    if curve.label is not None:
        parts.append(_text(link.text, curve.label, color, FONT_SIZE))
    return element("g", *parts, id=f"e{link.key}", class_=f"edge {link.sign}")


def _arrow(curve: Curve) -> tuple[Point, Point, Point]:
    """Return the corners of the arrow's head, which begins where the curve ends."""
    x, y = curve.points[-1]
    tip = curve.tip or (x, y)
    half_x, half_y = 0.35 * (y - tip[1]), 0.35 * (tip[0] - x)  # at right angles to the arrow
    return (x + half_x, y + half_y), tip, (x - half_x, y - half_y)


def _box(box: Box, area: Area) -> str:
    x, _ = area.center
    row = area.height / len(box.lines)
    rows = [area.y + i * row for i in range(len(box.lines))]
    return element(
        "g",
        _rectangle(area, fill=FILL[box.kind], stroke=OUTLINE),
        *(
            element("line", x1=area.x, y1=y, x2=area.x + area.width, y2=y, stroke=OUTLINE)
            for y in rows[1:]
        ),
        *(
            _text(line, (x, y + row / 2), "#000000", BOX_FONT_SIZE)
            for line, y in zip(box.lines, rows)
        ),
        id=box.key,
        class_=f"node {box.kind}",
    )


def _rectangle(area: Area, **look: str) -> str:
    return element(
        "rect", x=area.x, y=area.y, width=area.width, height=area.height, rx=_CORNER, **look
    )


def _text(text: str, middle: Point, color: str, size: float) -> str:
    x, y = middle
    return element(
        "text", markup(plain(text)), x=x, y=y + _BASELINE * size, fill=color, font_size=size
    )
