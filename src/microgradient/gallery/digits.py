"""The digits that scikit-learn ships: 1,797 handwritten ones, 8 by 8 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TEST = 297  # cases held out: a sixth


@dataclass(frozen=True)
class Digits:
    """Training and test cases: pixels from 0 to 1 (cases by 64), and the digit of each."""

    pixels: Floats
    digits: Ints
    test_pixels: Floats
    test_digits: Ints


def digits(seed: int = 0) -> Digits:
    """Return the cases, shuffled: 1,500 to train with and 297 held out."""
    found = load_digits()
    order = np.random.default_rng(seed).permutation(len(found.target))
    pixels, target = found.data[order] / 16, found.target[order].astype(np.int64)
    return Digits(pixels[_TEST:], target[_TEST:], pixels[:_TEST], target[:_TEST])


def one_hot(digits: Ints) -> Floats:
    """Return for each digit ten numbers, all 0 but its own, which is 1."""
    return np.eye(10)[digits]
