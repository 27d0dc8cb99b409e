"""Attention, and a GPT of scalars that learns to write words backward.

Attention is a weighted mean. Each position sends out a query, each earlier one answers with a key,
and the softmax of their products weighs the values of these positions (Bahdanau et al. 2014;
Vaswani et al. 2017). A GPT adds a perceptron, and guesses each letter from all before it. Texts
such as "abcd>dcba." show what that is good for: the letter just before says next to nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import special, stats

import microgradient as mg
from microgradient import Value, nn
from microgradient.gallery.piece import Finding, Picture, Shown, show

SIGNS, WORD, HEADS = "abcde>.", 4, 2
LENGTH = 2 * WORD + 1  # letters that are read; after each, the next one is guessed
SMALL = {"width": 4, "given": 12, "new": 8, "sweeps": 2}
Matrix = list[list[Any]]


def plus(x: list[Any], y: list[Any]) -> list[Any]:
    return [a + b for a, b in zip(x, y)]


def normalised(x: list[Any]) -> list[Any]:
    """Divide by the root of the mean square."""
    scale = (mg.dot(x, x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def softmax(x: list[Any]) -> list[Any]:
    total = mg.logsumexp(x)
    return [mg.exp(v - total) for v in x]


def attention(queries: Matrix, keys: Matrix, values: Matrix) -> tuple[Matrix, Matrix]:
    """Return for each position the weights of those up to it, and the mean of their values."""
    weights = [
        softmax([mg.dot(query, key) * len(key) ** -0.5 for key in keys[:seen]])
        for seen, query in enumerate(queries, 1)
    ]
    return weights, [[mg.dot(row, v) for v in zip(*values[: len(row)])] for row in weights]


class GPT(nn.Module):
    """One block: attention and a perceptron, each added to what came in."""

    def __init__(self, width: int, rng: random.Random) -> None:
        linear = partial(nn.Layer, activation="linear", initializer=nn.glorot, rng=rng)
        self.letters = linear(len(SIGNS), width)
        self.places = [[Value(rng.gauss(0, 0.3)) for _ in range(width)] for _ in range(LENGTH)]
        self.heads = [[linear(width, width // HEADS) for _ in range(3)] for _ in range(HEADS)]
        self.mix, self.scores = linear(width, width), linear(width, len(SIGNS))
        self.perceptron = nn.MLP(width, [2 * width, width], initializer=nn.glorot, rng=rng)

    def inputs(self, text: Sequence[Any]) -> Matrix:
        """Return for each letter, given by its number, a vector of what it is and where."""
        hot = [[mg.where(letter == k, 1.0, 0.0) for k in range(len(SIGNS))] for letter in text]
        return [plus(self.letters(one), place) for one, place in zip(hot, self.places)]

    def attend(self, xs: Matrix) -> list[tuple[Matrix, Matrix]]:
        """Return the weights and the means of each head: its layers give queries, keys, values."""
        ys = [normalised(x) for x in xs]
        return [attention(*([layer(y) for y in ys] for layer in head)) for head in self.heads]

    def __call__(self, text: Sequence[Any]) -> Matrix:
        """Return after each letter a score for every sign that may come next."""
        xs, scores = self.inputs(text), []
        for x, *means in zip(xs, *(means for _, means in self.attend(xs))):
            x = plus(x, self.mix([v for mean in means for v in mean]))
            x = plus(x, self.perceptron(normalised(x)))
            scores.append(self.scores(normalised(x)))
        return scores


def loss(scores: Any, targets: Any) -> Any:
    """Return the mean cross-entropy of the signs to be guessed."""
    return mg.fsum([mg.softmax_cross_entropy(*pair) for pair in zip(scores, targets)]) / LENGTH


def pattern(text: str) -> tuple[list[float], list[list[float]]]:
    """Return the numbers of all letters but the last, and what comes after each, as 0 and 1."""
    numbers = [SIGNS.index(sign) for sign in text]
    return [float(k) for k in numbers[:-1]], np.eye(len(SIGNS))[numbers[1:]].tolist()


def written(scores: Any, text: str, rng: random.Random | None = None) -> str:
    """Return a text continued by the likeliest signs, or with ``rng`` by chance."""
    while len(text) <= LENGTH:
        padded = pattern(text.ljust(LENGTH + 1, "."))[0]  # the mask hides what is not yet written
        chances = special.softmax(scores(padded)[len(text) - 1])
        text += SIGNS[chances.argmax()] if rng is None else rng.choices(SIGNS, chances)[0]
    return text


def run(*, width: int = 16, given: int = 400, new: int = 225, sweeps: int = 20) -> Iterator[Shown]:
    rng = random.Random(2018)
    words = rng.sample(["".join(word) for word in product(SIGNS[:5], repeat=WORD)], given + new)
    texts = [f"{word}>{word[::-1]}." for word in words]
    patterns, unseen = [pattern(text) for text in texts], texts[given:]
    model, plan = GPT(width, rng), nn.TrainingPlan(sweeps=sweeps, update=10, shuffle=2018)
    adam, old = nn.Adam(model.parameters(), rate=0.01), patterns[:given]
    history = nn.train(model, old, loss=loss, optimizer=adam, plan=plan, progress=False)
    weights, by_weights = model.state_dict(), mg.compile(partial(nn.functional_call, model))
    scores = partial(by_weights, weights)
    (one, _), (read, targets) = patterns[-2:]
    mixed = [np.subtract(scores(read[:k] + one[k:]), scores(read)) for k in range(1, LENGTH)]
    changes = np.abs(mixed).max(axis=2)  # by the place of the change, and of the guess
    before, after = np.tril(changes).max(), np.triu(changes, 1).max()
    yield Finding(
        "what comes later changes no guess before it",
        "Vaswani et al. 2017, section 3.2.3: the causal mask",
        f"scores before a change differ by {before:.0g}, those after it by up to {after:.2g}",
        before == 0 < after,
    )
    blind = {name: 0.0 if name.startswith("places") else w for name, w in weights.items()}
    orders = read, [*rng.sample(read[:-1], LENGTH - 1), read[-1]]
    ends = [[by_weights(w, order)[-1] for order in orders] for w in (blind, weights)]
    without, placed = (float(np.abs(np.subtract(*end)).max()) for end in ends)
    yield Finding(
        "without the places, attention does not know the order of what it reads",
        "Vaswani et al. 2017, section 3.5",
        f"shuffling it changes the last scores by {without:.0g}; with the places by {placed:.2g}",
        without < 1e-12 < placed,
    )
    f = mg.grad(lambda w: loss(nn.functional_call(model, w, read), targets))
    eager, compiled = f(weights), mg.compile(f)(weights)
    apart = max(abs(compiled[name] - slope) for name, slope in eager.items())
    yield Finding(
        "the compiled gradient is that of the eager engine, up to rounding",
        "docs/compile.md",
        f"the {len(eager):,} derivatives differ by at most {apart:.0e}",
        apart < 1e-12,
    )
    pairs = Counter(pair for text in unseen for pair in pairwise(text))
    first = Counter(sign for text in unseen for sign in text[:-1])
    by_pairs = float(stats.entropy([*pairs.values()]) - stats.entropy([*first.values()]))
    least = (WORD - 1) * np.log(5) / LENGTH
    ours = float(np.mean([loss(scores(read), targets) for read, targets in patterns[given:]]))
    yield Finding(
        "it guesses better than any table of pairs of letters",
        "this gallery",
        f"{ours:.3f} nats a letter on new texts, the best table {by_pairs:.3f}, "
        f"least possible {least:.3f}",
        ours < by_pairs,
    )
    backward = [written(scores, text[: WORD + 1]) for text in unseen]
    invented = [written(scores, rng.choice(SIGNS[:5]), rng) for _ in range(new)]
    right = sum(a == b for a, b in zip(backward, unseen))
    alike = sum(text == f"{text[:WORD]}>{text[:WORD][::-1]}." for text in invented)
    yield Finding(
        "it writes words backward that it has not seen, and texts of its own",
        "this gallery",
        f"{right} of {new}; of its own {alike} of {new}; the first: {', '.join(invented[:3])}",
        right > 0.95 * new and alike > 0.95 * new,
    )
    looks = mg.compile(lambda text: [rows for rows, _ in model.attend(model.inputs(text))])
    most = [[[np.argmax(row) for row in rows[WORD:-1]] for rows in looks(p[0])] for p in patterns]
    found = np.equal(most[given:], range(WORD)[::-1])  # texts by heads by letters
    yield Finding(
        "attention finds by itself which letter written belongs to which letter read",
        "Bahdanau, Cho and Bengio 2014, of translation",
        "the most weight is on the letter to be written: "
        + ", ".join(f"head {n} in {part:.0%}" for n, part in enumerate(found.mean((0, 2)), 1)),
        bool(found.any(axis=1).mean() > 0.95),
    )
    course = [error / given for error in history.errors]
    text = max(unseen, key=lambda text: len({*text}))
    picture = drawn(looks(pattern(text)[0]), text, course, by_pairs, least)
    yield Picture("transformer", picture, "Where each head looks in a new text, and the training")


def drawn(looks: Any, text: str, course: Sequence[float], by_pairs: float, least: float) -> Figure:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    *heads, errors = figure.subplots(1, HEADS + 1)
    for number, (axes, rows) in enumerate(zip(heads, looks), 1):
        axes.imshow([[*row, *[0] * (LENGTH - len(row))] for row in rows], cmap="Blues", vmax=1)
        axes.set(title=f"head {number}", xlabel="looks at", ylabel="has read → writes")
        axes.set_xticks(range(LENGTH), text[:-1])
        axes.set_yticks(range(LENGTH), [f"{before} → {after}" for before, after in pairwise(text)])
    errors.plot(range(1, len(course) + 1), course, "o-", color="#1d4ed8", label="GPT")
    errors.axhline(by_pairs, color="#c2410c", label="best by pairs of letters")
    errors.axhline(least, color="#1e293b", linestyle=":", label="least possible")
    errors.set(title="training", xlabel="sweep", ylabel="nats a letter", ylim=(0, None))
    errors.legend(frameon=False, loc="center right")
    return figure


if __name__ == "__main__":
    show(run)
