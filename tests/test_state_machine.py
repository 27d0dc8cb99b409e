"""Graphs that grow, share, change, sweep, are copied, pickled and freed, against a naive oracle.

The oracle knows nothing of graphs: every node carries its derivative by every node before it, put
together when the node is made, from slopes written here.
"""

import copy
import gc
import math
import pickle
from array import array

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

import microgradient as mg
from live import live_values
from microgradient import Value, topological_order
from microgradient.compiler.backends import kernel_of
from microgradient.compiler.program.adjoint import reverse
from microgradient.compiler.program.passes import program_of
from microgradient.compiler.program.tracing import Trace

UNARY = {  # operation: value, slope
    "sin": (math.sin, math.cos),
    "tanh": (math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "exp": (math.exp, math.exp),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "softplus": (lambda x: math.log1p(math.exp(x)), lambda x: 1 / (1 + math.exp(-x))),
}
BINARY = {
    "+": (lambda x, y: x + y, lambda x, y: (1.0, 1.0)),
    "-": (lambda x, y: x - y, lambda x, y: (1.0, -1.0)),
    "*": (lambda x, y: x * y, lambda x, y: (y, x)),
    "max": (max, lambda x, y: ((x > y) + (x == y) / 2, (y > x) + (x == y) / 2)),
}
LARGE = 20.0
NUMBERS = st.floats(-2, 2).map(lambda x: round(x, 2))


class Known:
    """A node, and by every node before it: the derivative, and its size summed over all paths."""

    def __init__(self, node, before, leaf=False):
        self.node = node
        self.leaf = leaf
        self.derivatives = {}
        for known, slope in before:
            for other, (d, size) in known.derivatives.items():
                old, old_size = self.derivatives.get(other, (0.0, 0.0))
                self.derivatives[other] = (old + slope * d, old_size + abs(slope) * size)
        self.derivatives[self] = (1.0, 1.0)
        self.grad = None  # what the node's should be
        self.slack = 0.0


class Graphs(RuleBasedStateMachine):
    nodes = Bundle("nodes")

    @initialize(target=nodes, x=NUMBERS)
    def start(self, x):
        gc.collect()
        gc.disable()  # what is dropped must go at once
        self.before = live_values()
        self.known, self.made, self.changed = [], [], set()
        return self._add(Value(x), [], leaf=True)

    def _add(self, node, before, leaf=False):
        known = Known(node, before, leaf)
        self.known.append(known)
        self.made.append(known)
        return known

    @rule(target=nodes, x=NUMBERS)
    def leaf(self, x):
        return self._add(Value(x), [], leaf=True)

    @rule(target=nodes, a=nodes, name=st.sampled_from(sorted(UNARY)))
    def unary(self, a, name):
        x = a.node.data
        if abs(x) > LARGE:
            return multiple()
        value, slope = UNARY[name]
        node = getattr(mg, name)(a.node)
        assert math.isclose(node.data, value(x), rel_tol=1e-12, abs_tol=1e-300)
        return self._add(node, [(a, slope(x))])

    @rule(target=nodes, a=nodes, b=nodes, name=st.sampled_from(sorted(BINARY)))
    def binary(self, a, b, name):
        x, y = a.node.data, b.node.data
        if max(abs(x), abs(y)) > LARGE:
            return multiple()
        value, slopes = BINARY[name]
        node = mg.maximum(a.node, b.node) if name == "max" else value(a.node, b.node)
        assert node.data == value(x, y)
        return self._add(node, list(zip((a, b), slopes(x, y))))

    @rule(target=nodes, several=st.lists(nodes, min_size=1, max_size=4))
    def dot(self, several):
        numbers = [k.node.data for k in several]
        if max(map(abs, numbers)) > LARGE:
            return multiple()
        node = mg.dot([k.node for k in several], [k.node for k in several])
        slopes = [(k, 2 * x) for k, x in zip(several, numbers)]
        return self._add(node, slopes)

    @rule(a=nodes, x=NUMBERS)
    def change(self, a, x):
        """Nodes that exist keep the derivatives of when they were made."""
        a.node.data = x
        self.changed.add(a)

    @rule(a=nodes)
    def sweep(self, a):
        a.node.backward()
        for other, (d, size) in a.derivatives.items():
            fresh = not other.leaf or other.grad is None
            other.grad = d if fresh else other.grad + d
            other.slack = 1e-12 * size + (0.0 if fresh else other.slack)

    @rule(a=nodes)
    def reset(self, a):
        a.node.grad, a.grad, a.slack = 0.0, 0.0, 0.0

    @rule(target=nodes, a=nodes, way=st.sampled_from(["deepcopy", "pickle"]))
    def twin(self, a, way):
        """A copy has the same numbers and leaves of its own."""
        node = copy.deepcopy(a.node) if way == "deepcopy" else pickle.loads(pickle.dumps(a.node))
        ours = {k.node: k for k in a.derivatives}
        twins = {}
        for old, new in zip(topological_order(a.node), topological_order(node)):
            assert old is not new
            assert (old.data, old.grad, old.partials) == (new.data, new.grad, new.partials)
            k = ours.get(old)
            if k is None:
                continue
            twin = self._add(new, [], k.leaf)
            twin.grad, twin.slack = k.grad, k.slack
            twin.derivatives = {
                twins.get(o, twin): d for o, d in k.derivatives.items() if o in twins or o is k
            }
            if k in self.changed:
                self.changed.add(twin)
            twins[k] = twin
        return twins[a]

    @rule(a=nodes)
    def functional_gradient_changes_nothing(self, a):
        x = a.node.data
        kept = [k.node.grad for k in self.known]
        assert math.isclose(mg.grad(lambda t: mg.sin(t) * t)(x), math.cos(x) * x + math.sin(x))
        assert [k.node.grad for k in self.known] == kept

    @rule(a=nodes, backend=st.sampled_from(["python", "llvm"]))
    def compiled(self, a, backend):
        """The graph as a program of its leaves: value and derivatives of when it was made."""
        leaves = [k for k in a.derivatives if k.leaf]
        if any(k in self.changed for k in a.derivatives) or not a.node.parents:
            return
        trace = Trace(len(leaves), {k.node: i for i, k in enumerate(leaves)})
        variables = trace.inputs()
        results = [a.node, *reverse(trace, variables, [(a.node, 1.0)])]
        program = program_of(trace, [trace.slot(x) for x in results], ["?"] * len(leaves))
        numbers = array("d", [k.node.data for k in leaves])
        value, *gradient = kernel_of(program, backend).run(numbers)
        assert math.isclose(value, a.node.data, rel_tol=1e-12, abs_tol=1e-12)
        for k, slope in zip(leaves, gradient, strict=True):
            d, size = a.derivatives[k]
            assert abs(slope - d) <= 1e-12 * size + 1e-300

    @rule(a=consumes(nodes))
    def forget(self, a):
        """Drop our own references; nodes that others depend on stay alive through those."""
        if not any(a in k.derivatives for k in self.known if k is not a):
            self.known.remove(a)
            a.node = None

    @invariant()
    def gradients_are_as_expected(self):
        for k in getattr(self, "known", ()):
            assert k.node.reached == (k.grad is not None), k.node
            if k.grad is not None:
                assert abs(k.node.grad - k.grad) <= k.slack + 1e-300, (k.node, k.grad)

    def teardown(self):
        if hasattr(self, "known"):
            for k in self.made:
                k.node = None
            try:
                assert live_values() == self.before
            finally:
                gc.enable()
                gc.collect()


Graphs.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestGraphs = Graphs.TestCase
