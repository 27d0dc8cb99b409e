"""Attributes of one's own on Values, declared by name."""

import copy
import pickle
import subprocess
import sys

import pytest

import microgradient as mg
from microgradient import Value, nn

mg.attributes("first_moment", "second_moment", "colour")


def _adam_steps(parameters, loss, steps, rate=0.1, beta1=0.9, beta2=0.99):
    """Adam as many programs write it: its moments are attributes of the parameters."""
    for p in parameters:
        p.first_moment = p.second_moment = 0.0
    for t in range(1, steps + 1):
        for p in parameters:
            p.grad = 0.0
        loss().backward()
        for p in parameters:
            p.first_moment = beta1 * p.first_moment + (1 - beta1) * p.grad
            p.second_moment = beta2 * p.second_moment + (1 - beta2) * p.grad**2
            mean = p.first_moment / (1 - beta1**t)
            square = p.second_moment / (1 - beta2**t)
            p.data -= rate * mean / (square**0.5 + 1e-8)


def test_an_adam_that_keeps_its_moments_on_the_parameters_learns_as_ours_does():
    def loss(model):
        return sum((model([x, 1.0]) - y) ** 2 for x, y in ((0.0, 1.0), (1.0, -1.0), (2.0, 0.5)))

    ours, theirs = (nn.MLP(2, [4, 1], "tanh", rng=0) for _ in range(2))
    _adam_steps(theirs.parameters(), lambda: loss(theirs), 20)
    optimizer = nn.Adam(ours.parameters(), 0.1, beta2=0.99)
    for _ in range(20):
        optimizer.zero_grad()
        loss(ours).backward()
        optimizer.step()
    assert list(theirs.state_dict().values()) == pytest.approx(list(ours.state_dict().values()))


def test_attributes_are_copied_and_pickled_along_and_may_be_deleted():
    x = Value(2.0, label="x")
    y = x * 3
    x.colour, y.colour = "red", ["blue"]
    for twin in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert (twin.colour, twin.parents[0].colour, twin.parents[0].label) == (
            ["blue"],
            "red",
            "x",
        )
    copy.deepcopy(y).colour.append("green")
    assert y.colour == ["blue"]
    twin = copy.copy(x)
    del x.colour
    assert (x.label, hasattr(x, "colour"), twin.colour) == ("x", False, "red")
    for read in (lambda: x.colour, lambda: x.__delattr__("colour")):
        with pytest.raises(AttributeError, match="no attribute 'colour' yet"):
            read()


def test_names_that_cannot_be_declared():
    mg.attributes("colour")  # a second time
    for name in ("data", "grad", "tanh", "_prev", "__len__", "2m", "", 3):
        with pytest.raises(ValueError, match=r"already|expected names"):
            mg.attributes("fine", name)
    assert not hasattr(Value, "fine")
    with pytest.raises(AttributeError):
        Value(1.0).undeclared = 1


def test_values_without_attributes_take_no_more_memory():
    sizes = """
import sys, tracemalloc
import microgradient as mg
if len(sys.argv) > 1:
    mg.attributes("m", "v")
tracemalloc.start()
nodes = [mg.Value(1.0) for _ in range(1000)]
print(tracemalloc.get_traced_memory()[0])
"""
    without, declared = (
        int(
            subprocess.run(
                [sys.executable, "-c", sizes, *extra], capture_output=True, check=True
            ).stdout
        )
        for extra in ([], ["declared"])
    )
    assert abs(without - declared) < 2000  # of some 100,000 bytes


def test_a_subclass_is_refused_with_a_sentence():
    with pytest.raises(TypeError, match="Value cannot be the base of Weight: operators would"):
        type("Weight", (Value,), {})
