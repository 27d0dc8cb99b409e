"""The two engines side by side: what C makes is what value.py makes, to the last bit."""

# both() calls its function at once

import copy
import gc
import importlib
import inspect
import math
import os
import random
import struct
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

import microgradient as mg
from microgradient.engine import native


def _package(pure):
    """Return the package imported anew with the variable MICROGRADIENT_PURE set to ``pure``."""
    ours = [name for name in sys.modules if name.split(".")[0] == "microgradient"]
    kept = {name: sys.modules.pop(name) for name in ours}
    try:
        with mock.patch.dict(os.environ, {"MICROGRADIENT_PURE": pure}):
            return importlib.import_module("microgradient")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "microgradient"]:
            del sys.modules[name]
        sys.modules.update(kept)


PURE = _package("1")
BUILT = mg if native.node is not None else PURE  # C is tested in the run that uses it
ENGINES = (BUILT, PURE)

SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 1e-300, 5e-324, -5e-324, 1e300, -1e300),
    *(math.inf, -math.inf, math.nan, 710.0, -710.0, 746.0, 37.0, math.pi, 1e16, 2.0**53, 1.8e308),
]
UNARY = sorted(n for n, op in mg.OPS.items() if len(op.domain) == 1 and not op.sequences)
BINARY = ["+", "-", "*", "/", "**", "%", "max", "min", "<", "<=", ">", ">=", "==", "!="]
FOREIGN = [
    *(1, 0, -3, 10**400, 2**53 + 1, True, None, "x", [1.0], (), 1j, Fraction(1, 3), Decimal("0.1")),
    *(np.float32(0.1), np.int64(3), np.array(2.5), np.array([1.0, 2.0]), object, 2**63),
]
NUMBERS = st.floats(-3, 3) | st.sampled_from(SPECIAL) | st.floats()


def bits(x):
    """Return the bits of a float; of every nan the same."""
    return "nan" if x != x else struct.pack("d", x)


def apply(package, name, x, y):
    return {
        "+": lambda: x + y,
        "-": lambda: x - y,
        "*": lambda: x * y,
        "/": lambda: x / y,
        "**": lambda: x**y,
        "%": lambda: x % y,
        "max": lambda: package.maximum(x, y),
        "min": lambda: package.minimum(x, y),
        "<": lambda: x < y,
        "<=": lambda: x <= y,
        ">": lambda: x > y,
        ">=": lambda: x >= y,
        "==": lambda: x == y,
        "!=": lambda: x != y,
    }[name]()


def outcome(function, *arguments):
    """Return the result, or the type and the message of the exception."""
    try:
        return function(*arguments)
    except Exception as fault:
        return type(fault), str(fault)


def seen(package, x):
    """Return a result in terms that both packages share."""
    if isinstance(x, package.Value):
        return (
            *(bits(x.data), bits(x.grad), x.reached, x.label, x.op and x.op.name, repr(x)),
            *([bits(p.data) for p in x.parents], [bits(d) for d in x.partials]),
        )
    if isinstance(x, float):
        return bits(x)
    if isinstance(x, np.ndarray):
        return [seen(package, element) for element in x.flat]
    if isinstance(x, (list, tuple)):
        return [seen(package, element) for element in x]
    return x


def both(function, *arguments):
    """Return ``function(package, *arguments)`` for either engine, after comparing them."""
    results = [outcome(function, package, *arguments) for package in ENGINES]
    ours, theirs = (seen(package, x) for package, x in zip(ENGINES, results))
    assert ours == theirs
    return results


def _hard_sum(rng):
    """Return terms that cancel, span many sizes, or add up to nearly half way between floats."""
    kind, spread = rng.randrange(3), rng.choice((0, 3, 60, 300))
    if kind == 0:
        x = rng.gauss(0, 1)
        tail = [math.ulp(x) * 2.0 ** -rng.randint(2, 120) for _ in range(rng.randrange(4))]
        return [x, rng.choice((1, -1)) * math.ulp(x) / 2, *(rng.choice((1, -1)) * t for t in tail)]
    terms = [rng.gauss(0, 1) * 2.0 ** rng.randint(-spread, spread) for _ in range(40)]
    return terms if kind == 1 else [*terms, *(-x for x in terms[: rng.randrange(41)])]


