"""The U curve: the error of central differences over the step size."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from microgradient.check.gradients.component import Component

_CURVE, _BOUND, _LINE = "#0072b2", "#d55e00", "#666666"  # colour-blind safe (Okabe and Ito)


def _shown_in_notebooks(figure_class: Any) -> Any:
    """Return a subclass that notebooks display without `%matplotlib inline`."""

    class Shown(figure_class):  # type: ignore[misc]  # Any
        def _repr_png_(self) -> bytes:
            file = BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return Shown


def figure(component: Component) -> Any:
    """Return a matplotlib Figure of the U curve of one component.

    Raises ImportError, saying what to install, without matplotlib; ValueError where no central
    difference is finite.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "plot needs matplotlib; install it with: pip install 'microgradient[plot]'"
        ) from None
    wanted = component.exact if component.exact is not None else component.slope.low
    curve = component.stencil.curve()
    if not curve:
        raise ValueError(f"no central difference of {component.name} is finite here, so no curve")
    drawing = _shown_in_notebooks(Figure)(figsize=(6.4, 4.0), layout="constrained")
    axes = drawing.add_subplot()
    floor = 1e-18 * max(1.0, abs(wanted))  # where a logarithmic axis shows an error of zero
    errors = [max(abs(d.slope - wanted), floor) for d in curve]
    h = [d.h for d in curve]
    axes.loglog(h, errors, "o-", color=_CURVE, markersize=3, label="central difference")
    axes.loglog(
        h, [d.rounding for d in curve], "--", color=_LINE, linewidth=1, label="rounding, at most"
    )
    slope = component.slope
    if slope.kind == "smooth":
        known = max(slope.bound, floor)
        axes.loglog([slope.h], [known], "D", color=_CURVE, label="extrapolated: its bound")
    off = max(abs(component.reverse - wanted), floor)
    axes.axhline(off, color=_BOUND, linewidth=1.5)
    axes.annotate(
        "derivative to check" + (", wrong" if component.faults else ""),
        (h[-1], off),
        textcoords="offset points",
        xytext=(0, 4),
        color=_BOUND,
    )
    axes.set_xlabel("step size h")
    reference = "50 digits" if component.exact is not None else "extrapolated differences"
    axes.set_ylabel(f"distance from {reference}")
    title = f"{component.name} at {component.input} = {component.at:.6g}"
    axes.set_title(title, parse_math=False)  # names may hold a $
    axes.grid(alpha=0.2)
    axes.legend(frameon=False)
    return drawing
