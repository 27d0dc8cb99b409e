"""Outcomes kept on disk as they come: what is there is not run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from microgradient import __version__
from microgradient.rumelhart1986.study import Outcome, Study


class OutcomesFile:
    """A file of outcomes, to which whole lines are added.

    Lines that were cut off, and those of other versions of this package, are left out.
    Raises OSError if the folder cannot be made, or the file not be read or written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "outcomes.jsonl"
        self._known: dict[str, dict[int, Outcome]] = {}
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                if entry["version"] != __version__:
                    continue  # another version may train otherwise
                self._learn(entry["study"], [Outcome(**one) for one in entry["outcomes"]])
            except (ValueError, TypeError, KeyError):  # the end of a run that was killed
                continue

    def of(self, study: Study, seeds: int) -> list[Outcome]:
        """Return the outcomes that are known of the seeds wanted, in their order."""
        known = self._known.get(key_of(study), {})
        return [known[seed] for seed in study.wanted(seeds) if seed in known]

    def missing(self, study: Study, seeds: int) -> list[int]:
        """Return the seeds wanted that have no outcome."""
        known = self._known.get(key_of(study), {})
        return [seed for seed in study.wanted(seeds) if seed not in known]

    def add(self, study: Study, found: Sequence[Outcome]) -> None:
        """Write outcomes to the disk, whole, before this returns."""
        several = [asdict(one) for one in found]
        entry = {"version": __version__, "study": key_of(study), "outcomes": several}
        line = json.dumps(entry)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # behind a line that was cut off, if there is one
            file.flush()
            os.fsync(file.fileno())
        self._learn(key_of(study), found)

    def _learn(self, key: str, found: Sequence[Outcome]) -> None:
        self._known.setdefault(key, {}).update({one.seed: one for one in found})


def key_of(study: Study) -> str:
    """Return the name of a study and a digest of its content."""
    return f"{study.name} {hashlib.sha256(study.content.encode()).hexdigest()[:12]}"
