"""A document written to a folder: Markdown with pictures, and the same as one page of HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from microgradient.files import write_file
from microgradient.rumelhart1986.report.page import page


def write_document(
    folder: Path, name: str, title: str, text: str, figures: Mapping[str, Callable[[], Any]]
) -> list[Path]:
    """Write ``name``.md with its pictures, and ``name``.html; return the paths of both.

    ``figures`` draw the pictures, by name. Without Matplotlib there are none, without
    markdown-it-py no page.
    """
    pictures: dict[str, bytes] = {}
    if find_spec("matplotlib"):
        pictures = {f"pictures/{stem}.png": _png(draw()) for stem, draw in figures.items()}
    else:
        text = "\n\n".join(part for part in text.split("\n\n") if not part.startswith("!["))
    if pictures:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for address, content in pictures.items():
        write_file(folder / address, content)
    documents = {f"{name}.md": text}
    if find_spec("markdown_it"):
        documents[f"{name}.html"] = page(text, title, pictures)
    for address, document in documents.items():
        write_file(folder / address, document.encode())
    return [folder / address for address in documents]


def _png(figure: Any) -> bytes:
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
