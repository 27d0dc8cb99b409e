"""Boxes and links as the statements of a DOT graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from microgradient.view.drawing.boxes import Box, Cluster, Link, clusters, span, width
from microgradient.view.escaping import record_field

FONT = "Helvetica"
BOX_FONT_SIZE, FONT_SIZE = 11, 10
FILL = {
    "input": "#dbeafe",
    "constant": "#eeeeee",
    "operation": "#ffffff",
    "result": "#fef3c7",
    "module": "#f3e8ff",
}
COLOR = {"positive": "#1d4ed8", "negative": "#c2410c", "zero": "#9ca3af"}  # colour-blind safe
OUTLINE, FRAME = "#5f6b7a", "#cbd5e1"

_LARGE = 600  # boxes, and ranks that links pass; above, dot saves time
_HURRY = "splines=line nslimit=0.1 nslimit1=0.1 mclimit=0.05"  # 50 links over 2,500 ranks: 40 s
_STYLE = (
    f'node [shape=Mrecord fontname="{FONT}" fontsize={BOX_FONT_SIZE} color="{OUTLINE}" '
    'style=filled fillcolor="#ffffff"]',
    f'edge [fontname="{FONT}" fontsize={FONT_SIZE} arrowsize=0.7]',
    f'graph [fontname="{FONT}" fontsize={FONT_SIZE} fontcolor="{OUTLINE}" color="{FRAME}"]',
)


def dot_lines(
    boxes: Sequence[Box],
    links: Sequence[Link],
    *,
    direction: str = "LR",
    reverse: bool = False,
) -> Iterator[str]:
    """Yield the statements of a DOT graph: user text occurs in labels only."""
    yield f"rankdir={direction}"
    if len(boxes) + span(boxes, links) > _LARGE:
        yield _HURRY
    yield from _STYLE
    for cluster in clusters(boxes):
        yield from _cluster(cluster)
    for box in boxes:
        yield f"{box.key} [{_box(box, direction)}]"
    for link in links:
        yield f"{link.source} -> {link.target} [{_edge(link, reverse)}]"


def _box(box: Box, direction: str) -> str:
    fields = " | ".join(map(record_field, box.lines))
    label = fields if direction == "LR" else f"{{{fields}}}"  # stacked in either direction
    return f'id="{box.key}" class="{box.kind}" label="{label}" fillcolor="{FILL[box.kind]}"'


def _edge(link: Link, reverse: bool) -> str:
    color = COLOR[link.sign]
    known = f'id="e{link.key}" class="{link.sign}" color="{color}"'
    if not link.text:
        return f"{known} {'dir=none' if reverse else 'arrowhead=none'}"
    ink = color if link.number is not None else OUTLINE
    label = f'label=" {record_field(link.text)} " fontcolor="{ink}"'
    return f"{known} {label} penwidth={width(link.number):.2g}{' dir=back' if reverse else ''}"


def _cluster(cluster: Cluster) -> Iterator[str]:
    yield f'subgraph {cluster.key} {{ label="{record_field(cluster.title)}" style=rounded'
    if cluster.members:
        yield "; ".join(cluster.members)
    for inner in cluster.inner:
        yield from _cluster(inner)
    yield "}"
