"""A variational autoencoder: a digit as two numbers, and digits from two random numbers.

The encoder gives each case a normal distribution of codes; the decoder turns a code back into a
case. A random code is written as mean + deviation * noise, with the noise as an input, so that the
gradient passes through it. What is raised is a lower bound of log p(x): how well the case is
decoded, less how far its codes are from those of no case, N(0, 1) (Kingma and Welling 2013).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.decomposition import PCA

import microgradient as mg
from microgradient import nn
from microgradient.gallery.digits import digits
from microgradient.gallery.piece import Finding, Picture, Shown, show

PIXELS, CODE, NOISE = 64, 2, 0.25  # NOISE: the standard deviation of a pixel, once decoded
SMALL = {"hidden": 4, "draws": 1, "sweeps": 1, "samples": 1000, "tested": 5}
Floats = NDArray[np.float64]
Array = Any  # numbers, Values, or a NumPy array


class Autoencoder(nn.Module):
    """From a case to the mean and log variance of its codes, and from a code to a case."""

    def __init__(self, hidden: int, rng: random.Random) -> None:
        self.encoder = nn.MLP(PIXELS, [hidden, 2 * CODE], "tanh", initializer=nn.glorot, rng=rng)
        self.decoder = nn.MLP(
            CODE, [hidden, PIXELS], "tanh", output="sigmoid", initializer=nn.glorot, rng=rng
        )

    def encode(self, x: Array) -> tuple[Array, Array]:
        """Return the mean and the log variance of a case's codes."""
        numbers = self.encoder(x)
        return numbers[:CODE], numbers[CODE:]

    def __call__(self, x_and_noise: Array) -> tuple[Array, Array, Array]:
        """Return what is decoded from a random code, and the mean and log variance of codes."""
        mean, log_variance = self.encode(x_and_noise[:PIXELS])
        return self.decoder(code(mean, log_variance, x_and_noise[PIXELS:])), mean, log_variance


def code(mean: Array, log_variance: Array, noise: Array) -> Array:
    """Return a random code: noise from N(0, 1) becomes a number from N(mean, variance)."""
    return [m + mg.exp(v / 2) * e for m, v, e in zip(mean, log_variance, noise)]


def log_likelihood(decoded: Array, x: Array) -> Any:
    """Return log p(x | code)."""
    misses = mg.fsum([(y - v) ** 2 for y, v in zip(decoded, x)])
    return -misses / (2 * NOISE**2) - PIXELS * np.log(NOISE * np.sqrt(2 * np.pi))


def divergence(mean: Array, log_variance: Array) -> Any:
    """Return the Kullback-Leibler divergence of N(mean, variance) from N(0, 1)."""
    return mg.fsum([m**2 + mg.exp(v) - v - 1 for m, v in zip(mean, log_variance)]) / 2


def loss(outputs: tuple[Array, Array, Array], x: Array) -> Any:
    """Return minus the lower bound of log p(x), estimated by one code."""
    decoded, mean, log_variance = outputs
    return divergence(mean, log_variance) - log_likelihood(decoded, x)


def run(
    *, hidden: int = 32, draws: int = 4, sweeps: int = 30, samples: int = 10_000, tested: int = 297
) -> Iterator[Shown]:
    rng, data = np.random.default_rng(2013), digits()
    model = Autoencoder(hidden, random.Random(2013))
    cases = np.tile(data.pixels, (draws, 1))  # each several times, with other noise
    inputs = np.hstack([cases, rng.normal(size=(len(cases), CODE))])
    patterns = [*zip(inputs.tolist(), cases.tolist())]
    adam = nn.Adam(model.parameters(), rate=0.01)
    plan = nn.TrainingPlan(sweeps=sweeps, update=50, shuffle=2013)
    nn.train(model, patterns, loss=loss, optimizer=adam, plan=plan, progress=False)
    encode, decode = mg.compile(model.encode, batch=0), mg.compile(model.decoder, batch=0)
    yield from gradients(model, data.test_pixels[0], rng.normal(size=(samples, CODE)))
    yield bounds(encode, decode, data.test_pixels[:tested], rng)
    codes, test = encode(data.test_pixels)[0], data.test_pixels
    fits = [PCA(size).fit(data.pixels) for size in range(CODE, 10)]
    by_pca = [fit.inverse_transform(fit.transform(test)) for fit in fits]
    ours, *theirs = (float(np.mean((x - test) ** 2)) for x in (decode(codes), *by_pca))
    enough = next((size for size, error in enumerate(theirs, CODE) if error < ours), None)
    yield Finding(
        "a nonlinear autoencoder restores cases better than as many principal components",
        "Hinton and Salakhutdinov 2006",
        f"mean squared error of new digits from {CODE} numbers: {ours:.4f}; by PCA "
        f"{theirs[0]:.4f}, and less only from {enough} numbers on",
        ours < theirs[0],
    )
    restored = test, decode(codes), by_pca[0]
    caption = "Codes of new digits; digits decoded from a grid of codes; digits from two numbers"
    yield Picture("autoencoder", drawn(codes, data.test_digits, decode, restored), caption)


