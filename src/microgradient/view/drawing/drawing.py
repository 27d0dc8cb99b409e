"""Drawing: a graph as DOT text, which Graphviz turns into a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from microgradient.files import path_of, write_file
from microgradient.view.drawing.graphviz import rendered

_SHOWN = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpeg"}


@dataclass(frozen=True, repr=False)
class Drawing:
    """A directed graph of ``boxes`` boxes in DOT, a statement a line; it is rendered on demand."""

    body: tuple[str, ...]
    boxes: int = 0

    @property
    def source(self) -> str:
        """The graph as DOT text."""
        return "".join(["digraph {\n", *(f"\t{line}\n" for line in self.body), "}\n"])

    @overload
    def pipe(self, format: str | None = None, *, encoding: None = None) -> bytes: ...
    @overload
    def pipe(self, format: str | None = None, *, encoding: str) -> str: ...
    def pipe(self, format: str | None = None, *, encoding: str | None = None) -> bytes | str:
        """Return the picture as bytes, or as text with ``encoding``: SVG by default.

        ``format`` is one of Graphviz's: "svg", "png", "pdf", "dot", … Raises ValueError for an
        unknown format, RuntimeError if there is no Graphviz or if it fails.
        """
        picture = rendered(self.source, "svg" if format is None else str(format).lower())
        return picture if encoding is None else picture.decode(encoding)

    def render(
        self,
        filename: str | Path = "graph.svg",
        *,
        format: str | None = None,
        view: bool = False,
    ) -> str:
        """Write the picture to a file, whole or not at all, and return the path.

        The format is ``format``, or else the ending of the name ("y.svg", "y.png", "y.pdf"), or
        else "svg"; the ending is added if the name lacks it. ``view`` opens the file in the
        browser. Raises what ``pipe`` raises, and ValueError for a path that cannot be written to.
        """
        path = path_of(filename)
        ending = path.suffix[1:].lower()
        format = (format or ending or "svg").lower()
        if path.name and ending != format:
            path = path.with_name(f"{path.name}.{format}")
        write_file(path, self.pipe(format))
        if view:
            import webbrowser  # 6 ms, which importing microgradient should not cost

            webbrowser.open(path.resolve().as_uri())
        return str(path)

    def __repr__(self) -> str:
        plural = "es" * (self.boxes != 1)
        return f'<drawing of {self.boxes} box{plural}; .render("graph.svg") writes it>'

    def _repr_mimebundle_(
        self,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        **_: object,
    ) -> dict[str, str | bytes]:
        """Return what a notebook shows: SVG, or the DOT text if there is no Graphviz."""
        wanted = {"image/svg+xml"} if include is None else set(include)
        wanted -= set(exclude or ())
        try:
            return {
                kind: self.pipe(format, encoding="utf-8") if format == "svg" else self.pipe(format)
                for kind, format in _SHOWN.items()
                if kind in wanted
            }
        except RuntimeError as fault:
            return {"text/plain": f"{fault}\n\n{self.source}"}
