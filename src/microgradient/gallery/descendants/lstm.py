"""A memory cell for back-propagation through time: the LSTM beside a plain recurrent net.

Text comes letter by letter: an a or a b, then letters that tell nothing, then a question: which was
it? The error must reach back to the first letter. In a plain net it is multiplied by a matrix and a
slope at each step, and shrinks or grows exponentially (Hochreiter 1991; Bengio et al. 1994). The
LSTM's cell is a sum, which passes it on unchanged where the forget gate is open (Hochreiter and
Schmidhuber 1997; Gers et al. 2000).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient import nn
from microgradient.gallery.piece import Finding, Picture, Shown, show

LETTERS = "abcd"
SMALL = {"distance": 4, "hidden": 3, "number": 8, "sweeps": 20, "seeds": 2}


Step = tuple[list[Any], list[Any]]  # what a net remembers after a letter, and what it shows of it


class Recurrent(nn.Module):
    """A plain recurrent net: h = tanh(w x + u h + b), and two scores from the last h."""

    def __init__(self, hidden: int, seed: int) -> None:
        rng = random.Random(seed)
        self.step = nn.Layer(len(LETTERS) + hidden, hidden, "tanh", rng=rng, initializer=nn.glorot)
        self.scores = nn.Layer(hidden, 2, "linear", rng=rng, initializer=nn.glorot)

    def next(self, letter: Sequence[Any], memory: list[Any], shown: list[Any]) -> Step:
        """Return the state after a letter, which is given as four numbers, one of them 1."""
        h = self.step([*letter, *memory])
        return h, h

    def steps(self, text: Sequence[Any]) -> list[Step]:
        """Return the state after each letter of a text."""
        start = [0.0] * len(self.step.neurons)
        found: list[Step] = [(start, start)]
        for t in range(0, len(text), len(LETTERS)):
            found.append(self.next(text[t : t + len(LETTERS)], *found[-1]))
        return found[1:]

    def __call__(self, text: Sequence[Any]) -> Any:
        return self.scores(self.steps(text)[-1][1])


class LSTM(Recurrent):
    """c = f c + i g and h = o tanh(c): three gates between 0 and 1 decide what is kept."""

    def __init__(self, hidden: int, seed: int) -> None:
        super().__init__(hidden, seed)
        rng = random.Random(seed)
        self.gates = [
            nn.Layer(len(LETTERS) + hidden, hidden, "sigmoid", rng=rng, initializer=nn.glorot)
            for _ in range(3)
        ]
        for neuron in self.gates[0].neurons:
            neuron.bias.data = 4.0  # the forget gate begins open: it keeps 0.98 a letter

    def next(self, letter: Sequence[Any], memory: list[Any], shown: list[Any]) -> Step:
        read = [*letter, *shown]
        forget, accept, output = (gate(read) for gate in self.gates)
        content = self.step(read)
        cell = [f * c + i * g for f, c, i, g in zip(forget, memory, accept, content)]
        return cell, [o * mg.tanh(c) for o, c in zip(output, cell)]


def loss(outputs: Any, targets: Any) -> Any:
    return mg.softmax_cross_entropy(outputs, targets)


def texts(distance: int, number: int) -> list[tuple[list[float], list[float]]]:
    """Return texts of an a or b and ``distance`` other letters, and which it was."""
    rng = random.Random(1997)
    found = []
    for k in range(number):
        text = LETTERS[k % 2] + "".join(rng.choice(LETTERS[2:]) for _ in range(distance))
        numbers = [float(letter == other) for letter in text for other in LETTERS]
        found.append((numbers, [float(k % 2 == 0), float(k % 2 == 1)]))
    return found


def sizes(net: Recurrent, text: Sequence[float], targets: Sequence[float]) -> list[float]:
    """Return the length of the gradient of the loss by the memory after each letter."""
    steps = net.steps(text)
    loss(net.scores(steps[-1][1]), targets).backward()
    return [float(np.linalg.norm([v.grad for v in memory])) for memory, _ in steps]


def run(
    *, distance: int = 80, hidden: int = 8, number: int = 128, sweeps: int = 100, seeds: int = 8
) -> Iterator[Shown]:
    given, test = texts(distance, 2 * number)[:number], texts(distance, 2 * number)[number:]
    lengths: dict[str, list[list[float]]] = {}
    right: dict[str, list[float]] = {}
    for name, kind in (("plain", Recurrent), ("LSTM", LSTM)):
        nets = [kind(hidden, seed) for seed in range(seeds)]
        lengths[name] = [sizes(net, *given[0]) for net in nets]
        ended = nn.train_replicas(
            nets,
            given,
            loss=loss,
            optimizer=lambda parameters: nn.Adam(parameters, rate=0.01),
            sweeps=sweeps,
            update=8,
            criterion=likelier,
            progress=False,
        )
        right[name] = [
            float(np.mean([likelier(scores(text), answer) for text, answer in test]))
            for scores in (mg.compile(one.model) for one in ended)
        ]
    factor = {
        name: float(np.median([(size[0] / size[-1]) ** (1 / distance) for size in several]))
        for name, several in lengths.items()
    }
    yield Finding(
        "in a plain recurrent net the gradient vanishes exponentially with the distance",
        "Hochreiter 1991; Bengio, Simard and Frasconi 1994",
        f"at the start it shrinks by {factor['plain']:.2f} a letter, in the LSTM by "
        f"{factor['LSTM']:.2f}",
        factor["plain"] < factor["LSTM"],
    )
    learned = {name: sum(share > 0.95 for share in shares) for name, shares in right.items()}
    yield Finding(
        "an LSTM learns what a plain recurrent net does not, over many steps",
        "Hochreiter and Schmidhuber 1997",
        f"{distance} letters later {learned['LSTM']} of {seeds} LSTMs know the first letter of a "
        f"new text, and {learned['plain']} of {seeds} plain nets",
        learned["LSTM"] > learned["plain"],
    )
    caption = "Length of the gradient by the distance from the question, before training"
    yield Picture("lstm", drawn(lengths), caption)


def likelier(outputs: Sequence[float], targets: Sequence[float]) -> bool:
    """Return whether the right one of two scores is higher."""
    return (outputs[0] - outputs[1]) * (targets[0] - targets[1]) > 0


def drawn(lengths: dict[str, list[list[float]]]) -> Figure:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots()
    for (name, several), color in zip(lengths.items(), ("#c2410c", "#1d4ed8")):
        back = np.array(several)[:, ::-1]
        axes.semilogy(back.T, color=color, alpha=0.25)
        axes.semilogy(np.median(back, axis=0), color=color, linewidth=2.5, label=name)
    axes.set(xlabel="letters before the question", ylabel="length of the gradient")
    axes.legend(frameon=False, title="median of networks")
    return figure


if __name__ == "__main__":
    show(run)
