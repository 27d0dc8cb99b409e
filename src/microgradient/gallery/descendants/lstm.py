"""A memory cell for back-propagation through time: the LSTM beside a plain recurrent net.

Text comes letter by letter: an a or a b, then letters that tell nothing, then a question: which was
it? The error must reach back to the first letter. In a plain net it is multiplied by a matrix and a
slope at each step, and shrinks or grows exponentially (Hochreiter 1991; Bengio et al. 1994). The
LSTM's cell is a sum, which passes it on unchanged where the forget gate is open (Hochreiter and
Schmidhuber 1997; Gers et al. 2000).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient import nn
from microgradient.gallery.digits import Floats
from microgradient.gallery.piece import Finding, Picture, Shown, show

LETTERS = "abcd"
UNITS = {"plain": 17, "LSTM": 8}  # about as many weights: 410 and 434
COLORS = {"plain": "#c2410c", "LSTM": "#1d4ed8"}
SMALL = {"distances": (2, 4), "units": {"plain": 3, "LSTM": 2}, "number": 8, "sweeps": 4, "nets": 2}

Text = tuple[list[float], list[float]]  # four numbers a letter, one of them 1; 1 0 for a, 0 1 for b
Step = tuple[list[Any], list[Any]]  # what a cell remembers after a letter, and what it shows of it


class Plain(nn.Module):
    """A plain recurrent net: h = tanh(w x + u h + b)."""

    def __init__(self, hidden: int, rng: random.Random) -> None:
        self.content = nn.Layer(
            len(LETTERS) + hidden, hidden, "tanh", rng=rng, initializer=nn.glorot
        )

    def __call__(self, letter: Sequence[Any], memory: list[Any], shown: list[Any]) -> Step:
        h = self.content.outputs([*letter, *memory])
        return h, h


class LSTM(nn.Module):
    """c = f c + i g and h = o tanh(c): three gates between 0 and 1 decide what is kept."""

    def __init__(self, hidden: int, rng: random.Random) -> None:
        self.content, *self.gates = (
            nn.Layer(len(LETTERS) + hidden, hidden, kind, rng=rng, initializer=nn.glorot)
            for kind in ("tanh", "sigmoid", "sigmoid", "sigmoid")
        )
        for forget, accept in zip(self.gates[0].neurons, self.gates[1].neurons):
            forget.bias.data = 5.0  # open: the cell keeps 0.993 of what it has at each letter
            accept.bias.data = -2.0  # nearly shut: at 0, other letters fill the cell; 2 of 8 learn

    def __call__(self, letter: Sequence[Any], memory: list[Any], shown: list[Any]) -> Step:
        read = [*letter, *shown]
        forget, accept, output = (gate.outputs(read) for gate in self.gates)
        content = self.content.outputs(read)
        cell = [f * c + i * g for f, c, i, g in zip(forget, memory, accept, content)]
        return cell, [o * mg.tanh(c) for o, c in zip(output, cell)]


class Reader(nn.Module):
    """One cell, used again for each letter of a text, then two scores: it was an a, it was a b."""

    def __init__(self, kind: str, hidden: int, seed: int) -> None:
        rng = random.Random(seed)
        self.hidden = hidden
        self.cell = LSTM(hidden, rng) if kind == "LSTM" else Plain(hidden, rng)
        self.scores = nn.Layer(hidden, 2, "linear", rng=rng, initializer=nn.glorot)

    def steps(self, text: Sequence[Any]) -> list[Step]:
        """Return the state after each letter."""
        found: list[Step] = [([0.0] * self.hidden, [0.0] * self.hidden)]
        for t in range(0, len(text), len(LETTERS)):
            found.append(self.cell(text[t : t + len(LETTERS)], *found[-1]))
        return found[1:]

    def __call__(self, text: Sequence[Any]) -> Any:
        return self.scores(self.steps(text)[-1][1])


def texts(distance: int, number: int, seed: int) -> list[Text]:
    """Return texts of an a or b and ``distance`` other letters, and which it was."""
    rng = random.Random(seed)
    found = []
    for k in range(number):
        text = LETTERS[k % 2] + "".join(rng.choice(LETTERS[2:]) for _ in range(distance))
        numbers = [float(letter == other) for letter in text for other in LETTERS]
        found.append((numbers, [float(k % 2 == 0), float(k % 2 == 1)]))
    return found


def sizes(net: Reader, text: Sequence[float], targets: Sequence[float]) -> Floats:
    """Return the size of the gradient of the loss by the memory after each letter, last first."""
    steps = net.steps(text)
    nn.cross_entropy(net.scores(steps[-1][1]), targets).backward()
    return np.array([np.linalg.norm([v.grad for v in memory]) for memory, _ in steps[::-1]])


def likelier(outputs: Sequence[Any], targets: Sequence[Any]) -> Any:
    """Return whether the right one of two scores is higher."""
    return (outputs[0] - outputs[1]) * (targets[0] - targets[1]) > 0


def right(nets: Sequence[Reader], test: list[Text]) -> Floats:
    """Return the share of texts that each network has right."""
    read = mg.compile(lambda state, text: nn.functional_call(nets[0], state, text), batch="text")
    given, targets = (np.array(column) for column in zip(*test))
    scores = np.array([read(net.state_dict(), given) for net in nets])
    return np.asarray((scores.argmax(axis=2) == targets.argmax(axis=1)).mean(axis=1))


def factor(lengths: Floats, start: int, stop: int) -> float:
    """Return by what the gradient is multiplied at each letter, going back: the nets' median."""
    return float(np.median((lengths[:, stop] / lengths[:, start]) ** (1 / (stop - start))))


