"""Files that views write: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from microgradient.engine.number import shown
from microgradient.nn.checkpoint import write_whole


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; what was there stays until it is written whole.

    Raises ValueError for a path that is no file's name or whose folder does not exist.
    """
    if not path.name or path.is_dir():
        raise ValueError(f"expected the name of a file to write, got {shown(str(path))}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    try:
        write_whole(path, content)
    except UnicodeError:
        raise ValueError(f"this system has no files named {shown(str(path))}") from None
