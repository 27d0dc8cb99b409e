"""Which lowering a program gets: machine code where llvmlite is installed, else Python source."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from microgradient.compiler.program.program import Program
from microgradient.compiler.python.source import PythonKernel, python_source
from microgradient.engine.number import shown

LOWERINGS = ("auto", "llvm", "python")


class Kernel(Protocol):
    """A program that can run."""

    def run(self, inputs: Sequence[float]) -> Sequence[float]: ...

    def run_rows(self, inputs: Sequence[float], rows: Any) -> Any: ...


def kernel_of(program: Program, lowering: str) -> Kernel:
    """Return ``program`` lowered as asked; "auto" says in one sentence if it has to be Python."""
    if lowering not in LOWERINGS:
        raise ValueError(f"lowering must be one of {', '.join(LOWERINGS)}, got {shown(lowering)}")
    if lowering == "python":
        return PythonKernel(program)
    if find_spec("llvmlite") is None:
        missing = "llvmlite is not installed (pip install 'microgradient[fast]')"
        if lowering == "llvm":
            raise ImportError(f"machine code cannot be made: {missing}")
        warnings.warn(f"{missing}: compiled to Python source, which is slower", stacklevel=2)
        return PythonKernel(program)
    from microgradient.compiler.llvm.jit import MachineKernel

    try:
        return MachineKernel(program)
    except (RuntimeError, OSError) as fault:
        if lowering == "llvm":
            raise
        warnings.warn(f"llvmlite failed ({fault}): compiled to Python source", stacklevel=2)
        return PythonKernel(program)


def source_of(program: Program, language: str) -> str:
    """Return the source text of ``program`` in "python" or "llvm"."""
    if language == "python":
        return python_source(program)
    if language == "llvm":
        from microgradient.compiler.llvm.function import llvm_source

        return llvm_source(program)
    raise ValueError(f'source expects "python" or "llvm", got {shown(language)}')
