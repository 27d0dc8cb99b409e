"""What is measured in each network that has learned."""

from __future__ import annotations

from collections.abc import Mapping

from microgradient.rumelhart1986.variant_study import Measure

DISTINCT_CODES = "distinct codes"
FINDINGS: Mapping[str, Measure] = {}
