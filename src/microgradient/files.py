"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from microgradient.engine.number import shown


def path_of(path: Any) -> Path:
    """Return ``path`` as a Path; TypeError or ValueError if it cannot be that of a file."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"expected the path of a file, such as 'model.json', got {shown(path)}")
    text = os.fspath(path)
    if not text or text.endswith(("/", os.sep)):
        raise ValueError(f"expected the path of a file, such as 'model.json', got {text!r}")
    if "\0" in text:
        raise ValueError(f"this system allows no file named {shown(text)}")
    return Path(text)


def check_writable(path: Path) -> Path:
    """Return the file that writing to ``path`` would replace or make: links are followed.

    Raises ValueError if ``path`` is a folder, a device or a link to itself, if it or its folder is
    read-only, if its folder does not exist, or if the system does not allow the name.
    """
    try:
        target = Path(os.path.realpath(path))
        exists = target.exists() or target.is_symlink()  # a link to itself is still a link here
    except (UnicodeError, OSError):
        raise ValueError(f"this system allows no file named {shown(str(path))}") from None
    folder = target.parent
    if not path.name or (exists and not target.is_file()):
        raise ValueError(
            f"expected the name of a file to write, got {shown(str(path))}, "
            "which is not a regular file"
        )
    if exists and not os.access(target, os.W_OK):
        raise ValueError(f"the file {str(path)!r} is read-only")
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"the folder {str(path.parent)!r} does not allow writing {path.name!r}")
    return target


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to a temporary file beside ``path``, then rename it.

    An older file stays until the new one is complete, and keeps its permissions. Raises ValueError
    for a path that ``check_writable`` refuses, and an OSError that names ``path`` if the system
    refuses to write.
    """
    target = check_writable(path)
    # Its name does not hold the target's, which may already be as long as the system allows.
    temporary = target.with_name(f".microgradient.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # left by a killed process that had our process number
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                os.chmod(temporary, target.stat().st_mode)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as fault:
        reason = f"{fault.strerror}: nothing was written"
        raise type(fault)(fault.errno, reason, str(path)) from fault
