"""Graphviz as a process: which program there is, and what it makes of a DOT text."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from microgradient.engine.number import shown

HOW_TO_GET_ONE = (
    "found no Graphviz to draw with; install one with: pip install 'microgradient[draw]' "
    "(or your system's package graphviz). The DOT text is in .source"
)
_PIXELS = ("png", "jpg", "jpeg", "jpe", "gif", "webp")
_MOST_SAID = 400  # characters of what a program says about its failure


def rendered(source: str, format: str) -> bytes:
    """Return what Graphviz makes of the DOT text ``source``: a picture, or a layout as "json0".

    Raises ValueError for a format that it does not have, RuntimeError if there is no Graphviz or
    if it fails, ImportError if PDF needs a library that is missing.
    """
    program = find_graphviz(format)
    if program is None:
        raise RuntimeError(HOW_TO_GET_ONE)
    if format == "pdf" and program.stem == "graphviz-pure":
        return _pdf(_run(program, source, "svg"))
    return _run(program, source, format)


def find_graphviz(format: str = "svg") -> Path | None:
    """Return the program that draws: $MICROGRADIENT_DOT, ``dot`` on the PATH, or graphviz-pure.

    For pixels, graphviz-pure, which has its own fonts, goes before a ``dot`` that finds none.
    Raises RuntimeError if $MICROGRADIENT_DOT names no program.
    """
    if chosen := os.environ.get("MICROGRADIENT_DOT"):
        if not shutil.which(chosen):
            raise RuntimeError(
                f"MICROGRADIENT_DOT must name a program that can be run, got {shown(chosen)}"
            )
        return Path(chosen)
    system, pip = shutil.which("dot"), _installed_by_pip()
    if system and not (pip and format in _PIXELS and _lacks_fonts(system)):
        return Path(system)
    return pip


def _installed_by_pip() -> Path | None:
    from importlib import metadata  # 10 ms, which only a drawing should cost

    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return None
    programs = [f for f in files if f.name in ("graphviz-pure", "graphviz-pure.exe")]
    return Path(str(programs[0].locate())).resolve() if programs else None


@lru_cache
def _lacks_fonts(dot: str) -> bool:
    """Return whether ``dot`` reports that it finds no font: it would draw boxes without text."""
    graph = b'graph {a [fontname="Helvetica"]}'
    run = subprocess.run([dot, "-v", "-Tpng"], input=graph, capture_output=True)
    return b"unable to resolve" in run.stderr


def _run(program: Path, source: str, format: str) -> bytes:
    no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would flash a console
    try:
        run = subprocess.run(
            [program, f"-T{format}"],
            input=source.encode(),
            capture_output=True,
            creationflags=no_window,
        )
    except OSError as fault:
        raise RuntimeError(f"{program} could not be run: {fault.strerror or fault}") from None
    said = " ".join(run.stderr.decode(errors="replace").split())[:_MOST_SAID]
    if "not recognized" in said and said.startswith("Format"):
        raise ValueError(
            f"expected a format such as svg, png, pdf or dot, got {shown(format)}; give it as "
            f"format=, or as the ending of the file's name. {program.name}: {said}"
        )
    if run.returncode:
        why = said or f"it ended with code {run.returncode} and said nothing"
        raise RuntimeError(f"{program} could not draw this: {why}")
    if not run.stdout:
        raise RuntimeError(f"{program} drew nothing; is it Graphviz's dot?")
    return run.stdout


def _pdf(svg: bytes) -> bytes:
    """Return an SVG picture as PDF, which graphviz-pure does not write itself."""
    try:
        from reportlab.graphics.renderPDF import drawToString
        from svglib.svglib import svg2rlg
    except ImportError:
        raise ImportError(
            "without the system's Graphviz, PDF needs svglib; install it with: "
            "pip install 'microgradient[draw]'"
        ) from None
    return bytes(drawToString(svg2rlg(BytesIO(svg))))
