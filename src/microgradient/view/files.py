"""Files that the views write: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from microgradient.engine.number import shown
from microgradient.nn.checkpoint import write_whole


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; an older file stays until the new one is complete.

    Raises ValueError for a path that cannot be a file, or whose folder does not exist.
    """
    if not path.name or path.is_dir():
        raise ValueError(f"expected the name of a file to write, got {shown(str(path))}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    try:
        write_whole(path, content)
    except UnicodeError:
        raise ValueError(f"this system allows no file named {shown(str(path))}") from None