def gradients(model: Autoencoder, x: Floats, noise: Floats) -> Iterator[Finding]:
    """Look at the two parts of the bound for one digit, and at the slope by its codes' mean."""
    mean, log_variance = (np.array(part) for part in mg.compile(model.encode)(x))
    deviation, root = np.exp(log_variance / 2), len(noise) ** 0.5
    codes = mean + deviation * noise
    logs = (norm.logpdf(codes, mean, deviation) - norm.logpdf(codes)).sum(axis=1)
    exact, error = float(divergence(mean, log_variance)), logs.std() / root
    yield Finding(
        "the divergence in closed form is the mean of log q - log p over random codes",
        "Kingma and Welling 2013, appendix B",
        f"{exact:.3f} for a digit; by {len(noise):,} codes {logs.mean():.3f} ± {error:.3f}",
        bool(abs(logs.mean() - exact) < 4 * error),
    )

    def likelihood(mean: Array, noise: Array) -> Any:
        return log_likelihood(model.decoder(code(mean, log_variance, noise)), x)

    f, h = mg.compile(mg.value_and_grad(likelihood), batch="noise"), 1e-5
    values, slopes = f(mean, noise)
    ends = [[f(mean + h * e, noise)[0].mean() for e in (one, -one)] for one in np.eye(CODE)]
    apart = np.abs(slopes.mean(axis=0) / (np.subtract(*np.transpose(ends)) / (2 * h)) - 1).max()
    yield Finding(
        "the gradient passes through a random code",
        "Kingma and Welling 2013, section 2.4",
        f"by back-propagation and by finite differences with the same noise: {apart:.0e} apart",
        bool(apart < 1e-6),
    )
    scores = values[:, None] * noise / deviation  # log p(x | code) times the slope of log q
    far = np.abs(scores.mean(axis=0) - slopes.mean(axis=0)) / (scores.std(axis=0) / root)
    ratio = (scores.var(axis=0) / slopes.var(axis=0)).min()
    yield Finding(
        "a gradient that does not pass through the code has a very high variance",
        "Kingma and Welling 2013, section 2.2",
        f"that of log q times log p(x | code) has {ratio:,.0f} times the variance; the mean is the "
        f"same, within {far.max():.1f} standard errors",
        bool(far.max() < 4 and ratio > 10),
    )


def bounds(encode: Any, decode: Any, xs: Floats, rng: np.random.Generator) -> Finding:
    """Estimate log p(x) by 1 to 1,000 codes from the encoder, and by a grid of all codes."""

    def log_joint(codes: Floats, xs: Floats) -> Floats:
        squares = cdist(decode(codes), xs, "sqeuclidean") / (2 * NOISE**2)
        log_prior = norm.logpdf(codes).sum(axis=1, keepdims=True)
        return np.asarray(log_prior - squares + PIXELS * norm.logpdf(0, scale=NOISE))

    counts, found = (1, 10, 100, 1000), []
    for x, mean, log_variance in zip(xs, *encode(xs)):
        deviation = np.exp(log_variance / 2)
        codes = rng.normal(mean, deviation, (counts[-1], CODE))
        logs = log_joint(codes, x[None])[:, 0] - norm.logpdf(codes, mean, deviation).sum(axis=1)
        found.append([logsumexp(logs.reshape(-1, k), axis=1).mean() - np.log(k) for k in counts])
    line, step = np.linspace(-5, 5, 151, retstep=True)
    everywhere = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, CODE)
    truth = logsumexp(log_joint(everywhere, xs), axis=0).mean() + CODE * np.log(step)
    means = np.mean(found, axis=0)
    return Finding(
        "the bound is below log p(x), and comes closer with more codes",
        "Kingma and Welling 2013; Burda, Grosse and Salakhutdinov 2015, theorem 1",
        f"nats for a new digit, with {', '.join(f'{k:,}' for k in counts)} codes: "
        f"{', '.join(f'{b:.2f}' for b in means)}; log p, by a grid of all codes: {truth:.2f}",
        bool(np.all(np.diff([*means, truth]) > 0)),
    )


def drawn(codes: Floats, names: Any, decode: Any, restored: tuple[Floats, ...]) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.5))
    left.scatter(*codes.T, c=names, cmap="tab10", s=14)
    for digit in range(10):
        middle_of = np.median(codes[names == digit], axis=0)
        left.text(*middle_of, str(digit), fontsize=15, weight="bold", ha="center", va="center")
    left.set(title="codes of new digits", xlabel="first number", ylabel="second number")
    line = np.linspace(-2.25, 2.25, 10)
    grid = np.stack(np.meshgrid(line, -line), axis=-1).reshape(-1, CODE)
    middle.imshow(tiled(decode(grid), 10), cmap="Greys", extent=(-2.5, 2.5, -2.5, 2.5))
    middle.set(title="decoded from a grid of codes", xlabel="first number")
    first = np.stack(restored, axis=1)[[np.argmax(names == digit) for digit in range(10)]]
    right.imshow(tiled(first, 3), cmap="Greys", vmin=0, vmax=1)
    right.set(title="from 2 numbers", yticks=[])
    right.set_xticks((5, 15, 25), ("given", "code", "PCA"), fontsize=8)
    return figure


def tiled(images: Floats, columns: int) -> Floats:
    """Return images of 8 by 8 as one, with a margin around each."""
    framed = np.pad(images.reshape(-1, columns, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.vstack([np.hstack(row) for row in framed])


if __name__ == "__main__":
    show(run)
