"""What a strict type checker says about a user's code."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

USER = """
import microgradient as mg
from microgradient import Value, nn

def loss(x: Value) -> Value:
    return mg.maximum(x, 0.0) + mg.sin(x) * 2 - x ** 2 / 3

def plain(x: float) -> float:
    return mg.sin(x)

model = nn.MLP(2, [3, 1], "tanh")
weights = model.parameters()
error = (model([1.0, 2.0]) - 1) ** 2
error.backward()
grads: list[float | None] = [p.grad for p in model.parameters()]

ws = [Value(0.5), Value(2.0)]
neuron: Value = mg.dot(ws, [1.0, 2.0], Value(0.1)) + mg.fsum(ws) + mg.dot([1.0, 2.0], ws)
total: float = mg.fsum([0.5, 1]) + mg.dot([1.0], [2.0]) + mg.leaky_relu(0.5, slope=0.1)
entropy: Value = mg.softmax_cross_entropy(ws, 0)
chosen: Value = mg.where(neuron > 0, neuron, 0.0)
larger: Value = mg.maximum(1.0, neuron)
number: float = mg.detach(neuron) + mg.where(total > 0, 1.0, 2.0)

slope: float = mg.grad(plain)(3)
slopes: list[float] = mg.grad(lambda xs: xs[0] * xs[1])([1.0, 2.0])
node: Value = mg.grad(loss)(Value(0.5))
second: float = mg.hessian(plain)(0.5)
table: list[list[float]] = mg.hessian(lambda xs: xs[0] * xs[1])([1.0, 2.0])
curvature: Value = mg.hessian(loss)(Value(0.5))
third: float = mg.derivative(plain, 3)(0.5)

def outputs(xs: list[float]) -> list[float]:
    return [xs[0] * xs[1], mg.sin(xs[0])]

rows: list[list[float]] = mg.jacobian(outputs)([1.0, 2.0])
by_name: dict[str, float] = mg.grad(lambda p: p["a"] ** 2)({"a": 1.0})
stopped: float = mg.stop_gradient(neuron)
def show(network: nn.MLP, history: nn.History) -> None:
    print(network, history.errors)

patterns = [([1.0, 2.0], [0.5])]
nn.train(model, patterns, loss=nn.hinge, optimizer=nn.Adam(weights), sweeps=1, on_sweep=show)
nn.train(lambda x: x[0] ** 2, patterns, loss=nn.hinge, optimizer=nn.Adam(weights), sweeps=1)
replicas = nn.train_replicas([model], patterns, loss=nn.hinge, optimizer=nn.Adam, sweeps=1)
learned: nn.MLP = replicas[0].model
"""


@pytest.mark.long
def test_correct_code_passes_and_wrong_arguments_do_not(tmp_path):
    wrong = (
        'Value("1.0")\nnn.MLP(2, [1], initialiser="he")\n'
        "x: str = mg.hessian(plain)(0.5)\ny: float = mg.jacobian(outputs)([1.0, 2.0])\nmg.vmap\n"
    )
    for code, faults in ((USER, 0), (USER + wrong, 5)):
        (tmp_path / "user.py").write_text(code)
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "user.py"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.stdout.count("error:") == faults, run.stdout + run.stderr