def test_sums_are_rounded_once():
    rng = random.Random(0)
    for _ in range(20_000):
        terms = _hard_sum(rng)
        assert bits(BUILT.fsum(list(map(BUILT.Value, terms))).data) == bits(math.fsum(terms))


@pytest.mark.parametrize("name", UNARY)
def test_operations_of_one_operand(name):
    rng = random.Random(name)
    numbers = [rng.gauss(0, 3) for _ in range(300)] + [
        math.copysign(2.0 ** rng.uniform(-1074, 1023), rng.random() - 0.5) for _ in range(300)
    ]
    for x in SPECIAL + numbers:
        both(lambda package, x: getattr(package, name)(package.Value(x)), x)
        both(lambda package, x: getattr(package.Value(x), name, package.Value(x).tanh)(), x)
        both(lambda package, x: getattr(package, name)(x), x)
    for x in FOREIGN:
        both(lambda package, x: getattr(package, name)(x), x)
    both(lambda package: (-package.Value(0.3), abs(package.Value(-0.3)), +package.Value(-0.0)))


@pytest.mark.parametrize("name", BINARY)
def test_operators(name):
    rng = random.Random(name)
    pairs = [(x, y) for x in SPECIAL for y in SPECIAL]
    pairs += [(rng.gauss(0, 3), rng.choice([rng.gauss(0, 3), rng.randint(-4, 4)])) for _ in pairs]
    for x, y in pairs:
        both(lambda mg, x, y: apply(mg, name, mg.Value(x), mg.Value(y)), x, y)
        both(lambda mg, x, y: apply(mg, name, mg.Value(x), y), x, y)
        both(lambda mg, x, y: apply(mg, name, x, mg.Value(y)), x, y)


def test_ints_are_compared_exactly():
    for x in (2.0**53, -(2.0**53), 2.0**63, 1e300, 3.0, -0.0, math.inf, math.nan):
        for n in (2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**63 + 1, int(1e300), 3, 0):
            for name in ("==", "!=", "<", ">="):
                both(lambda mg, name, x, n: apply(mg, name, mg.Value(x), n), name, x, n)
    assert mg.Value(2.0**53) != 2**53 + 1


@pytest.mark.parametrize("thing", FOREIGN, ids=repr)
@pytest.mark.parametrize("name", BINARY)
def test_other_operands_and_their_errors(name, thing):
    both(lambda package: apply(package, name, package.Value(1.5), thing))
    both(lambda package: apply(package, name, thing, package.Value(1.5)))


class Sum:
    """A class of someone else that has operators for whatever stands beside it."""

    def __repr__(self):
        return "Sum()"

    def __radd__(self, other):
        return "radd"

    def __gt__(self, other):
        return "gt"


def test_foreign_classes_have_their_turn():
    both(lambda package: package.Value(1.0) + Sum())
    both(lambda package: package.Value(1.0) < Sum())
    both(lambda package: package.Value(1.0) * Sum())
    both(lambda package: package.Value(1.0) == Sum())
    both(lambda package: pow(package.Value(2.0), 3, 5))
    both(lambda package: package.Value.tanh(0.5))


