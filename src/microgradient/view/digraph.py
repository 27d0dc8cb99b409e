"""A ``graphviz.Digraph`` that brings its own ``dot`` where the system has none."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

import graphviz
from graphviz.backend import dot_command

HOW_TO_GET_ONE = (
    "no Graphviz found to draw with; install one with: pip install 'microgradient[draw]' "
    "(or your system's package graphviz). The DOT text is in .source"
)
_PIXELS = ("png", "jpg", "jpeg", "jpe", "gif", "webp")
_switch = threading.Lock()  # the graphviz package keeps its program's name in a global


class Drawing(graphviz.Digraph):  # type: ignore[misc]
    """A graph in DOT (``.source``) that can be rendered by the first engine there is."""

    def pipe(self, format: str | None = None, **keywords: Any) -> Any:
        """Return the rendered picture as bytes, or as text with ``encoding``: SVG by default."""
        with _engine(format or "svg") as engine:
            if format == "pdf" and _lacks_pdf(engine):
                return _pdf(super().pipe(format="svg", quiet=True))
            return super().pipe(format=format or "svg", **{"quiet": True, **keywords})

    def render(
        self, filename: str | Path = "graph.svg", *, format: str | None = None, **keywords: Any
    ) -> Any:
        """Write the picture, and nothing else, to a file and return its path.

        The format is that of ``format`` or of the name's ending: "svg" (also without one), "png", …
        """
        path = Path(filename)
        ending = path.suffix[1:].lower()
        format = format or ending or "svg"
        if ending != format:
            path = path.with_name(f"{path.name}.{format}")
        with _engine(format) as engine:
            if format == "pdf" and _lacks_pdf(engine):
                path.write_bytes(_pdf(super().pipe(format="svg", quiet=True)))
                return str(path)
            settings = {"quiet": True, "cleanup": True, **keywords}
            return super().render(outfile=path, format=format, **settings)

    def __repr__(self) -> str:
        boxes = sum("label=" in line and "->" not in line for line in self.body)
        return f'<drawing of {boxes} boxes; .render("graph.svg") writes it>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        if find_engine() is None:
            return {"text/plain": f"{HOW_TO_GET_ONE}\n\n{self.source}"}
        return super()._repr_mimebundle_(include, exclude, **_)


def find_engine(format: str = "svg") -> Path | None:
    """Return the program that draws: $MICROGRADIENT_DOT, ``dot`` on the PATH, or graphviz-pure.

    For pixels, a ``dot`` on a machine without fonts gives way to graphviz-pure, which has its own.
    """
    if chosen := os.environ.get("MICROGRADIENT_DOT"):
        return Path(chosen)
    system, own = shutil.which("dot"), _pip_engine()
    if system and not (own and format in _PIXELS and _lacks_fonts(system)):
        return Path(system)
    return own


def _pip_engine() -> Path | None:
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return None
    programs = [f for f in files if f.name in ("graphviz-pure", "graphviz-pure.exe")]
    return Path(str(programs[0].locate())).resolve() if programs else None


@lru_cache
def _lacks_fonts(dot: str) -> bool:
    """Return whether ``dot`` says that it has nothing to write with: it would draw empty boxes."""
    graph = b'graph {a [fontname="Helvetica"]}'
    run = subprocess.run([dot, "-v", "-Tpng"], input=graph, capture_output=True)
    return b"unable to resolve" in run.stderr


def _lacks_pdf(engine: Path) -> bool:
    return engine.stem == "graphviz-pure"


def _pdf(svg: bytes) -> bytes:
    """Return an SVG picture as PDF: what the pip-installed engine cannot do itself."""
    try:
        from reportlab.graphics.renderPDF import drawToString
        from svglib.svglib import svg2rlg
    except ImportError:
        raise ImportError(
            "without the system's Graphviz, PDF needs svglib; install it with: "
            "pip install 'microgradient[draw]'"
        ) from None
    return drawToString(svg2rlg(BytesIO(svg)))  # type: ignore[no-any-return]


@contextmanager
def _engine(format: str) -> Iterator[Path]:
    engine = find_engine(format)
    if engine is None:
        raise RuntimeError(HOW_TO_GET_ONE)
    with _switch:
        before = dot_command.DOT_BINARY
        dot_command.DOT_BINARY = engine
        try:
            yield engine
        except (graphviz.ExecutableNotFound, graphviz.CalledProcessError) as fault:
            raise RuntimeError(f"{engine} could not draw this: {fault}") from None
        finally:
            dot_command.DOT_BINARY = before
