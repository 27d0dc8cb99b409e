"""How exactly two computations of one thing agree."""

from __future__ import annotations

from collections.abc import Iterable
from math import ulp

from microgradient.gallery.piece import Finding

Numbers = Iterable[float]


def same(
    word: str, older: str, source: str, ours: Numbers, theirs: Numbers, ulps: int = 0
) -> Finding:
    """Return the finding that each pair of numbers is within ``ulps`` units in the last place."""
    pairs = [(float(x), float(y)) for x, y in zip(ours, theirs, strict=True)]
    apart = [abs(x - y) / ulp(max(abs(x), abs(y))) for x, y in pairs]
    holds = all(gap <= ulps for gap in apart)
    worst, (x, y) = max(zip(apart, pairs))
    how = f"at most {worst:.2g} ulp{'s' * (worst != 1)} apart ({ulps} allowed)"
    numbers = f"{len(pairs)} number{'s' * (len(pairs) > 1)}"
    came = f"{numbers}, {how if any(apart) else 'equal to the last bit'}: "
    first = [f"{x:.6g}" for x, _ in pairs[:3]] + ["…"] * (len(pairs) > 3)
    came += ", ".join(first) if holds else f"{x!r} and {y!r}"
    return Finding(f"{word}: {older}", source, came, holds)