WRONG = [
    lambda mg: mg.Value(),
    lambda mg: mg.Value("1"),
    lambda mg: mg.Value(1.0, label=3),
    lambda mg: mg.Value(1.0, (mg.Value(2.0),)),
    lambda mg: mg.Value(1.0, data=2.0),
    lambda mg: mg.Value(10**400),
    lambda mg: mg.Value(mg.Value(1.0)),
    lambda mg: setattr(mg.Value(1.0), "data", None),
    lambda mg: setattr(mg.Value(1.0), "grad", "x"),
    lambda mg: type("Mine", (mg.Value,), {}),
    lambda mg: float(mg.Value(1.0)),
    lambda mg: bool(mg.Value(1.0)),
    lambda mg: mg.Value(1.0).record(mg.OPS["add"], (mg.Value(1.0), "x")),
    lambda mg: mg.dot([mg.Value(1.0)], [1.0, 2.0]),
    lambda mg: mg.dot([mg.Value(1.0)], ["x"]),
    lambda mg: mg.dot([mg.Value(1.0)], [10**400]),
    lambda mg: mg.dot([mg.Value(1.0)], 3.0),
    lambda mg: mg.fsum([mg.Value(1.0), None]),
    lambda mg: mg.tanh(mg.Value(1.0), 2.0),
    lambda mg: mg.tanh(x=mg.Value(1.0)),
    lambda mg: mg.tanh(),
    lambda mg: mg.maximum(mg.Value(1.0)),
    lambda mg: mg.nn.half_squared_error([mg.Value(1.0)], [1.0, 2.0]),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_the_same(wrong):
    results = both(wrong)
    assert all(type(result) is tuple and issubclass(result[0], Exception) for result in results)


class Engines(RuleBasedStateMachine):
    """A graph that grows, is swept, changed and copied: in both engines at once."""

    nodes = Bundle("nodes")

    @initialize(target=nodes, x=NUMBERS)
    def start(self, x):
        self.made = []
        return self._kept(both(lambda package: package.Value(x)))

    def _kept(self, results):
        """Return the place of a pair of Values; of another result, that of the first pair."""
        if all(isinstance(x, package.Value) for package, x in zip(ENGINES, results)):
            self.made.append(results)
            return len(self.made) - 1
        return 0

    def _both(self, function, *places):
        """Apply ``function(package, *nodes)`` to the nodes at these places, in both engines."""
        results = []
        for k, package in enumerate(ENGINES):
            results.append(outcome(function, package, *(self.made[i][k] for i in places)))
        assert seen(BUILT, results[0]) == seen(PURE, results[1])
        return results

    @rule(target=nodes, x=NUMBERS, label=st.none() | st.sampled_from("ab"))
    def leaf(self, x, label):
        return self._kept(both(lambda package: package.Value(x, label=label)))

    @rule(target=nodes, a=nodes, name=st.sampled_from(UNARY))
    def unary(self, a, name):
        return self._kept(self._both(lambda package, x: getattr(package, name)(x), a))

    @rule(target=nodes, a=nodes, b=nodes, name=st.sampled_from(BINARY))
    def binary(self, a, b, name):
        return self._kept(self._both(lambda p, x, y: apply(p, name, x, y), a, b))

    @rule(target=nodes, a=nodes, number=NUMBERS, name=st.sampled_from(BINARY), left=st.booleans())
    def with_number(self, a, number, name, left):
        def operation(package, x):
            return apply(package, name, *((number, x) if left else (x, number)))

        return self._kept(self._both(operation, a))

    @rule(
        target=nodes,
        several=st.lists(nodes, min_size=1, max_size=6),
        numbers=st.lists(NUMBERS, min_size=6, max_size=6),
        name=st.sampled_from(["fsum", "dot", "both", "bias", "half_squared_error", "logsumexp"]),
    )
    def many(self, several, numbers, name):
        def operation(package, *xs):
            rest = numbers[: len(xs)]
            return {
                "fsum": lambda: package.fsum([*xs, *numbers]),
                "dot": lambda: package.dot(xs, rest),
                "both": lambda: package.dot(list(xs), tuple(reversed(xs)), 1),
                "bias": lambda: package.dot(rest, xs, xs[0]),
                "half_squared_error": lambda: package.nn.half_squared_error(list(xs), rest),
                "logsumexp": lambda: package.logsumexp(xs),
            }[name]()

        return self._kept(self._both(operation, *several))

    @rule(a=nodes)
    def backward(self, a):
        self._both(lambda package, x: x.backward(), a)

    @rule(a=nodes)
    def backward_under_watch(self, a):
        def swept(package, x):
            with package.detect_anomaly():
                (x * 2).backward()

        self._both(swept, a)

    @rule(a=nodes, x=NUMBERS | st.none())
    def set_grad(self, a, x):
        self._both(lambda package, node: setattr(node, "grad", x), a)

    @rule(a=nodes, x=NUMBERS)
    def set_data(self, a, x):
        self._both(lambda package, node: setattr(node, "data", x), a)

    @rule(a=nodes, label=st.none() | st.sampled_from("cd"))
    def set_label(self, a, label):
        self._both(lambda package, node: setattr(node, "label", label), a)

    @rule(target=nodes, a=nodes, deep=st.booleans())
    def copied(self, a, deep):
        copier = copy.deepcopy if deep else copy.copy
        return self._kept(self._both(lambda package, x: copier(x), a))

    @rule(a=nodes, b=nodes, xs=st.lists(NUMBERS, min_size=2, max_size=2))
    def transforms(self, a, b, xs):
        def f(package):
            return lambda x: package.tanh(x[0] * x[1]) + package.dot(x, x) / x[0] - x[1] ** 3

        both(lambda package: package.value_and_grad(f(package))(xs))
        both(lambda package: package.hessian(f(package))(xs))
        both(lambda package: package.jvp(f(package), (xs,), ([1.0, 2.0],)))

        def sweep(package, x, y):
            order = package.engine.graph.computed_nodes(y, x)
            return package.engine.sweeps.gradients(order, {x: 1.0, y: -2.0}, [x, y])

        self._both(sweep, a, b)

    @invariant()
    def same(self):
        for pair in self.made[-12:]:
            ours, theirs = (seen(package, x) for package, x in zip(ENGINES, pair))
            assert ours == theirs


TestEngines = Engines.TestCase
TestEngines.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_sums_are_rounded_as_python_rounds_them():
    rng = random.Random(1)
    for _ in range(2_000):
        n = rng.choice([0, 1, 2, 3, 10, 80])
        spread = rng.choice([1, 50, 600])
        xs = [rng.gauss(0, 1) * 2.0 ** rng.randint(-spread, spread) for _ in range(n)]
        xs += [-x for x in xs if rng.random() < 0.4]
        if rng.random() < 0.2:
            xs += rng.choices(SPECIAL, k=2)
        rng.shuffle(xs)
        both(lambda mg, xs: mg.fsum([*map(mg.Value, xs)]), xs)
        both(lambda mg, xs: mg.dot([*map(mg.Value, xs)], xs[::-1], 1.0), xs)


@pytest.mark.parametrize("name", ["GradientDescent", "Momentum", "Adam", "AdamW"])
def test_optimizers(name):
    rng = random.Random(name)
    numbers = SPECIAL + [rng.gauss(0, 1) for _ in range(50)]
    gradients = [rng.sample(numbers, len(numbers)) for _ in range(6)]

    def trained(package):
        parameters = [package.Value(x) for x in numbers]
        optimizer = getattr(package.nn, name)(parameters, 0.1)
        for gradient in gradients:
            for parameter, slope in zip(parameters, gradient):
                parameter.grad = slope
            optimizer.step()
        return parameters, [getattr(optimizer, memory) for memory in optimizer.memories]

    both(trained)


def test_memories_of_another_kind_are_left_to_python():
    def trained(package):
        w = package.Value(1.0)
        optimizer = package.nn.Momentum([w], 0.1)
        optimizer.changes = [Fraction(1, 3)]
        w.grad = 2.0
        optimizer.step()
        return w, optimizer.changes

    both(trained)


@pytest.mark.parametrize("name", UNARY)
def test_higher_derivatives(name):
    def f(package):
        function = getattr(package, name)
        return lambda x: function(x[0] * x[1]) / x[1] - x[0] ** 3 + package.dot(x, x[::-1])

    def third(package, x):
        slope = package.grad(lambda x: f(package)([x, 0.9]))
        return package.grad(package.grad(slope))(x)

    for x in (0.3, -0.7, 2.0, 0.0, math.inf, math.nan):
        both(lambda package, x: package.hessian(f(package))([x, 0.9]), x)
        both(third, x)


def test_a_value_takes_80_bytes_and_no_collection():
    v = mg.Value(1.0) * 2
    small = native.node is None or sys.maxsize < 2**32
    assert small or (sys.getsizeof(v), gc.is_tracked(v)) == (80, False)
    assert small or native.node.live_nodes() >= 3


def test_a_refused_number_leaves_the_old_one():
    def refused(package):
        v = package.Value(5.0)
        results = [outcome(setattr, v, "data", 10**400), outcome(v.__init__, -(10**400))]
        return v, v.reached, results

    both(refused)


class Meddler(float):
    """A number that changes a Value while it is read."""

    def __new__(cls, number, v):
        self = super().__new__(cls, number)
        self.v = v
        return self

    def __float__(self):
        self.v.data = 100.0
        return float.__add__(self, 0.0)


@pytest.mark.parametrize("name", BINARY)
def test_operands_that_change_the_other_one(name):
    def meddled(package, swap):
        v = package.Value(2.0)
        x = Meddler(50.0, v)
        return apply(package, name, *((x, v) if swap else (v, x))), v

    both(meddled, False)
    both(meddled, True)


@pytest.mark.parametrize("name", ["mul", "add", "sub", "neg"])
@pytest.mark.parametrize("parents", [1, 2, 3])
def test_an_operation_set_by_hand(name, parents):
    def f(package):
        def f(x):
            y = package.fsum([x * x] * parents)
            y.op = package.OPS[name]
            return y

        return f

    both(lambda package: package.grad(package.grad(f(package)))(0.5))


@pytest.mark.parametrize("read", ["parents", "partials", "order"])
def test_the_collector_may_run_a_constructor_on_the_node_that_is_read(read):
    def reset(phase, info):
        if y.parents:
            y.__init__(0.0)
            kept.extend(mg.Value(7.0) for _ in range(1_000))  # in the place of what was freed

    y, kept = mg.fsum([mg.Value(1.0) * k for k in range(300)]), []
    threshold = gc.get_threshold()
    gc.callbacks.append(reset)
    try:
        gc.set_threshold(1)
        found = mg.engine.graph.computed_nodes(y) if read == "order" else getattr(y, read)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(reset)
    assert all(type(x) in (float, mg.Value) for x in found)
    assert sum(x if type(x) is float else x.data for x in found) >= 0


class Waiting:
    """A thing on a Value whose finalizer waits for another thread."""

    def __init__(self, reached, done):
        self.reached, self.done = reached, done

    def __del__(self):
        self.reached.set()
        self.done.wait(10)


def test_a_finalizer_that_waits_keeps_no_other_nodes():
    def drop():
        v = mg.Value(1.0)
        v._attributes = {"waiting": Waiting(reached, done)}

    reached, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=drop)
    thread.start()
    try:
        assert reached.wait(10)
        before = native.node.live_nodes() if native.node else 0
        y = mg.Value(1.0)
        for _ in range(1_000):
            y = y + 1.0
        del y
        assert (native.node.live_nodes() if native.node else 0) == before
    finally:
        done.set()
        thread.join()


