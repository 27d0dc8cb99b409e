"""Checkpoints: the parameters of a module as JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
from math import isfinite
from pathlib import Path
from typing import Any

from microgradient.engine.number import shown
from microgradient.files import path_of, write_file
from microgradient.nn.module import Module

_FORMAT = "microgradient checkpoint"
_VERSION = 1
_SPARE = 1_000_000  # bytes beyond what this module's parameters take: another layout, other names


def save(module: Module, path: str | Path) -> None:
    """Write the parameters of ``module`` to ``path``, whole or not at all.

    Raises ValueError if a parameter is not finite or ``path`` cannot be written to, and an OSError
    if the system refuses to write.
    """
    state = _module(module, "save").state_dict()
    if broken := [name for name, number in state.items() if not isfinite(number)]:
        raise ValueError(f"parameter {broken[0]!r} is {state[broken[0]]}; nothing was written")
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "checksum": _checksum(state),
        "parameters": state,
    }
    write_file(path_of(path), json.dumps(content, indent=1, allow_nan=False).encode())


def load(module: Module, path: str | Path) -> None:
    """Set the parameters of ``module`` from the file ``path``; if anything is wrong, change none.

    A file that is larger than a checkpoint of this module can be is refused. Raises
    ValueError for a file that is not a checkpoint, or whose names or numbers do not fit, and an
    OSError if there is no file or it cannot be read.
    """
    names = list(_module(module, "load").state_dict())
    data = _read(path_of(path), names)
    try:
        content = json.loads(data, parse_constant=_refuse, object_pairs_hook=_object)
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
    try:
        parameters = _numbers(content.get("parameters"))
    except ValueError as fault:
        raise ValueError(f"{path} does not fit this module: {fault}") from None
    if content.get("checksum") != _checksum(parameters):
        raise ValueError(
            f"{path} was damaged or edited: its numbers do not match its checksum; to set numbers "
            "of your own, call module.load_state_dict"
        )
    try:
        module.load_state_dict(parameters)
    except (ValueError, TypeError, OverflowError) as fault:
        raise ValueError(f"{path} does not fit this module: {fault}") from None


def _module(module: object, what: str) -> Module:
    if not isinstance(module, Module):
        example = f'nn.{what}(model, "model.json")'
        raise TypeError(f"expected a module and a path, as in {example}, got {shown(module)}")
    return module


def _read(path: Path, names: list[str]) -> bytes:
    """Return what the file holds; ValueError if no checkpoint of a module with ``names`` does.

    The bounds keep what a hostile file takes, in memory and time, near what the module itself does.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file, and so is not a checkpoint")
    most = _SPARE + sum(6 * len(name) + 64 for name in names)  # an escaped character takes 6
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes; a checkpoint of this module, with "
            f"{len(names):,} parameters, has at most {most:,}"
        )
    for mark, expected in ((b"[", 0), (b"{", 2)):
        if data.count(mark) > expected + sum(name.count(mark.decode()) for name in names):
            raise ValueError(f"{path} is not a checkpoint of this module: it holds other data")
    return data


def _checksum(parameters: Any) -> str:
    """Return the SHA-256 of the parameters in one fixed notation, however the file is laid out."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it holds the same name twice")
    return found


def _numbers(parameters: object) -> dict[str, float]:
    if not isinstance(parameters, dict):
        raise ValueError(f"expected names and numbers under 'parameters', got {shown(parameters)}")
    for name, number in parameters.items():
        if type(number) not in (int, float):
            raise ValueError(f"expected a number for {shown(name)}, got {shown(number)}")
    return parameters


def _refuse(name: str) -> float:
    raise ValueError(f"it holds the number {name}")
