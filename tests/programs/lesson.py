"""A lesson's notebook: a graph drawn as DOT, a step of descent, a neuron, backward by hand."""

import random

from micrograd.engine import Value
from micrograd.nn import Neuron


def trace(root):
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    return nodes, edges


def draw_dot(root):
    nodes, edges = trace(root)
    lines = ["digraph {", "rankdir=LR"]
    for n in nodes:
        uid = str(id(n))
        label = "{ data %.4f | grad %.4f }" % (n.data, n.grad)  # noqa: UP031
        lines.append(f'"{uid}" [shape=record label="{label}"]')
        if n._op:
            lines.append(f'"{uid + n._op}" [label="{n._op}"]')
            lines.append(f'"{uid + n._op}" -> "{uid}"')
    for n1, n2 in edges:
        lines.append(f'"{id(n1)}" -> "{str(id(n2)) + n2._op}"')
    return "\n".join([*lines, "}"])


def labels(dot):
    """The drawing without the names of the nodes, which are addresses."""
    return sorted(line.split("label=")[1] for line in dot.split("\n") if "label=" in line)


# %% a graph
a = Value(2.0)
b = Value(-3.0)
c = Value(10.0)
e = a * b
d = e + c
f = Value(-2.0)
L = d * f + (a + a).relu() * 0.25 + (b * f) ** 2
print(labels(draw_dot(L)))  # before the backward pass, too
L.backward()
print(labels(draw_dot(L)))
print(draw_dot(L).count("->"), "arrows")
print(f"dL/da = {a.grad:.4f}, dL/db = {b.grad:.4f}, dL/dc = {c.grad:.4f}, dL/df = {f.grad:.4f}")

# %% nudge every leaf: does L go up as the gradients say?
before = L.data
for leaf in (a, b, c, f):
    leaf.data += 0.01 * leaf.grad
e = a * b
d = e + c
L = d * f + (a + a).relu() * 0.25 + (b * f) ** 2
print(before, "->", L.data)

# %% a neuron
random.seed(1337)
n = Neuron(2)
x = [Value(1.0), Value(-2.0)]
y = n(x)
y.backward()
print(y.data, [w.grad for w in n.w], n.b.grad, [v.grad for v in x])
print("digraph" in draw_dot(y), y._op)

# %% the backward pass by hand
for v in (a, b, c, d, e, f, L):
    v.grad = 0
L = d * f
L.grad = 1.0
L._backward()
d._backward()
e._backward()
print(a.grad, b.grad, c.grad, d.grad, e.grad, f.grad)
