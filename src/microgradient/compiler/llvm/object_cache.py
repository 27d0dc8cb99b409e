"""Machine code kept between processes: a folder of object files, found by what they are made of.

An entry is code that will run. So the folder must be the user's own, closed to others, and an entry
counts only if its checksum is right. Whatever goes wrong here costs the time to compile, no more.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

_MOST_BYTES = 256 * 2**20
_CHECKSUM = 32  # bytes
_OFF = ("", "0", "off")


def key_of(*parts: str) -> str:
    """Return the name of the entry that is made of ``parts``, and of nothing else."""
    digest = blake2b(digest_size=_CHECKSUM)
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def load(key: str) -> bytes | None:
    """Return the object code of this name; None if there is none, or it is damaged."""
    folder = _folder()
    if folder is None:
        return None
    try:
        entry = (folder / key).read_bytes()
    except OSError:
        return None
    checksum, code = entry[:_CHECKSUM], entry[_CHECKSUM:]
    if checksum != _checksum(key, code):
        return None
    with suppress(OSError):
        os.utime(folder / key)  # used now: the last to go
    return code


def store(key: str, code: bytes) -> None:
    """Keep object code under this name, written whole or not at all."""
    folder = _folder()
    if folder is None:
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                file.write(_checksum(key, code) + code)
                file.close()
                os.replace(file.name, folder / key)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
        _bound(folder)
    except OSError:
        return


def _checksum(key: str, code: bytes) -> bytes:
    return blake2b(key.encode() + code, digest_size=_CHECKSUM).digest()


def _folder() -> Path | None:
    """Return the folder, made now if need be; None if there is none that can be trusted."""
    wanted = os.environ.get("MICROGRADIENT_CACHE")
    if wanted is not None and wanted.strip().lower() in _OFF:
        return None
    if wanted is not None:
        folder = Path(wanted)
    else:
        try:
            from platformdirs import user_cache_path
        except ImportError:
            return None
        folder = user_cache_path("microgradient", appauthor=False)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):  # no home
        return None
    if hasattr(os, "getuid"):
        others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid != os.getuid() or others_write:
            return None
    return folder


def _bound(folder: Path) -> None:
    """Remove what was used longest ago until the rest fits; also what a killed process left."""
    entries = sorted(
        (status.st_mtime, status.st_size, entry.path)
        for entry in os.scandir(folder)
        if (status := entry.stat()) and entry.is_file()
    )
    size = sum(size for _, size, _ in entries)
    for _, one, path in entries:
        if size <= _MOST_BYTES:
            return
        with suppress(OSError):
            os.unlink(path)
        size -= one
