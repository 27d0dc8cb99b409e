"""Checkpoints: the parameters of a module as JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
from math import isfinite
from pathlib import Path
from typing import Any

from microgradient.engine.number import shown
from microgradient.files import write_file
from microgradient.nn.module import Module

_FORMAT = "microgradient checkpoint"
_VERSION = 1
_LARGEST = 256 * 1024 * 1024  # bytes


def save(module: Module, path: str | Path) -> None:
    """Write the parameters of ``module`` to ``path``, whole or not at all.

    Raises ValueError if a parameter is not finite or ``path`` cannot be written to.
    """
    state = module.state_dict()
    if broken := [name for name, number in state.items() if not isfinite(number)]:
        raise ValueError(f"parameter {broken[0]!r} is {state[broken[0]]}; nothing was written")
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "checksum": _checksum(state),
        "parameters": state,
    }
    write_file(Path(path), json.dumps(content, indent=1, allow_nan=False).encode())


def load(module: Module, path: str | Path) -> None:
    """Set the parameters of ``module`` from the file ``path``; if anything is wrong, change none.

    Raises ValueError for a file that is not a checkpoint, or whose names or numbers do not fit.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file, and so is not a checkpoint")
    if (size := path.stat().st_size) > _LARGEST:
        raise ValueError(f"{path} has {size:,} bytes; a checkpoint has at most {_LARGEST:,}")
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"{path} is not a checkpoint: {fault}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} is not a checkpoint: it lacks the format {_FORMAT!r}")
    if content.get("version") is True or content.get("version") != _VERSION:
        raise ValueError(
            f"{path} has version {shown(content.get('version'))}; this release reads {_VERSION}"
        )
    if unknown := content.keys() - {"format", "version", "checksum", "parameters"}:
        raise ValueError(
            f"{path} holds {shown(sorted(unknown)[0])}, which is not part of a checkpoint"
        )
    if content.get("checksum") != _checksum(content.get("parameters")):
        raise ValueError(
            f"{path} was damaged or edited: its numbers do not match its checksum; to set numbers "
            "of your own, call module.load_state_dict"
        )
    try:
        module.load_state_dict(_numbers(content.get("parameters")))
    except (ValueError, TypeError, OverflowError) as fault:
        raise ValueError(f"{path} does not fit this module: {fault}") from None


def _checksum(parameters: Any) -> str:
    """Return the SHA-256 of the parameters in one fixed notation, however the file is laid out."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it holds the same name twice")
    return found


def _numbers(parameters: Any) -> dict[str, float]:
    if not isinstance(parameters, dict):
        raise ValueError(f"expected names and numbers under 'parameters', got {shown(parameters)}")
    return parameters


def _refuse(name: str) -> float:
    raise ValueError(f"it holds the number {name}")
