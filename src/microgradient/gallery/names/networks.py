"""The words of networks: embedding, logit, softmax, attention and others, and their older names.

Each function computes the same numbers twice: in the network's terms, and in those of an older
field, with other code. Where the arithmetic is exact they are equal to the last bit; where
exponentials or an optimiser come in, within a stated number of units in the last place (ulps).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage, optimize, signal, stats

import microgradient as mg
from microgradient.gallery.names.agreement import same
from microgradient.gallery.piece import Finding, Picture, Shown, show

SMALL: dict[str, Any] = {}
IMAGE = np.array([[3.0, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8], [9, 7, 9, 3]])
BLOCKS = [IMAGE[i : i + 2, j : j + 2].ravel().tolist() for i, j in product((0, 2), repeat=2)]


def embedding() -> Finding:
    """A row looked up is a one-hot vector times the table; so is its gradient, transposed."""
    words, table, errors = [3, 1, 3], np.arange(15.0).reshape(5, 3), np.eye(3) - 2
    hot = np.eye(5)[words]
    gradient = mg.grad(lambda table: (table[words] * errors).sum())(table)
    ours, theirs = flat([table[words], gradient]), flat([hot @ table, hot.T @ errors])
    return same("embedding", "a one-hot vector times a matrix", "linear algebra", ours, theirs)


def relu() -> Finding:
    """A hidden layer of ReLUs is a linear spline, in the basis of truncated powers (x - knot)+."""
    knots, heights = np.array([0.0, 1, 3, 4]), np.array([1.0, 3, -1, 2])
    slopes = np.diff(heights) / np.diff(knots)
    weights = np.diff(slopes, prepend=0).tolist()
    xs = np.linspace(0, 4, 17)
    ours = [1 + mg.dot(weights, [mg.relu(x - k) for k in knots[:3].tolist()]) for x in xs.tolist()]
    older = "a linear spline, as a sum of truncated powers"
    return same("layer of ReLUs", older, "Schoenberg 1946", ours, np.interp(xs, knots, heights))


def logit() -> Finding:
    """What a sigmoid unit computes before its sigmoid is the logarithm of the odds."""
    odds = [1 / 3, 1.0, 3.0, 7.0]
    unit = [mg.sigmoid(math.log(ratio)) for ratio in odds]
    chances = [ratio / (1 + ratio) for ratio in odds]
    return same("logit", "the logarithm of the odds", "Berkson 1944", unit, chances, ulps=2)


def softmax() -> Finding:
    """The softmax is Boltzmann's distribution: the gradient of a logarithm of a partition sum."""
    energies, temperature = [1.0, 2.0, -0.5, 0.25], 2.0
    network = mg.grad(mg.logsumexp)([-energy / temperature for energy in energies])
    factors = [math.exp(-energy / temperature) for energy in energies]
    physics = [factor / math.fsum(factors) for factor in factors]
    older = "the Boltzmann distribution, with scores for minus energies"
    return same("softmax", older, "Boltzmann 1868", network, physics, ulps=4)


def convolution() -> Finding:
    """A convolutional layer does not flip its kernel: it is a cross-correlation."""
    xs, kernel = [3.0, 1, 4, 1, 5, 9, 2, 6], [2.0, 7, -1]
    ours = [mg.dot(kernel, xs[i : i + 3]) for i in range(6)]
    theirs = np.convolve(xs, kernel[::-1], "valid")
    older = "a cross-correlation, that is, a convolution with the flipped kernel"
    return same("convolution", older, "Goodfellow et al. 2016, section 9.1", ours, theirs)


def mean_pooling() -> Finding:
    """Mean pooling is a low-pass filter, then every second sample: decimation."""
    filtered = signal.convolve2d(IMAGE, np.full((2, 2), 0.25), "valid")
    pooled = [mg.fsum(block) / 4 for block in BLOCKS]
    older = "a convolution with a constant kernel, then every second sample"
    return same("mean pooling", older, "signal processing", pooled, filtered[::2, ::2].ravel())


def max_pooling() -> Finding:
    """Max pooling is the same with a dilation in place of the convolution."""
    dilated = ndimage.grey_dilation(IMAGE, size=(2, 2))
    pooled = [mg.maximum(mg.maximum(a, b), mg.maximum(c, d)) for a, b, c, d in BLOCKS]
    older = "a grey-scale dilation, then every second sample"
    return same("max pooling", older, "Sternberg 1986", pooled, dilated[::2, ::2].ravel())


def batch_normalisation() -> Finding:
    """It gives z-scores, so gradients have no part along a shift or a scaling of the inputs."""
    xs, weights = [14.0, 8, 8, 12, 8, 10, 10, 10], [3.0, 1, 4, 1, 5, 9, 2, 6]

    def normal(xs: Sequence[Any]) -> list[Any]:
        mean = mg.fsum(xs) / len(xs)
        return [(x - mean) / mg.sqrt(mg.fsum([(x - mean) ** 2 for x in xs]) / len(xs)) for x in xs]

    gradient = mg.grad(lambda xs: mg.dot(weights, normal(xs)))(xs)
    ours = [*normal(xs), mg.fsum(gradient), mg.dot(gradient, xs)]
    older, theirs = "z-scores, blind to shift and scale", [*stats.zscore(xs), 0, 0]
    return same("batch normalisation", older, "statistics", ours, theirs)


