"""Machine code: a module's text compiled by LLVM for this processor, and called."""

from __future__ import annotations

import ctypes
import threading
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from microgradient import __version__
from microgradient.compiler.llvm.buffers import Memories, columns_of, padded
from microgradient.compiler.llvm.builder import Module
from microgradient.compiler.llvm.calls import function_at
from microgradient.compiler.llvm.function import lowered, module_with
from microgradient.compiler.llvm.instructions import LIBRARY
from microgradient.compiler.llvm.object_cache import key_of, load, store
from microgradient.compiler.llvm.table import Interpreter
from microgradient.compiler.patience import interruptible
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Doubles, Program
from microgradient.engine.arithmetic import FLOATS

_PYTHON_OWN = frozenset(  # where the engine does not call C's; C's gamma is log|gamma|
    ("cbrt", "lgamma", "digamma", "polygamma", "gamma", "erfinv", "sinc", "sinc_derivative", "mod")
)
_LARGE = 4_000_000  # characters; from here on -O0 code generation, 2 to 3 times faster to compile
_QUICK = 100_000  # characters; LLVM takes no more than a moment over fewer
_RECIPE = "1"  # of how text becomes object code: change it with what is below, between releases
_lock = threading.RLock()  # LLVM compiles one module at a time
_Double = ctypes.c_double


def vector_width() -> int:
    """Return how many doubles a vector register of this processor holds."""
    llvm.initialize_native_target()
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx") else 2


class Code:
    """Compiled functions by name; they live as long as this object."""

    def __init__(self, module: Module) -> None:
        with _lock:
            effort = 2 if len(module.text) < _LARGE else 0
            target = _target(effort)
            cpu = target.triple, llvm.get_host_cpu_name(), _features()
            key = key_of(module.text, str(effort), *cpu, *_makers())
            code = load(key)
            if code is None:
                compiled = partial(_compiled, module, target)
                code = interruptible(compiled) if len(module.text) > _QUICK else compiled()
                store(key, code)
            for name in module.libraries:
                llvm.add_symbol(f"lib_{name}", _address(name))
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()

    def function(self, name: str, types: Sequence[str], result: Any = None) -> Any:
        """Return the function ``@name`` for Python to call; its parameters are ptr or i64."""
        kinds = [ctypes.c_void_p if kind == "ptr" else ctypes.c_int64 for kind in types]
        return ctypes.CFUNCTYPE(result, *kinds)(self.address(name))

    def address(self, name: str) -> int:
        """Return where the function ``@name`` is."""
        return int(self._engine.get_function_address(name))


def _makers() -> tuple[str, ...]:
    """Return what makes object code of text: any other version, and kept code is not found."""
    llvm_version = ".".join(map(str, llvm.llvm_version_info))
    return llvmlite.__version__, llvm_version, __version__, _RECIPE


@lru_cache
def _features() -> str:
    return llvm.get_host_cpu_features().flatten()  # type: ignore[no-any-return]


def _target(effort: int) -> llvm.TargetMachine:
    """Return a description of this processor, a new one each time: an engine takes ownership."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=effort, jit=True
    )


def _compiled(module: Module, target: llvm.TargetMachine) -> bytes:
    """Return the object code of ``module``."""
    parsed = llvm.parse_assembly(module.text)
    parsed.verify()
    _optimize(parsed, target)
    return target.emit_object(parsed)  # type: ignore[no-any-return]


def _optimize(module: llvm.ModuleRef, target: llvm.TargetMachine) -> None:
    """Run the few passes that pay: the loops and the instructions are chosen well already.

    LLVM's standard pipeline takes a third of a second for the family trees, and gains 2 to 5 %.
    What is closed here would otherwise be closed by a finalizer, which swallows a Ctrl-C.
    """
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    with options, llvm.create_pass_builder(target, options) as passes:
        with llvm.create_new_module_pass_manager() as inlining:
            inlining.add_always_inliner_pass()
            inlining.run(module, passes)
        with llvm.create_new_function_pass_manager() as local:
            local.add_sroa_pass()
            local.add_instruction_combine_pass()
            for function in module.functions:
                if not function.is_declaration:
                    local.run(function, passes)


@lru_cache
def _callback(name: str) -> Any:
    """Return the engine's own function for C to call."""
    kind = ctypes.CFUNCTYPE(_Double, *[_Double] * LIBRARY[name])
    return kind(FLOATS.native[name])


