"""The values of a TOML file, checked as they are read: every error gives the file and the key."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from microgradient.engine.number import shown

_CHARACTERS = 1_000_000  # of a file
_LENGTH = 100  # of a name
_NAMES = 20  # that an error lists
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Entry:
    """A value, the file that it stands in, and the path of its key there.

    Items of lists are counted from 1 in paths: ``link[1].source``. The value is None for a key that
    the file does not give. Every method raises ValueError for a value of another kind.
    """

    value: object
    file: str
    path: str = ""

    @property
    def given(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def refused(self, expected: str, got: str = "") -> ValueError:
        """Return an error that says what was expected and what came."""
        got = got or shown(self.value)
        return ValueError(f"{self.file}: {self.path} must be {expected}, got {got}")

    def table(
        self, defaults: Mapping[str, object], required: Iterable[str] = ()
    ) -> dict[str, Entry]:
        """Return the entries of a table that has the ``required`` keys and those with defaults."""
        found, keys = self.entries(), [*required, *defaults]
        for name, entry in found.items():
            if name not in keys:
                hint = f"{_near(name, keys)}; the keys here are {_listed(keys)}"
                raise ValueError(f"{self.file}: unknown key {entry.path}{hint}")
        for name in required:
            if name not in found:
                raise ValueError(f"{self.file}: the key {self._key(name)} is missing")
        rest = {name: Entry(x, self.file, self._key(name)) for name, x in defaults.items()}
        return {**rest, **found}

    def entries(self) -> dict[str, Entry]:
        """Return the entries of a table with any keys."""
        if not isinstance(self.value, dict):
            raise self.refused("a table")
        return {name: Entry(x, self.file, self._key(name)) for name, x in self.value.items()}

    def items(self, expected: str, least: int, most: int) -> list[Entry]:
        """Return the entries of a list of ``least`` to ``most`` items, which is ``expected``."""
        if not isinstance(self.value, list):
            raise self.refused(expected)
        if not least <= (count := len(self.value)) <= most:
            raise self.refused(expected, f"{count:,} item{'s' if count != 1 else ''}")
        return [Entry(x, self.file, f"{self.path}[{k}]") for k, x in enumerate(self.value, 1)]

    def text(self) -> str:
        """Return a short text in one line."""
        text = self.value
        if not isinstance(text, str) or not text.isprintable() or not 1 <= len(text) <= _LENGTH:
            raise self.refused(f"a text of 1 to {_LENGTH} printable characters")
        return text

    def one_of(self, names: Iterable[str]) -> str:
        """Return a text that is one of ``names``."""
        known = [*names]
        if not isinstance(self.value, str) or self.value not in known:
            raise ValueError(
                f"{self.refused(f'one of {_listed(known)}')}{_near(self.value, known)}"
            )
        return self.value

    def integer(self, least: int, most: int, others: str = "") -> int:
        """Return a whole number from ``least`` to ``most``; ``others`` is what else could stand."""
        if type(self.value) is not int or not least <= self.value <= most:
            raise self.refused(f"a whole number from {least:,} to {most:,}{others}")
        return self.value

    def number(self, most: float = _LARGEST) -> float:
        """Return a finite number; with ``most`` infinite, infinity too."""
        if type(self.value) not in (int, float) or not -_LARGEST <= self.value <= most:  # type: ignore[operator]
            raise self.refused("a finite number" if most == _LARGEST else "a number or inf")
        return float(self.value)  # type: ignore[arg-type]

    def numbers(self, count: int) -> tuple[float, ...]:
        """Return a list of ``count`` finite numbers."""
        expected = f"a list of {count:,} number{'s' if count != 1 else ''}"
        return tuple(entry.number() for entry in self.items(expected, count, count))

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.refused("true or false")
        return self.value

    def _key(self, name: str) -> str:
        bare = len(name) <= _LENGTH and re.fullmatch(r"[A-Za-z0-9_-]+", name)
        key = name if bare else shown(name).removeprefix("str ")
        return f"{self.path}.{key}" if self.path else key


def parse(text: str, file: str) -> Entry:
    """Return the table that a TOML text holds; ``file`` names it in errors.

    Raises ValueError, with line and column, for what is not TOML; and for what is too long, too
    deeply nested, or holds a number of thousands of digits.
    """
    if len(text) > _CHARACTERS:
        raise ValueError(f"{file} must have at most {_CHARACTERS:,} characters, got {len(text):,}")
    try:
        return Entry(tomllib.loads(text), file)
    except RecursionError:
        raise ValueError(f"{file} is not read: its lists or tables are nested too deeply") from None
    except ValueError as fault:
        reason = str(fault).partition(";")[0]  # what follows is advice to Python programmers
        raise ValueError(f"{file} is not valid TOML: {reason}") from None


def _listed(names: list[str]) -> str:
    more = f", … ({len(names):,} in all)" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _near(value: object, names: list[str]) -> str:
    """Return the end of an error: the name that was meant, if there is one."""
    near = get_close_matches(value, names, 1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""
