"""The section on what hidden units learned."""

from __future__ import annotations

from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import Section


def hidden_units(found: Found) -> Section | None:
    """Return the section."""
    return None