def attend(query: Any, keys: Any) -> list[float]:
    """Return the weights of dot-product attention with a temperature of 4."""
    scores = [mg.dot(query, key) / 4 for key in keys]
    return [float(mg.exp(score - mg.logsumexp(scores))) for score in scores]


def regress(query: Any, keys: Any) -> list[float]:
    """Return the weights of kernel regression, with a Gaussian kernel of variance 4."""
    kernel = [math.exp(-(math.dist(query, key) ** 2) / 8) for key in keys]
    return [k / math.fsum(kernel) for k in kernel]


def attention() -> Finding:
    """If all keys have one length, attention is kernel regression with a Gaussian kernel.

    For exp(-|q - k|²/8) = exp(q k/4) exp(-|q|²/8) exp(-|k|²/8), and equal factors cancel.
    """
    keys, query = [(3, 4), (5, 0), (-4, 3), (0, -5)], (2, 1)
    older = "kernel regression with a Gaussian kernel, for keys of one length"
    ours, theirs = attend(query, keys), regress(query, keys)
    return same("attention", older, "Nadaraya 1964, Watson 1964", ours, theirs, ulps=8)


def latent_space() -> Finding:
    """The best linear code of two numbers has the error of two principal components.

    That is the square of the third singular value, and no other plane attains it.
    """
    cases = np.array([[4.0, 2, 0], [-4, 1, 1], [3, -2, -1], [-3, -1, 0]])

    def loss(encoder: Any, decoder: Any) -> Any:
        codes = [[mg.dot(row, case) for row in encoder] for case in cases.tolist()]
        outputs = [mg.dot(row, code) for code in codes for row in decoder]
        return mg.fsum([(y - x) ** 2 for y, x in zip(outputs, cases.ravel().tolist())])

    slope = mg.compile(mg.value_and_grad(loss, argnums=(0, 1)))

    def descend(w: Any) -> Any:
        value, gradients = slope(w[:6].reshape(2, 3), w[6:].reshape(3, 2))
        return value, flat(gradients)

    start = np.random.default_rng(0).normal(size=12)
    ours = optimize.minimize(descend, start, jac=True, options={"gtol": 1e-10}).fun
    theirs = np.linalg.svd(cases, compute_uv=False)[2] ** 2
    older = "the first principal components, if the autoencoder is linear"
    return same("latent space", older, "Baldi and Hornik 1989", [ours], [theirs], ulps=64)


def residual_layers() -> Finding:
    """A layer x + h f(x) is a step of Euler's method; if f is linear, a power of I + h A."""
    slope, x = [[0.0, 1.0], [-0.5, -0.25]], [1.0, 0.5]
    for _ in range(8):
        x = [value + mg.dot(row, x) / 4 for value, row in zip(x, slope)]
    euler = np.linalg.matrix_power(np.eye(2) + np.array(slope) / 4, 8) @ [1.0, 0.5]
    return same("residual layers", "Euler's method, a step a layer", "Euler 1768", x, euler)


def flat(arrays: Any) -> Any:
    return np.concatenate([np.ravel(array) for array in arrays])


def run() -> Iterator[Shown]:
    layers = (embedding, relu, convolution, mean_pooling, max_pooling, batch_normalisation)
    for word in (*layers, residual_layers, logit, softmax, attention, latent_space):
        yield word()
    caption = "Attention is Gaussian kernel regression if all keys have one length, else they part"
    yield Picture("names-attention", drawn(), caption)


def drawn() -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    at, turn = np.arange(24) * math.tau / 24, np.linspace(0, math.tau, 121)
    values = np.sin(at) + np.random.default_rng(1986).normal(0, 0.2, 24)
    queries = [(5 * math.cos(t), 5 * math.sin(t)) for t in turn]
    cases = {"keys of one length": 1, "every second key 1.2 times as long": 1.2}
    for axes, (title, longer) in zip(figure.subplots(1, 2, sharey=True), cases.items()):
        lengths = np.where(np.arange(24) % 2, 5, 5 * longer)
        keys = [(r * math.cos(t), r * math.sin(t)) for r, t in zip(lengths, at)]
        ours = [np.dot(attend(query, keys), values) for query in queries]
        theirs = [np.dot(regress(query, keys), values) for query in queries]
        axes.scatter(at, values, 5 * lengths, color="#94a3b8", label="values, at their keys")
        axes.plot(turn, ours, color="#1d4ed8", lw=4, alpha=0.6, label="attention")
        axes.plot(turn, theirs, "--", color="#c2410c", lw=2, label="kernel regression")
        axes.set(title=title, xlabel="angle of query and key")
    axes.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    show(run)