@lru_cache
def _interpreter(lanes: int) -> Code:
    return Code(Interpreter(lanes).module())


@lru_cache
def _address(name: str) -> int:
    if name.startswith("table"):
        return _interpreter(int(name.removeprefix("table"))).address(name)
    if name not in _PYTHON_OWN:
        try:
            found = getattr(ctypes.CDLL(None), name)
        except (AttributeError, OSError, TypeError):  # no C library to be found by this way
            pass
        else:
            return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    return int(ctypes.cast(_callback(name), ctypes.c_void_p).value or 0)


class MachineKernel:
    """A program as machine code; any number of threads may run it at once."""

    def __init__(self, program: Program) -> None:
        self._outputs, self._keeps_each = len(program.outputs), program.reduce is None
        self._lanes = vector_width() if program.varying else 1
        single, code = not program.varying, program.instructions
        function = lowered(program, self._lanes, vector=vector_width(), preset=single)
        self._code = Code(module_with([function]))
        self._run = function_at(self._code.address("run"), function.callee.parameters)
        self._columns = len(program.varying)
        self._memories = Memories(function.uniform, function.varying)
        self._needs_memory = function.uniform > 0
        constants = [code[i].number if code[i].op is CONSTANT else 0.0 for i in program.outputs]
        self._preset = array("d", constants if single else [0.0] * self._outputs)

    def run(self, inputs: Doubles) -> array[float]:
        """Return the outputs for ``inputs``."""
        out = self._preset[:]
        if self._needs_memory:
            memory = self._memories.taken()
            self._run(inputs, None, 0, 1, out, 0, memory.uniform, None)
            self._memories.put_back(memory)
        else:
            self._run(inputs, None, 0, 1, out, 0, None, None)
        return out

    def again(self, inputs: Any, batch: Any = ()) -> Callable[[], object]:
        """Return a function that runs on ``inputs`` and a batch, and converts nothing any more."""
        given, n = array("d", inputs), len(batch)
        stride = padded(n, self._lanes)
        columns = columns_of(batch, self._columns, stride) if n else None
        out, width = self._room(stride) if n else (self._preset[:], 1)
        memory = self._memories.taken()
        places = given, columns, stride, n or 1, out, width

        def run() -> array[float]:
            self._run(*places, memory.uniform, memory.varying)
            return out

        return run

    def run_batch(self, inputs: Doubles, batch: Any) -> Any:
        """Return the sums of the outputs over ``batch``, or a sequence of those of each.

        A batch is a list, an array or a view of rows; for an array, so is what is kept of each.
        """
        n = len(batch)
        stride = padded(n, self._lanes)
        out, width = self._room(stride)
        memory = self._memories.taken()
        columns = memory.columns(batch, self._columns, stride)
        self._run(inputs, columns, stride, n, out, width, memory.uniform, memory.varying)
        self._memories.put_back(memory)
        if not self._keeps_each:
            return out
        if not hasattr(batch, "dtype"):
            return [out[k : k + self._outputs * width : width].tolist() for k in range(n)]
        import numpy

        return numpy.frombuffer(out).reshape(self._outputs, stride)[:, :n].T

    def _room(self, stride: int) -> tuple[array[float], int]:
        """Return room for the outputs over a batch, and for how many examples it keeps each."""
        if self._keeps_each:
            return array("d", [0.0]) * (self._outputs * stride), stride
        return self._preset[:], 1
