"""A recorded graph differentiated in 50 digits, without the table's partials.

Values come from the rows' own formulas in mpmath, local derivatives from Taylor series of those
formulas, and the sum over paths from a separate reverse sweep. So any difference from the engine's
gradient is a rounding error of the engine, or a mistake.
"""

from __future__ import annotations

from typing import Any

from microgradient.check.gradients.recording import Recording
from microgradient.check.numbers.branches import branches
from microgradient.check.numbers.exact_partials import exact_partial
from microgradient.check.numbers.number_systems import DIGITS, exact
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.value import Value


def exact_gradient(
    recording: Recording, output: Value, digits: int = 2 * DIGITS
) -> dict[Value, Any]:
    """Return the adjoint of every active node for ``output``, in 50 digits.

    Raises what ``exact_partial`` raises.
    """
    base = exact(digits)
    values = recording.replayed(base, {})
    adjoint: dict[Value, Any] = {output: base.lift(1)}
    for node in reversed(recording.order):
        if node not in adjoint or node not in recording.active or node.op is None:
            continue
        operands = [values[parent] for parent in node.parents]
        for i, parent in enumerate(node.parents):
            if parent in recording.active:
                term = adjoint[node] * exact_partial(node.op, operands, i, digits)
                adjoint[parent] = adjoint[parent] + term if parent in adjoint else term
    return adjoint


def branches_differ(recording: Recording) -> bool:
    """Return whether some operation takes another branch in floats than in exact numbers.

    If so, the point is closer to a kink than its own rounding error, and 50 digits do not apply.
    """
    values = recording.replayed(exact(), {})
    for node in recording.order:
        if node in recording.active and node.op is not None and node.parents:
            here = branches(node.op, [p.data for p in node.parents], FLOATS)
            if here != branches(node.op, [values[p] for p in node.parents], exact()):
                return True
    return False
