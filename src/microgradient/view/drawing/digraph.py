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

from microgradient.engine.number import shown
from microgradient.view.files import write_file

HOW_TO_GET_ONE = (
    "no Graphviz found to draw with; install one with: pip install 'microgradient[draw]' "
    "(or your system's package graphviz). The DOT text is in .source"
)
_PIXELS = ("png", "jpg", "jpeg", "jpe", "gif", "webp")
_switch = threading.Lock()  # the graphviz package keeps its program's name in a global


class Drawing(graphviz.Digraph):  # type: ignore[misc]
    """A graph in DOT (``.source``) that can be rendered by the first engine there is."""

    def pipe(self, format: str | None = None, **keywords: Any) -> Any:
        """Return the rendered picture as bytes, or as text with ``encoding``: SVG by default.

        Raises ValueError for a format that Graphviz does not have, RuntimeError where no program
        draws it.
        """
        format = "svg" if format is None else str(format).lower()
        if format not in graphviz.FORMATS:
            raise ValueError(
                f"expected a format such as svg, png, pdf or dot, got {shown(format)}; a file's "
                "name may end in one, or give format="
            )
        with _engine(format) as engine:
            if format == "pdf" and _lacks_pdf(engine):
                return _pdf(super().pipe(format="svg", quiet=True))
            drawn = super().pipe(format=format, **{"quiet": True, **keywords})
        if not drawn:
            raise RuntimeError(f"{engine} drew nothing; is it Graphviz's dot?")
        return drawn

    def render(
        self,
        filename: str | Path = "graph.svg",
        *,
        format: str | None = None,
        view: bool = False,
        **keywords: Any,
    ) -> str:
        """Write the picture, whole or not at all, and nothing else; return its path.

        The format is that of ``format`` or of the name's ending: "svg" (also without one), "png",
        "pdf", … ``view`` opens it. Raises ValueError for a path that cannot be written to.
        """
        path = Path(filename)
        ending = path.suffix[1:].lower()
        format = (format or ending or "svg").lower()
        if path.name and ending != format:
            path = path.with_name(f"{path.name}.{format}")
        write_file(path, self.pipe(format, **keywords))
        if view:
            self._view(path, format=format, quiet=True)
        return str(path)

    def __repr__(self) -> str:
        boxes = sum("[id=" in line and "->" not in line for line in self.body)
        return f'<drawing of {boxes} boxes; .render("graph.svg") writes it>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        try:
            return super()._repr_mimebundle_(include, exclude, **_)
        except RuntimeError as fault:
            return {"text/plain": f"{fault}\n\n{self.source}"}


def find_engine(format: str = "svg") -> Path | None:
    """Return the program that draws: $MICROGRADIENT_DOT, ``dot`` on the PATH, or graphviz-pure.

    For pixels, a ``dot`` on a machine without fonts gives way to graphviz-pure, which has its own.
    """
    if chosen := os.environ.get("MICROGRADIENT_DOT"):
        if not shutil.which(chosen):
            raise RuntimeError(f"MICROGRADIENT_DOT is {shown(chosen)}, which is no program to run")
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
        except (graphviz.ExecutableNotFound, graphviz.CalledProcessError, OSError) as fault:
            raise RuntimeError(f"{engine} could not draw this: {fault}") from None
        finally:
            dot_command.DOT_BINARY = before
