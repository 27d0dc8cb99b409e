"""Sparse matrices of derivatives, in SciPy's format."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NoReturn

from microgradient.engine.recording import Recording


def _refuse(self: Any, *arguments: Any) -> NoReturn:
    raise TypeError(_RESULT_ONLY)


_RESULT_ONLY = (
    "within a compiled function, a sparse matrix can only be returned; compute with it outside, or "
    "leave out sparse=True"
)


class Sparse:
    """A matrix with entries in a few columns of each row: numbers or symbols.

    It is a result, and no number: whatever else is done with it raises TypeError. Raises
    ImportError without SciPy.
    """

    __array_ufunc__: Final = None
    __matmul__ = __rmatmul__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __neg__ = _refuse
    __getitem__ = __len__ = __iter__ = __bool__ = _refuse

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(_RESULT_ONLY) if name.startswith("__") else TypeError(_RESULT_ONLY)

    def __init__(self, rows: Sequence[Mapping[int, Any]], width: int) -> None:
        columns = [j for row in rows for j in sorted(row)]
        self.entries = [row[j] for row in rows for j in sorted(row)]
        starts = [0, *accumulate(map(len, rows))]
        csr_array, shape = _scipy().csr_array, (len(rows), width)
        self._empty = csr_array(([0.0] * len(columns), columns, starts), shape=shape)

    def of_doubles(self, doubles: Any) -> Any:
        """Return a ``csr_array`` of SciPy with these entries, which lie in an array of NumPy."""
        empty = self._empty
        matrix = copy.copy(empty)  # to construct one takes 8 times as long
        matrix.indices, matrix.indptr = empty.indices.copy(), empty.indptr.copy()
        matrix.data = doubles
        return matrix


def sparse_jacobian(transform: str, run: Recording) -> Any:
    """Return the Jacobian of a recorded function: a ``csr_array``, or ``Sparse`` of symbols."""
    if not run.maps_vectors:
        what = "an argument" if transform == "hessian" else "argument and result of f"
        raise TypeError(
            f"{transform} with sparse=True expects as {what} a list of numbers or a "
            "one-dimensional array, got another structure; flatten it, or leave out sparse=True"
        )
    if run.nested and not run.symbolic:
        raise TypeError(
            f"{transform} with sparse=True cannot be differentiated again, or by Values: a sparse "
            "matrix holds floats; leave out sparse=True"
        )
    sparse = Sparse(run.sparse_rows(), len(run.inputs))
    if run.symbolic:
        return sparse
    import numpy

    return sparse.of_doubles(numpy.array(sparse.entries, dtype=float))


def _scipy() -> Any:
    try:
        import scipy.sparse
    except ImportError:
        raise ImportError(
            "sparse derivatives need SciPy; install it with: pip install 'microgradient[sparse]'"
        ) from None
    return scipy.sparse
