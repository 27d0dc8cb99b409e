"""Other libraries, where installed: the same gradients; conventions as the docs list them."""

from pathlib import Path
from random import Random

import pytest

import peers
from campaign import near
from microgradient import OPS
from microgradient.check.expressions import RandomChoices, choose_expression
from microgradient.check.gradients.bounds import gradient_error_bounds
from microgradient.check.gradients.recording import Recording

PEERS = peers.installed()
PAGE = Path(__file__).parent.parent / "docs" / "conventions.md"
FACTOR = 20  # their functions may be some ulps off where ours are one
CONSTANT = {"clip", "leaky_relu", "elu"}  # elsewhere, their further operands must be constants
INEXACT = {
    "PyTorch": {"softplus"},  # the identity beyond 20, which is off by 2e-9 there
    "TensorFlow": {"gelu"},  # off by 3e-9 in float64
}
EXPRESSIONS = 200


def test_autograd_is_installed_with_the_tests():
    assert "autograd" in PEERS


@pytest.mark.parametrize("name", PEERS)
def test_gradients_agree(name):
    peer = PEERS[name]
    rows = [
        op
        for op in OPS.values()
        if (hasattr(peer.names, op.name) or op.name in peers.REACHED)
        and op.name not in CONSTANT
        and op.name not in INEXACT.get(name, ())
    ]
    assert len(rows) >= 25
    compared = 0
    for seed in range(EXPRESSIONS):
        e = choose_expression(RandomChoices(Random(seed)), rows=rows)
        recording = Recording(e.f, e.inputs)
        value, theirs = peer.value_and_gradient(peers.over(e.f), e.inputs)
        recording.outputs[0].backward()
        bounds = gradient_error_bounds(recording.order, recording.outputs[0], recording.inputs)
        for x, got, bound in zip(recording.inputs, theirs, bounds):
            assert near(x.grad, got, FACTOR * bound + 1e-14), (e, x.grad, got, bound)
            compared += 1
        assert value == pytest.approx(recording.outputs[0].data, rel=1e-9, abs=1e-12)
    assert compared > EXPRESSIONS


def _page_table():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    start = next(i for i, line in enumerate(lines) if line.startswith("| value \\| derivatives"))
    head, _, *rows = [
        [cell.strip() for cell in line.replace("\\|", "¦").strip("|").split("|")]
        for line in lines[start : start + 2 + len(peers.CASES)]
    ]
    return head, {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("name", ["microgradient", *PEERS])
def test_page_lists_every_convention_as_measured(name):
    head, rows = _page_table()
    peer = peers.ours() if name == "microgradient" else PEERS[name]
    title = name if name == "microgradient" else f"{name} {peers.version(name)}"
    if title not in head:  # another release than the page was made with: its choices may differ
        assert any(column.startswith(f"{name} ") for column in head)
        return
    column = head[1:].index(title)
    for text, f, x in peers.CASES:
        assert rows[text][column] == peers.told(peer, f, x).replace("\\|", "¦"), text
