"""A lecture's neuron, with labels: tanh as one operation, then taken apart."""

from programs.tape import Value


def neuron():
    x1 = Value(2.0, label="x1")
    x2 = Value(0.0, label="x2")
    w1 = Value(-3.0, label="w1")
    w2 = Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1*w1"
    x2w2 = x2 * w2
    x2w2.label = "x2*w2"
    s = x1w1 + x2w2
    s.label = "x1*w1 + x2*w2"
    n = s + b
    n.label = "n"
    return [x1, x2, w1, w2, b, x1w1, x2w2, s, n], n


def draw(root):
    seen, lines = set(), []

    def visit(v):
        if v not in seen:
            seen.add(v)
            lines.append(f"{{ {v.label} | data {v.data:.4f} | grad {v.grad:.4f} }} {v._op}")
            for child in v._prev:
                visit(child)

    visit(root)
    return sorted(lines)


nodes, n = neuron()
o = n.tanh()
o.label = "o"
o.backward()
print("\n".join(draw(o)))

nodes, n = neuron()
e = (2 * n).exp()
o = (e - 1) / (e + 1)
o.label = "o"
o.backward()
for v in nodes:
    print(f"{v.label:>14} {v.data:9.6f} {v.grad:9.6f}")

# a loss over four examples, and twenty steps
xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
ys = [1.0, -1.0, -1.0, 1.0]
w = [Value(0.1 * (i + 1), label=f"w{i}") for i in range(3)]
b = Value(0.0, label="b")
for k in range(20):
    ypred = [sum((wi * xi for wi, xi in zip(w, x)), b).tanh() for x in xs]
    loss = sum((yout - ygt) ** 2 for ygt, yout in zip(ys, ypred))
    for p in [*w, b]:
        p.grad = 0.0
    loss.backward()
    for p in [*w, b]:
        p.data += -0.05 * p.grad
    print(k, loss.data)
print(ypred[0].label or "no label", [y.data for y in ypred])
