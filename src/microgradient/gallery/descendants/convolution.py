"""Convolution in the manner of LeNet: a kernel is a few Values, used at every place of a picture.

Tied weights need no new rule: a Value that is used many times receives the sum of its gradients.
What is shared is what was known about pictures beforehand: a stroke is a stroke wherever it stands
(Fukushima 1980; LeCun et al. 1989). Beside it stand a net with kernels of each place's own, and a
fully connected one with as many weights.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient import nn
from microgradient.gallery.digits import Digits, Floats, Ints, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show

SIDE, KERNEL = 8, 3
WIDE = SIDE - KERNEL + 1  # a feature map is as wide and as high
PLACES = [*product(range(WIDE), repeat=2)]  # of the kernel's upper left corner
SMALL = {"cases": 40, "few": 20, "sweeps": 2, "maps": 2, "seeds": 2}


class ConvolutionalNet(nn.Module):
    """Feature maps by kernels of 3 by 3 weights and a bias, then a layer of ten scores.

    With ``shared`` the same kernels read all 36 places; otherwise each place has its own.
    """

    def __init__(self, maps: int, shared: bool, seed: int) -> None:
        rng = random.Random(seed)
        self.kernels = [
            nn.Layer(KERNEL**2, maps, "relu", rng=rng, initializer=nn.he)
            for _ in range(1 if shared else len(PLACES))
        ]
        self.scores = nn.Layer(maps * len(PLACES), 10, "linear", rng=rng, initializer=nn.glorot)

    def features(self, pixels: Sequence[Any]) -> list[Any]:
        """Return the features: those of the first place, then those of the second, …"""
        found = []
        for place, (row, column) in enumerate(PLACES):
            window = [
                pixels[SIDE * (row + i) + column + j] for i, j in product(range(KERNEL), repeat=2)
            ]
            found += self.kernels[place % len(self.kernels)].outputs(window)
        return found

    def __call__(self, pixels: Sequence[Any]) -> Any:
        return self.scores(self.features(pixels))


def trained(nets: Sequence[Any], pixels: Floats, numbers: Ints, sweeps: int) -> None:
    """Train networks of one kind side by side, in machine code."""
    nn.train_replicas(
        nets,
        [*zip(pixels.tolist(), one_hot(numbers).tolist())],
        loss=nn.cross_entropy,
        optimizer=lambda parameters: nn.Adam(parameters, rate=0.003),
        sweeps=sweeps,
        update=10,
        shuffle=1989,
        progress=False,
    )


def scores_of(nets: Sequence[Any], pixels: Floats) -> Floats:
    """Return the scores of networks of one kind: nets by pictures by ten."""
    read = mg.compile(lambda state, case: nn.functional_call(nets[0], state, case), batch="case")
    return np.array([read(net.state_dict(), pixels) for net in nets])


def run(
    *, cases: int = 1500, few: int = 300, sweeps: int = 20, maps: int = 6, seeds: int = 8
) -> Iterator[Shown]:
    data = digits()
    net, untied = (ConvolutionalNet(maps, shared, seed=1989) for shared in (True, False))
    gap, size = tied_and_untied(net, untied, data.pixels[0].tolist(), int(data.digits[0]))
    yield Finding(
        "the gradient of a shared weight is the sum over the places where it is used",
        "the chain rule",
        f"largest difference {gap:.0g}, largest gradient {size:.2g}",
        gap <= 1e-14 * size,
    )
    trained([net], data.pixels[:cases], data.digits[:cases], sweeps)
    read = scores_of([net], data.test_pixels)[0].argmax(axis=1)
    right = float(np.mean(read == data.test_digits))
    kernels, links = (sum(len(k.parameters()) for k in one.kernels) for one in (net, untied))
    yield Finding(
        "a small convolutional net reads at least 95 % of digits that it has not seen",
        "this gallery, after LeCun et al. 1989",
        f"{right:.1%} of {len(read)}; {kernels} weights in the kernels for {links:,} connections, "
        f"in all {len(net.parameters()):,} for {len(untied.parameters()):,}",
        right >= 0.95,
    )
    pictures = np.roll(data.test_pixels.reshape(-1, SIDE, SIDE), 1, axis=2)
    pictures[:, :, 0] = 0
    moved = pictures.reshape(-1, SIDE**2)
    features = mg.compile(net.features, batch="pixels")
    before, after = (
        np.reshape(features(pixels), (-1, WIDE, WIDE, maps)) for pixels in (data.test_pixels, moved)
    )
    same = np.array_equal(before[:, :, :-1], after[:, :, 1:])
    right = float(np.mean(scores_of([net], moved)[0].argmax(axis=1) == data.test_digits))
    yield Finding(
        "if a picture moves by a pixel, so do its features",
        "Fukushima 1980; LeCun et al. 1989",
        f"they {'are the same' if same else 'differ'}, bit for bit; but each score has a weight of "
        f"its own for each place, and {right:.0%} of the moved digits are right",
        same,
    )
    kinds: dict[str, list[Any]] = {
        "shared": [ConvolutionalNet(maps, True, seed) for seed in range(seeds)],
        "not shared": [ConvolutionalNet(maps, False, seed) for seed in range(seeds)],
        "fully connected": [
            nn.MLP(SIDE**2, [5 * maps, 10], rng=seed, initializer=nn.he) for seed in range(seeds)
        ],
    }
    shares: dict[str, Floats] = {}
    for kind, nets in kinds.items():
        trained(nets, data.pixels[:few], data.digits[:few], 2 * sweeps)
        found = scores_of(nets, data.test_pixels).argmax(axis=2) == data.test_digits
        shares[f"{kind}, {len(nets[0].parameters()):,} weights"] = found.mean(axis=1)
    tied, *others = (float(np.median(share)) for share in shares.values())
    yield Finding(
        '"minimizing the number of free parameters in the network enhances generalization"',
        "LeCun 1989",
        f"right after {few} cases: "
        + "; ".join(f"{kind} {np.median(share):.1%}" for kind, share in shares.items())
        + f" (median of {seeds} nets)",
        tied > max(others),
    )
    caption = (
        "Kernels that were learned, their features of three digits, four misread, and how many "
        f"held-out digits are right after {few} cases (a dot is a net, a line the median)"
    )
    yield Picture("convolution", drawn(net, before, read, data, shares), caption)


def tied_and_untied(
    net: ConvolutionalNet, untied: ConvolutionalNet, pixels: list[float], digit: int
) -> tuple[float, float]:
    """Return how far the gradients of shared weights lie from sums over untied copies of them."""
    for kernels in untied.kernels:
        kernels.load_state_dict(net.kernels[0].state_dict())
    untied.scores.load_state_dict(net.scores.state_dict())
    for model in (net, untied):
        nn.cross_entropy(model(pixels), np.eye(10)[digit]).backward()
    tied = [weight.grad for weight in net.kernels[0].parameters()]
    each = [[weight.grad for weight in kernels.parameters()] for kernels in untied.kernels]
    return float(np.abs(np.sum(each, axis=0) - tied).max()), float(np.abs(tied).max())


def drawn(
    net: ConvolutionalNet, features: Floats, read: Ints, data: Digits, shares: dict[str, Floats]
) -> Figure:
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(4, 2))
    maps = features.shape[3]
    grid = above.subplots(4, maps + 1)
    pictures = data.test_pixels.reshape(-1, SIDE, SIDE)
    chosen = [int(np.flatnonzero(data.test_digits == digit)[0]) for digit in (3, 4, 7)]
    limit = max(abs(w.data) for neuron in net.kernels[0].neurons for w in neuron.weights)
    grid[0, 0].text(1, 0.5, "kernels\n(blue: positive)", ha="right", va="center")
    for axes, neuron in zip(grid[0, 1:], net.kernels[0].neurons):
        weights = np.reshape([w.data for w in neuron.weights], (KERNEL, KERNEL))
        axes.imshow(weights, cmap="RdBu", vmin=-limit, vmax=limit)
    for row, case in zip(grid[1:], chosen):
        row[0].imshow(pictures[case], cmap="Greys")
        for number, axes in enumerate(row[1:]):
            axes.imshow(features[case, :, :, number], cmap="Blues", vmin=0)
    ((left, right),) = below.subfigures(1, 2, squeeze=False)
    wrong = left.subplots(1, 4)
    for axes, case in zip(wrong, np.flatnonzero(read != data.test_digits).tolist()):
        axes.imshow(pictures[case], cmap="Greys")
        title = f"{data.test_digits[case]}, read\nas {read[case]}"
        axes.set_title(title, fontsize=9, color="#c2410c")
    for axes in (*grid.ravel(), *wrong):
        axes.axis("off")
    axes = right.subplots()
    for line, share in enumerate(shares.values()):
        axes.plot(100 * share, [-line] * len(share), "o", color="#1d4ed8", alpha=0.4)
        axes.plot(100 * np.median(share), -line, "|", color="#1e293b", markersize=18)
    axes.set_yticks([-line for line in range(len(shares))], [*shares])
    axes.set(xlabel="% of held-out digits right", ylim=(0.4 - len(shares), 0.6))
    axes.margins(x=0.1)
    return figure


if __name__ == "__main__":
    show(run)