def run(
    *,
    distances: Sequence[int] = (20, 40, 80),
    units: Mapping[str, int] = UNITS,
    number: int = 128,
    sweeps: int = 30,
    nets: int = 8,
) -> Iterator[Shown]:
    before: dict[str, Floats] = {}  # gradients; those of the largest distance stay
    after: dict[str, Floats] = {}
    learned: dict[tuple[str, int], int] = {}
    for distance in distances:
        given, test = texts(distance, number, seed=1), texts(distance, number, seed=2)
        for kind in units:
            readers = [Reader(kind, units[kind], seed) for seed in range(nets)]
            before[kind] = np.array([sizes(net, *given[0]) for net in readers])
            nn.train_replicas(
                readers,
                given,
                loss=nn.cross_entropy,
                optimizer=lambda parameters: nn.Adam(parameters, rate=0.01),
                sweeps=sweeps,
                update=8,
                criterion=likelier,
                progress=False,
            )
            after[kind] = np.array([sizes(net, *given[0]) for net in readers])
            learned[kind, distance] = int(np.sum(right(readers, test) > 0.95))
    near, far = distances[0], distances[-1]
    halves = [factor(before["plain"], *ends) for ends in ((0, far // 2), (far // 2, far))]
    yield Finding(
        "in a plain recurrent net the gradient vanishes exponentially with the distance",
        "Hochreiter 1991; Bengio, Simard and Frasconi 1994",
        f"before training it is multiplied by {halves[0]:.2f} at each of the last {far // 2} "
        f"letters and by {halves[1]:.2f} at those before (median of {nets} nets)",
        max(halves) < 0.95,
    )
    kept = [factor(lengths["LSTM"], 0, far) for lengths in (before, after)]
    yield Finding(
        "the cell of an LSTM passes it on as it is",
        "Hochreiter and Schmidhuber 1997",
        f"before training it is multiplied by {kept[0]:.3f} at each letter, after it by "
        f"{kept[1]:.3f}",
        0.98 < kept[0] < 1.02,
    )
    several = ", ".join(
        f"{learned['plain', distance]} and {learned['LSTM', distance]} of {nets} at {distance}"
        for distance in distances
    )
    yield Finding(
        "the longer ago the letter was, the fewer plain nets learn it; LSTMs still do",
        "Bengio et al. 1994; Hochreiter and Schmidhuber 1997",
        f"plain nets and LSTMs that have 95 % of new texts right: {several} letters",
        learned["plain", far] < min(learned["plain", near], learned["LSTM", far]),
    )
    caption = (
        f"Size of the gradient by the memory at each of {far} letters, relative to the last one: "
        "a line for each network, and their median"
    )
    yield Picture("lstm", drawn(before, after), caption)


def drawn(before: dict[str, Floats], after: dict[str, Floats]) -> Figure:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, title, lengths in zip(
        figure.subplots(1, 2, sharey=True), ("before training", "after training"), (before, after)
    ):
        for kind, several in lengths.items():
            back = several / several[:, :1]
            axes.semilogy(back.T, color=COLORS[kind], alpha=0.3, linewidth=1)
            axes.semilogy(np.median(back, axis=0), color=COLORS[kind], linewidth=2.5, label=kind)
        axes.set(title=title, xlabel="letters before the question")
        axes.legend(frameon=False, loc="lower left")
    figure.axes[0].set_ylabel("gradient, relative to the last letter's")
    return figure


if __name__ == "__main__":
    show(run)
