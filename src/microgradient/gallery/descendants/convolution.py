"""Convolution in the manner of LeNet: a kernel is a few Values, used at every place of a picture.

Tied weights need no new rule: a Value that is used many times receives the sum of its gradients.
What is shared is what was known about pictures beforehand: a stroke is a stroke wherever it stands
(Fukushima 1980; LeCun et al. 1989). Beside it stands the same net with kernels of each place's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient import Value, nn
from microgradient.gallery.digits import Digits, digits
from microgradient.gallery.piece import Finding, Picture, Shown, show

SIDE, KERNEL, STRIDE = 8, 3, 1
PLACES = [*product(range(0, SIDE - KERNEL + 1, STRIDE), repeat=2)]  # of the kernel's corner
SMALL = {"cases": 60, "sweeps": 3, "maps": 3}


class ConvolutionalNet(nn.Module):
    """Feature maps by 3 by 3 kernels at every place, then a layer of ten scores.

    ``shared=False`` gives each place kernels of its own.
    """

    def __init__(self, maps: int, shared: bool, seed: int) -> None:
        rng = random.Random(seed)
        kernels = [nn.Neuron(KERNEL**2, "relu", rng=rng) for _ in range(maps)]
        own = [[nn.Neuron(KERNEL**2, "relu", rng=rng) for _ in range(maps)] for _ in PLACES]
        self.kernels = [kernels] if shared else own
        self.scores = nn.Layer(maps * len(PLACES), 10, "linear", rng=rng)
        for weight in self.scores.parameters():
            weight.data *= 0.2  # MLP's range suits a few inputs, not over a hundred

    def maps(self, pixels: Sequence[Any]) -> list[Any]:
        """Return the features at each place."""
        found = []
        for place, (row, column) in enumerate(PLACES):
            window = [
                pixels[SIDE * (row + i) + column + j] for i, j in product(range(KERNEL), repeat=2)
            ]
            found += [kernel(window) for kernel in self.kernels[place % len(self.kernels)]]
        return found

    def __call__(self, pixels: Sequence[Any]) -> Any:
        return self.scores(self.maps(pixels))


def loss(outputs: Any, targets: Any) -> Any:
    return mg.logsumexp(outputs) - mg.dot(outputs, targets)


def trained(net: ConvolutionalNet, data: Digits, cases: int, sweeps: int) -> Callable[[Any], Any]:
    """Train a network on digits; return a function that gives the scores of many pictures."""
    targets = np.eye(10)[data.digits]
    nn.train(
        net,
        [*zip(data.pixels[:cases].tolist(), targets[:cases].tolist())],
        loss=loss,
        optimizer=nn.Adam(net.parameters(), rate=0.003),
        sweeps=sweeps,
        update=10,
        shuffle=1989,
        progress=False,
    )
    scores = mg.compile(net)
    return lambda pictures: np.array([scores(picture) for picture in pictures.tolist()])


def run(*, cases: int = 1500, sweeps: int = 20, maps: int = 6) -> Iterator[Shown]:
    data = digits()
    right: dict[bool, float] = {}
    nets = {shared: ConvolutionalNet(maps, shared, seed=1989) for shared in (True, False)}
    answers = {}
    for shared, net in nets.items():
        scores = trained(net, data, cases, sweeps)
        answers[shared] = scores(data.test_pixels).argmax(axis=1)
        right[shared] = float(np.mean(answers[shared] == data.test_digits))
    weights = {shared: len(net.parameters()) for shared, net in nets.items()}
    yield Finding(
        "a small convolutional net reads at least 95 % of digits that it has not seen",
        "this gallery, after LeCun et al. 1989",
        f"{right[True]:.1%} of {len(data.test_digits)}, with {weights[True]:,} weights",
        right[True] >= 0.95,
    )
    yield Finding(
        "shared weights generalise better than weights of each place's own",
        "LeCun et al. 1989",
        f"{right[True]:.1%} with {weights[True]:,} weights, {right[False]:.1%} with "
        f"{weights[False]:,}",
        right[True] > right[False],
    )
    gap, size = tied_and_untied(nets[True], data.pixels[0].tolist(), int(data.digits[0]))
    yield Finding(
        "the gradient of a shared weight is the sum over its places",
        "the chain rule",
        f"the two differ by {gap:.0e} of {size:.2g}",
        gap <= 1e-14 * size,
    )
    caption = "Kernels that were learned, their features of three digits, and digits misread"
    yield Picture("convolution", drawn(nets[True], data, answers[True]), caption)


def tied_and_untied(net: ConvolutionalNet, pixels: list[float], digit: int) -> tuple[float, float]:
    """Return how far the gradients of shared weights lie from sums over untied copies of them."""
    copy = ConvolutionalNet(len(net.kernels[0]), False, seed=0)
    for kernels in copy.kernels:
        for one, other in zip(kernels, net.kernels[0]):
            one.load_state_dict(other.state_dict())
    copy.scores.load_state_dict(net.scores.state_dict())
    target = [float(k == digit) for k in range(10)]
    for model in (net, copy):
        model.zero_grad()
        loss(model(pixels), target).backward()
    tied = [p.grad for kernel in net.kernels[0] for p in kernel.parameters()]
    each = [[p.grad for kernel in kernels for p in kernel.parameters()] for kernels in copy.kernels]
    sums = np.sum(each, axis=0)
    return float(np.abs(sums - tied).max()), float(np.abs(tied).max())


def drawn(net: ConvolutionalNet, data: Digits, answers: Any) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    maps = len(net.kernels[0])
    grid = figure.subplots(5, maps + 1)
    wrong = np.flatnonzero(answers != data.test_digits)[: maps + 1]
    for axes in grid.ravel():
        axes.axis("off")
    for axes, kernel in zip(grid[0, 1:], net.kernels[0]):
        weights = np.reshape([w.data for w in kernel.weights], (KERNEL, KERNEL))
        axes.imshow(weights, cmap="RdBu", vmin=-1.5, vmax=1.5)
    grid[0, 0].text(0, 0.4, "kernels", fontsize=10)
    for row, digit in zip(grid[1:4], (3, 4, 7)):
        picture = data.test_pixels[np.flatnonzero(data.test_digits == digit)[0]]
        row[0].imshow(picture.reshape(SIDE, SIDE), cmap="Greys")
        side = int(len(PLACES) ** 0.5)
        features = np.reshape(
            [float(v.data) for v in net.maps([Value(x) for x in picture])], (side, side, maps)
        )
        for axes, number in zip(row[1:], range(maps)):
            axes.imshow(features[:, :, number], cmap="Blues")
    for axes, case in zip(grid[4], wrong):
        axes.imshow(data.test_pixels[case].reshape(SIDE, SIDE), cmap="Greys")
        axes.set_title(
            f"{data.test_digits[case]}, read as {answers[case]}", fontsize=8, color="#c2410c"
        )
    return figure


if __name__ == "__main__":
    show(run)
