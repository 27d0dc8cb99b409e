"""Where Graphviz puts the boxes, links and clusters of a graph, for pictures drawn by others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from microgradient.view.drawing.drawing import Drawing

Point = tuple[float, float]
"""x to the right and y downwards, in points of 1/72 inch, from the upper left corner."""


@dataclass(frozen=True)
class Area:
    """A rectangle, upright on the page."""

    x: float
    y: float
    width: float
    height: float

    @property
    def center(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Curve:
    """A link: a Bézier spline of cubic pieces, the tip of its arrow, the middle of its text."""

    points: tuple[Point, ...]
    tip: Point | None
    label: Point | None


@dataclass(frozen=True)
class Layout:
    """The size of a picture and the places in it: boxes and clusters by key, links by id."""

    width: float
    height: float
    areas: Mapping[str, Area]
    titles: Mapping[str, Point]
    curves: Mapping[str, Curve]


def layout(lines: Iterable[str]) -> Layout:
    """Return the layout of a graph in DOT statements; user text in them is not read back.

    Raises RuntimeError if there is no Graphviz or if it fails.
    """
    answer = Drawing(tuple(lines)).pipe("json0")
    try:
        return _read(json.loads(answer.decode(errors="replace"), strict=False))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise RuntimeError("the program that should lay out the graph gave no layout") from None


def _read(graph: Mapping[str, Any]) -> Layout:
    left, low, right, top = _numbers(graph["bb"])

    def point(text: str) -> Point:
        x, y = _numbers(text)
        return x - left, top - y  # Graphviz's y points upwards

    def area(thing: Mapping[str, Any]) -> Area:
        if "bb" in thing:
            x, below, end, above = _numbers(thing["bb"])
            return Area(x - left, top - above, end - x, above - below)
        x, y = point(thing["pos"])
        width, height = 72 * float(thing["width"]), 72 * float(thing["height"])
        return Area(x - width / 2, y - height / 2, width, height)

    def curve(edge: Mapping[str, Any]) -> Curve:
        words = edge["pos"].split()
        tips = [word.removeprefix("e,") for word in words if word.startswith("e,")]
        points = tuple(point(word) for word in words if word[:2] not in ("e,", "s,"))
        return Curve(
            points,
            point(tips[0]) if tips else None,
            point(edge["lp"]) if "lp" in edge else None,
        )

    things = graph["objects"]
    return Layout(
        right - left,
        top - low,
        {thing["name"]: area(thing) for thing in things},
        {thing["name"]: point(thing["lp"]) for thing in things if "lp" in thing},
        {edge["id"]: curve(edge) for edge in graph.get("edges", ())},
    )


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]
