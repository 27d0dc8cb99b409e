"""Machine code kept between processes: a folder of object files, found by what they are made of.

An entry is code that will run. So the folder and the entry must be the user's own, closed to
others, and an entry counts only if its checksum is right. Other files in the folder are left alone:
the user may keep other things there. Whatever goes wrong here costs the time to compile, no more.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

_MOST_BYTES = 256 * 2**20
_UNSEEN_BYTES = _MOST_BYTES // 16  # stored between two looks at the folder; of 20,000 files: 0.2 s
_OURS = re.compile(r"[0-9a-f]{64}\.object")  # how names begin, also those of unfinished files
_CHECKSUM = 32  # bytes
_OFF = ("", "0", "off")
_unseen = _UNSEEN_BYTES  # so that the first entry that is stored makes us look


def key_of(*parts: str) -> str:
    """Return the name of the entry that is made of ``parts``, and of nothing else."""
    digest = blake2b(digest_size=_CHECKSUM)
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def load(key: str) -> bytes | None:
    """Return the object code of this name; None if there is none, or it is damaged."""
    folder = usable_folder()
    if folder is None:
        return None
    try:
        with (folder / _name(key)).open("rb") as file:
            if not _is_own(os.fstat(file.fileno())):  # the folder may have been exchanged by now
                return None
            entry = file.read()
    except OSError:
        return None
    checksum, code = entry[:_CHECKSUM], entry[_CHECKSUM:]
    if checksum != _checksum(key, code):
        return None
    with suppress(OSError):
        os.utime(folder / _name(key))  # used now: the last to go
    return code


def store(key: str, code: bytes) -> None:
    """Keep object code under this name, written whole or not at all."""
    global _unseen
    folder = usable_folder()
    if folder is None:
        return
    name = _name(key)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{name}.", delete=False) as file:
            try:
                file.write(_checksum(key, code) + code)
                file.close()
                os.replace(file.name, folder / name)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
        _unseen += len(code)
        if _unseen >= _UNSEEN_BYTES:
            _bound(folder)
            _unseen = 0
    except OSError:
        return


def _name(key: str) -> str:
    return f"{key}.object"


def _checksum(key: str, code: bytes) -> bytes:
    return blake2b(key.encode() + code, digest_size=_CHECKSUM).digest()


def usable_folder() -> Path | None:
    """Return the folder, made now if need be; None if there is none that can be trusted."""
    wanted = os.environ.get("MICROGRADIENT_CACHE")
    if wanted is not None and wanted.strip().lower() in _OFF:
        return None
    try:
        folder = _users() if wanted is None else Path(wanted).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        link, status = folder.lstat(), folder.stat()
    except (ImportError, OSError, RuntimeError):  # no platformdirs; no such folder; no home
        return None
    if hasattr(os, "getuid") and (link.st_uid != os.getuid() or not _is_own(status)):
        return None
    return folder


def _users() -> Path:
    from platformdirs import user_cache_path

    folder = user_cache_path("microgradient", appauthor=False)
    if not folder.is_absolute():
        raise RuntimeError(f"no home to keep machine code in, but {folder}")
    return folder


def _is_own(status: os.stat_result) -> bool:
    """Return whether this belongs to the user, and nobody else may write to it."""
    if not hasattr(os, "getuid"):  # Windows: the user's folders are closed to others
        return True
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.getuid() and not others_write


def _bound(folder: Path) -> None:
    """Remove what was used longest ago until the rest fits; also what a killed process left."""
    entries = sorted(
        (status.st_mtime, status.st_size, entry.path)
        for entry in os.scandir(folder)
        if _OURS.match(entry.name) and (status := entry.stat(follow_symlinks=False))
    )
    size = sum(size for _, size, _ in entries)
    for _, one, path in entries:
        if size <= _MOST_BYTES:
            return
        with suppress(OSError):
            os.unlink(path)
        size -= one