def test_a_chain_of_operations_that_hold_older_nodes_is_freed():
    y = mg.Value(1.0)
    for _ in range(20_000):
        y = mg.Op("kept", lambda m, v, x, older=y: (1.0,), lambda m, x: x * 1.0)(y)
    before = native.node.live_nodes() if native.node else 40_000
    del y
    assert before - (native.node.live_nodes() if native.node else 0) > 19_000


def test_signatures_and_docstrings():
    for package in ENGINES:
        assert list(inspect.signature(package.Value.backward).parameters) == ["self"]
        assert package.Value.backward.__doc__.startswith("Add d(self)/d(leaf)")
        assert package.Value.record.__doc__.startswith("Return the node of ``op``")
        assert len(inspect.signature(package.tanh).parameters) == 2
    both(lambda package: setattr(package.Value(1.0), "foo", 1))
    both(lambda package: setattr(package.Value(1.0), "backward", 1))
    both(lambda package: len(package.Value(1.0)))


def test_the_package_can_be_imported_again():
    code = """
import sys
import microgradient as mg

old = mg.Value(2.0)
for name in [name for name in sys.modules if name.split(".")[0] == "microgradient"]:
    del sys.modules[name]
import microgradient as again
from microgradient.engine import native

assert again is not mg and native.node is None
assert again.grad(lambda x: again.tanh(x) * x)(0.5) == mg.grad(lambda x: mg.tanh(x) * x)(0.5)
assert (old * 3).data == (again.Value(2.0) * 3).data == 6.0
print(native.description)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert native.node is None or "serves another import" in run.stdout


def test_a_subclass_that_slips_through_makes_no_values():
    class Quiet:
        def __init_subclass__(cls):
            pass

    if native.node is not None:
        with pytest.raises(TypeError, match="cannot be the base"):
            type("Mine", (Quiet, mg.Value), {})(1.0)


def test_the_variable_chooses_the_engine():
    code = "import microgradient.engine.native as n, microgradient as mg; print(n.description)"
    for value, said in [("1", "pure Python engine (MICROGRADIENT_PURE is set)"), ("0", None)]:
        environment = {**os.environ, "MICROGRADIENT_PURE": value}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment
        )
        assert run.returncode == 0, run.stderr
        assert said is None or run.stdout.strip() == said
