"""Numbers as text."""

from __future__ import annotations

from math import log10


def short(x: float) -> str:
    """Return ``x`` with four significant digits."""
    return f"{x:.4g}"


def digits(x: float | None) -> str:
    """Return ``x`` with six significant digits, nothing for None."""
    return "" if x is None else f"{x:.6g}"


def signed(x: float | None) -> str:
    """Return ``x`` with six significant digits, in brackets if it is negative."""
    text = digits(x)
    return f"({text})" if text.startswith("-") else text


def large(n: int) -> str:
    """Return a count with separators, or as a power of 10 if it has more than 15 digits."""
    return f"{n:,}" if n < 10**15 else f"about 10^{round(log10(n))}"


def counted(n: int, noun: str) -> str:
    """Return ``1 path``, ``2 paths``."""
    return f"{large(n)} {noun}{'' if n == 1 else 's'}"


def brief(x: float, digits: int = 4) -> str:
    """Return ``x`` for a picture: with a minus sign, and two digits if it has an exponent."""
    text = f"{x:.{digits}g}"
    return (f"{x:.2g}" if "e" in text else text).replace("-", "−")


def sign_of(x: float | None) -> str:
    """Return "positive", "negative" or "zero", also for nan and None."""
    return "zero" if not x or x != x else "positive" if x > 0 else "negative"


def subscript(number: object) -> str:
    """Return a number with its digits below the line."""
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
