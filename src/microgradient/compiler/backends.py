"""Backends: machine code where llvmlite is installed, else Python source."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from microgradient.compiler.program.program import Doubles, Program
from microgradient.compiler.python.source import PythonKernel, python_source
from microgradient.engine.number import shown
from microgradient.engine.services.watching import warn_user

BACKENDS = ("auto", "llvm", "python")
_NOT_INSTALLED = "llvmlite is not installed (pip install 'microgradient[fast]')"


class Kernel(Protocol):
    """A program that can run."""

    def run(self, inputs: Doubles) -> array[float]:
        """Return the outputs for ``inputs``, doubles."""

    def run_batch(self, inputs: Doubles, batch: Any) -> Any:
        """Return the sums of the outputs over a batch of the varying inputs, or those of each."""


def check_backend(backend: str, names: Sequence[str] = BACKENDS) -> None:
    """Raise ValueError unless ``backend`` is one of ``names``."""
    if backend not in names:
        raise ValueError(f"backend must be one of {', '.join(names)}, got {shown(backend)}")


def has_llvm(backend: str) -> bool:
    """Return whether llvmlite is installed; ImportError if it is not and ``backend`` is "llvm"."""
    installed = find_spec("llvmlite") is not None
    if backend == "llvm" and not installed:
        raise ImportError(f"machine code cannot be made: {_NOT_INSTALLED}")
    return installed


def kernel_of(program: Program, backend: str) -> Kernel:
    """Return ``program`` ready to run; "auto" warns if it has to be Python source."""
    check_backend(backend)
    if backend == "python":
        return PythonKernel(program)
    if not has_llvm(backend):
        warn_user(f"{_NOT_INSTALLED}: compiled to Python source, which is slower")
        return PythonKernel(program)
    from microgradient.compiler.llvm.jit import MachineKernel  # it imports llvmlite

    try:
        return MachineKernel(program)
    except (RuntimeError, OSError) as fault:
        if backend == "llvm":
            raise
        warn_user(f"llvmlite failed ({fault}): compiled to Python source")
        return PythonKernel(program)


def source_of(program: Program, backend: str) -> str:
    """Return the source text of ``program``: "python", or "llvm" for LLVM IR."""
    if backend == "python":
        return python_source(program)
    if backend == "llvm":
        from microgradient.compiler.llvm.function import llvm_source  # only when it is needed

        return llvm_source(program)
    raise ValueError(f'source expects "python" or "llvm", got {shown(backend)}')
