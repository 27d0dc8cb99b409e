"""Code that does not grow: recurrences become loops over time, long sums loops over terms."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import nn
from microgradient.compiler.llvm.function import lowered
from microgradient.compiler.loops.periods import repetitions
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs

UNITS, WIDTH = 4, 3


class Recurrent(nn.Module):
    """A plain recurrent net that reads WIDTH numbers a step, and answers after the last one."""

    def __init__(self, rng=0):
        rng = random.Random(rng)
        self.cell = nn.Layer(UNITS + WIDTH, UNITS, "tanh", rng=rng)
        self.out = nn.Layer(UNITS, 2, "sigmoid", rng=rng)

    def __call__(self, xs):
        h = [0.0] * UNITS
        for t in range(0, len(xs), WIDTH):
            h = self.cell([*h, *xs[t : t + WIDTH]])
        return self.out(h)


class Memory(nn.Module):
    """An LSTM."""

    def __init__(self, rng=0):
        rng = random.Random(rng)
        self.gates = [nn.Layer(UNITS + WIDTH, UNITS, "sigmoid", rng=rng) for _ in range(3)]
        self.new = nn.Layer(UNITS + WIDTH, UNITS, "tanh", rng=rng)
        self.out = nn.Layer(UNITS, 2, "sigmoid", rng=rng)

    def __call__(self, xs):
        h, c = [0.0] * UNITS, [0.0] * UNITS
        for t in range(0, len(xs), WIDTH):
            read = [*h, *xs[t : t + WIDTH]]
            keep, take, show = (gate(read) for gate in self.gates)
            c = [k * old + i * new for k, old, i, new in zip(keep, c, take, self.new(read))]
            h = [o * mg.tanh(x) for o, x in zip(show, c)]
        return self.out(h)


def patterns(steps, count=6):
    rng = random.Random(1)
    return [
        ([rng.uniform(-1, 1) for _ in range(WIDTH * steps)], [rng.random(), rng.random()])
        for _ in range(count)
    ]


def gradient_of(model, steps):
    objective = Objective(model, nn.half_squared_error, None)
    optimizer = nn.GradientDescent(model.parameters(), 0.1)
    return training_programs(objective, optimizer, patterns(steps)).gradient


@pytest.mark.parametrize("kind", [Recurrent, Memory])
def test_code_does_not_grow_with_the_steps(kind):
    sizes = []
    for steps in (40, 80):
        program = gradient_of(kind(), steps)
        functions = lowered(program, 4, "gradient", often=True).functions
        sizes.append(sum(len(function.text) for function in functions))
    assert sizes[1] < 1.02 * sizes[0]  # numbers have more digits


@pytest.mark.parametrize("kind", [Recurrent, Memory])
@pytest.mark.parametrize("update", ["sweep", "presentation", 4])
@pytest.mark.parametrize("steps", [3, 30])
def test_training_is_that_on_values(kind, update, steps):
    found = []
    for backend in ("eager", "llvm"):
        model = kind()
        optimizer = nn.Momentum(model.parameters(), 0.3, 0.5)
        nn.train(
            model,
            patterns(steps),
            loss=nn.half_squared_error,
            optimizer=optimizer,
            sweeps=3,
            update=update,
            backend=backend,
        )
        found.append([p.data for p in model.parameters()])
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("backend", ["python", "table", "llvm"], indirect=True)
def test_a_compiled_gradient_is_the_eager_one(backend):
    model, ((xs, targets), *_) = Memory(), patterns(30)

    def loss(p, xs):
        return nn.half_squared_error(nn.functional_call(model, p, (xs,)), targets)

    both = mg.value_and_grad(loss)
    value, gradient = mg.compile(both, backend=backend)(model.state_dict(), xs)
    expected, eager = both(model.state_dict(), xs)
    assert value == pytest.approx(expected, rel=1e-12)
    assert list(gradient.values()) == pytest.approx(list(eager.values()), rel=1e-9, abs=1e-13)


def sines(x):
    return sum(mg.sin(v) for v in x)


def valley(x):
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def products(x):
    return sum((b - a * a) * (b - a * a) + (1 - a) * (1 - a) for a, b in pairwise(x))


def mixed(x):
    return sum(mg.sin(v) * v + mg.exp(-v) + 1 for v in x)


@pytest.mark.parametrize("f", [sines, valley, products, mixed])
def test_long_sums_are_loops(f):
    sizes = []
    for n in (60, 240):
        point = [0.3 + 0.001 * i for i in range(n)]
        compiled = mg.compile(mg.value_and_grad(f), backend="llvm")
        value, gradient = compiled(point)
        expected, slopes = mg.value_and_grad(f)(point)
        assert value == pytest.approx(expected, rel=1e-13)
        assert gradient == pytest.approx(slopes, rel=1e-12, abs=1e-14)
        functions = lowered(compiled.program(), 1).functions
        sizes.append(sum(len(function.text) for function in functions))
    assert sizes[1] < 1.1 * sizes[0]  # the ends of the sum differ from the rest


def from_the_right(x):
    total = x[-1]
    for v in reversed(x[:-1]):
        total = v + total
    return total


def in_pairs(x):
    while len(x) > 1:
        x = [x[i] + x[i + 1] if i + 1 < len(x) else x[i] for i in range(0, len(x), 2)]
    return x[0]


@pytest.mark.parametrize("f", [sum, from_the_right, in_pairs])
@pytest.mark.parametrize("n", [20, 30, 300])
def test_a_sum_is_added_in_the_order_in_which_it_is_written(f, n):
    """To the last bit: that a small number comes first, or a large one cancels, is on purpose."""
    compiled = mg.compile(f, backend="llvm")
    for seed in range(3):
        rng = random.Random(seed)
        point = [rng.uniform(-1, 1) * 10 ** rng.randint(-3, 3) for _ in range(n)]
        assert compiled(point) == f(point)
    huge = [1e308, 1e308, -1e308, *[0.0] * (n - 3)]
    assert compiled(huge) == f(huge)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3).map(lambda x: (x,)))))
def test_repetitions_give_the_sequence_back(items):
    made = []
    for first, period, times in repetitions(items):
        assert first == len(made)
        for k in range(times):
            for j in range(first, first + period):
                (key, (x,)), step = items[j], 0
                if times > 1:
                    step = items[j + period][1][0] - x
                made.append((key, (x + k * step,)))
    assert made == items


def test_repetitions_find_the_loop():
    steps = [[("f", (7 * t, 1)), ("g", (0, t))] for t in range(5)]
    items = [("start", ()), *(x for step in steps for x in step), ("f", (0, 0)), ("end", ())]
    assert repetitions(items) == [(0, 1, 1), (1, 2, 5), (11, 1, 1), (12, 1, 1)]
