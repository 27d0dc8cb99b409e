"""Machine code: a module's text compiled by LLVM for this processor, and called."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm

from microgradient.compiler.llvm.addresses import SPACING
from microgradient.compiler.llvm.buffers import doubles, given_doubles, padded, taken
from microgradient.compiler.llvm.function import lowered, module_text
from microgradient.compiler.llvm.instructions import LIBRARY
from microgradient.compiler.program.program import Program
from microgradient.engine.op import FLOATS

_PYTHON_OWN = ("cbrt", "lgamma", "digamma", "polygamma")  # where the engine does not call C's
_lock = threading.Lock()  # LLVM compiles one module at a time
_LARGE = 4_000_000  # characters of a module compiled in haste: in a half to a third of the time
_Double = ctypes.c_double
RUN = ctypes.CFUNCTYPE(
    None,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p),
)


def _target(effort: int = 2) -> llvm.TargetMachine:
    """Return a description of this processor: a new one, for an engine will own it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=effort, jit=True
    )


def lanes() -> int:
    """Return how many doubles a vector register of this processor holds."""
    llvm.initialize_native_target()
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx") else 2


class Code:
    """Compiled functions by name; they live as long as this object."""

    def __init__(self, text: str) -> None:
        with _lock:
            target = _target(2 if len(text) < _LARGE else 0)
            module = llvm.parse_assembly(text)
            module.verify()
            for name in _used(text):
                llvm.add_symbol(f"lib_{name}", _address(name))
            _optimise(module, llvm.create_pass_builder(target, _options()))
            self._engine = llvm.create_mcjit_compiler(module, target)
            self._engine.finalize_object()

    def function(self, name: str, signature: Any) -> Any:
        return signature(self._engine.get_function_address(name))


def _options() -> llvm.PipelineTuningOptions:
    return llvm.create_pipeline_tuning_options(speed_level=2)


def _optimise(module: llvm.ModuleRef, passes: llvm.PassBuilder) -> None:
    """Run the few passes that pay: the loops and the instructions are chosen well already.

    LLVM's standard pipeline takes a third of a second for the family trees, and gains 2 to 5 %.
    """
    inlining = llvm.create_new_module_pass_manager()
    inlining.add_always_inliner_pass()
    inlining.run(module, passes)
    local = llvm.create_new_function_pass_manager()
    local.add_sroa_pass()
    local.add_instruction_combine_pass()
    for function in module.functions:
        if not function.is_declaration:
            local.run(function, passes)


def _used(text: str) -> list[str]:
    return [name for name in LIBRARY if f"@lib_{name}(" in text]


@lru_cache
def _callback(name: str) -> Any:
    """Return the engine's own function for C to call."""
    kind = ctypes.CFUNCTYPE(_Double, *[_Double] * LIBRARY[name])
    return kind(FLOATS.native[name])


@lru_cache
def _address(name: str) -> int:
    if name not in _PYTHON_OWN:
        try:
            found = getattr(ctypes.CDLL(None), name)
        except (AttributeError, OSError, TypeError):  # no C library to be found by this way
            pass
        else:
            return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    return int(ctypes.cast(_callback(name), ctypes.c_void_p).value or 0)


class _Scratch(threading.local):
    """Memory to work in: each thread has its own, and keeps it from call to call."""

    def __init__(self, shared: int, rows: int) -> None:
        self.shared, self.rows = doubles(shared), doubles(rows)


class MachineKernel:
    """A program as machine code; any number of threads may run it at once."""

    def __init__(self, program: Program) -> None:
        self._outputs, self._each = len(program.outputs), program.each
        self._lanes = lanes() if program.rows else 1
        function = lowered(program, self._lanes, vector=lanes())
        self._code = Code(module_text([function]))
        self._run = self._code.function("run", RUN)
        self._columns = len(program.rows)
        self._shared = function.shared_size
        self._scratch = _Scratch(self._shared, function.row_size * SPACING * self._lanes)

    def run(self, inputs: Sequence[float]) -> Sequence[float]:
        """Return the outputs for ``inputs``."""
        out = (_Double * self._outputs)()
        given = given_doubles(inputs)
        self._run(given, None, 0, 1, out, 0, self._scratch.shared, None)
        return taken(out)

    def again(self, inputs: Any) -> Callable[[], object]:
        """Return a function that runs on ``inputs``, an array of doubles, and converts nothing."""
        out, memory = (_Double * self._outputs)(), (_Double * self._shared)()
        return lambda: self._run(inputs, None, 0, 1, out, 0, memory, None)

    def run_rows(self, inputs: Sequence[float], rows: Any) -> Any:
        """Return the sums of the outputs over ``rows``, or a sequence of those of each."""
        n = len(rows)
        stride = padded(n, self._lanes)
        columns = turned(rows, self._columns, stride)
        width = stride if self._each else 1
        out = doubles(self._outputs * width)
        given = given_doubles(inputs)
        memories = self._scratch.shared, self._scratch.rows
        self._run(given, columns, stride, n, out, width, *memories)
        if not self._each:
            return taken(out)
        if isinstance(rows, list):
            return [out[k : k + self._outputs * width : width] for k in range(n)]
        import numpy

        return numpy.frombuffer(out).reshape(self._outputs, stride)[:, :n].T


def turned(rows: Any, count: int, stride: int) -> Any:
    """Return the rows turned: one column after the other, each padded to ``stride`` numbers."""
    columns = doubles(count * stride + 8)  # a batch may begin anywhere, and loads whole vectors
    if isinstance(rows, list):
        for k, column in enumerate(zip(*rows)):
            columns[k * stride : k * stride + len(rows)] = column
    elif len(rows):
        import numpy

        table = numpy.frombuffer(columns)[: count * stride].reshape(count, stride)
        table[:, : len(rows)] = rows.T
    return columns
