"""The gradient over many patterns, in parts that several threads compute.

The parts are the same however many threads there are, and their results are added in order: so the
sum does not depend on the threads.
"""

from __future__ import annotations

import ctypes

from microgradient.compiler.llvm.addresses import BLOCKS
from microgradient.compiler.llvm.buffers import padded
from microgradient.compiler.llvm.builder import CLEAR, SMALLER, Builder, Callee, Function, Index
from microgradient.compiler.llvm.function import ProgramFunction
from microgradient.compiler.llvm.lanes import Lanes

PARTS = 4
_WORTH = 1_000_000  # weights times patterns: 0.4 ms, ten times what it takes to start a thread
_TASK, _WORKER = 7, 3  # words
_CREATE = Callee(
    "lib_pthread_create", "i32", ("ptr", "ptr", "ptr", "ptr"), library="pthread_create"
)
_JOIN = Callee("lib_pthread_join", "i32", ("i64", "ptr"), library="pthread_join")
_LARGER = Callee("llvm.smax.i64", "i64", ("i64", "i64"))


def pays(weights: int, patterns: int, lanes: int) -> bool:
    """Return whether to compute a gradient in parts, by its size alone: each fills a tile."""
    return weights * patterns >= _WORTH and patterns >= PARTS * BLOCKS * lanes and _has_threads()


def _has_threads() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "pthread_create")
    except (OSError, TypeError):  # Windows
        return False


class SplitGradient:
    """The function ``@split`` that does what the function of a gradient does, in parts.

    It takes the same arguments but the stride of outputs, then how many threads there are, and the
    two memories of the first part with ``memory`` doubles for the others behind them.
    """

    callee = Callee(
        "split", "void", ("ptr", "ptr", "i64", "i64", "ptr", "i64", "ptr", "ptr", "ptr")
    )

    def __init__(self, gradient: ProgramFunction, outputs: int, lanes: int) -> None:
        self._gradient, self._tile = gradient, BLOCKS * lanes
        self._outputs = padded(outputs, 8)
        sizes = self._outputs, gradient.uniform, gradient.varying
        self._places = [0]
        for size in sizes * (PARTS - 1):
            self._places.append(self._places[-1] + padded(size, 8))
        self.memory = self._places[-1]

    def functions(self) -> list[Function]:
        return [self._worker(), self._split()]

    def _worker(self) -> Function:
        """Return the function of a thread: every so many tasks, from one on."""
        builder = Builder()
        tasks = builder.load("ptr", "%worker")
        first, step = (builder.load("i64", builder.at("%worker", i)) for i in (1, 2))
        with builder.loop(PARTS, first, step) as i:
            task = builder.at(tasks, builder.integer("mul", i, _TASK))
            kinds = ("ptr", "ptr", "i64", "i64", "ptr", "ptr", "ptr")
            words = [builder.load(kind, builder.at(task, k)) for k, kind in enumerate(kinds)]
            given: list[Index] = [*words[:5], 1, *words[5:]]  # 1 is the stride of outputs
            with builder.when(builder.put(f"icmp sgt i64 {words[3]}, 0")):
                builder.call(self._gradient.callee, *given)
        head = "internal ptr @split_worker(ptr %worker)"
        return builder.function(head, "split_worker", "ptr null")

    def _split(self) -> Function:
        builder = Builder()
        tasks = builder.allocate(f"[{PARTS * _TASK} x i64]")
        workers = builder.allocate(f"[{PARTS * _WORKER} x i64]")
        threads = builder.allocate(f"[{PARTS} x i64]")
        outs = self._fill(builder, tasks)
        started: list[tuple[str, str]] = []
        for w in range(PARTS):
            worker = builder.at(workers, w * _WORKER)
            builder.store("ptr", tasks, worker)
            builder.store("i64", w, builder.at(worker, 1))
            builder.store("i64", "%threads", builder.at(worker, 2))
        for w in range(1, PARTS):
            worker, thread = builder.at(workers, w * _WORKER), builder.at(threads, w)
            is_running = builder.allocate("i1")
            builder.store("i1", "false", is_running)
            with builder.when(builder.put(f"icmp sgt i64 %threads, {w}")):
                code = builder.call(_CREATE, thread, "null", "@split_worker", worker)
                failed = builder.put(f"icmp ne i32 {code}, 0")
                builder.store("i1", builder.put(f"xor i1 {failed}, true"), is_running)
                with builder.when(failed):
                    builder.do(f"call ptr @split_worker(ptr {worker})")
            started.append((is_running, thread))
        builder.do(f"call ptr @split_worker(ptr {workers})")
        for is_running, thread in started:
            with builder.when(builder.load("i1", is_running)):
                builder.call(_JOIN, builder.load("i64", thread), "null")
        lanes = Lanes(builder, 8)
        for out in outs[1:]:
            with builder.loop(self._outputs, 0, 8) as i:
                sum_ = builder.at("%out", i)
                lanes.store(lanes.load(sum_) + lanes.load(builder.at(out, i)), sum_)
        names = ("p", "x", "stride", "n", "out", "threads", "t", "v", "more")
        parameters = [f"{kind} %{name}" for kind, name in zip(self.callee.parameters, names)]
        return builder.function(f"internal void @split({', '.join(parameters)})", "split")

    def _fill(self, builder: Builder, tasks: str) -> list[str]:
        """Write the tasks; return where the outputs of each go."""
        whole = builder.integer("add", "%n", PARTS * self._tile - 1)
        tiles = builder.integer("sdiv", whole, PARTS * self._tile)
        size = builder.integer("mul", tiles, self._tile)
        outs = list[str]()
        for k in range(PARTS):
            first = builder.integer("mul", size, k)
            left = builder.call(_LARGER, builder.integer("sub", "%n", first), 0)
            places = self._places[3 * (k - 1) : 3 * k] if k else []
            memories = [builder.at("%more", place) for place in places] or ["%out", "%t", "%v"]
            out, *others = memories
            if k:
                builder.call(CLEAR, out, 0, 8 * self._outputs, "false")
            words: list[tuple[str, Index]] = [
                *(("ptr", "%p"), ("ptr", builder.at("%x", first)), ("i64", "%stride")),
                *(("i64", builder.call(SMALLER, left, size)), ("ptr", out)),
                *(("ptr", memory) for memory in others),
            ]
            for i, (kind, word) in enumerate(words):
                builder.store(kind, word, builder.at(tasks, k * _TASK + i))
            outs.append(out)
        return outs
