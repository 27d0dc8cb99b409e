"""Two moons told apart by a small network, as in micrograd's demo; trained in machine code.

python examples/moons.py [sweeps]

``random.seed(1337)`` gives the network the weights that it has in micrograd. ``nn.train`` runs
whole sweeps as machine code. The plane is drawn in letters, capitals beyond the margin.
"""

from __future__ import annotations

import math
import random
import sys

from microgradient import nn

Pattern = tuple[list[float], list[float]]


def moons(count: int, noise: float, rng: random.Random) -> list[Pattern]:
    """Return points on two half circles that reach into each other, with targets 1 and -1."""
    patterns = []
    for i in range(count):
        angle, upper = math.pi * (i // 2) / (count // 2 - 1), i % 2 == 0
        x = math.cos(angle) if upper else 1 - math.cos(angle)
        y = math.sin(angle) if upper else 0.5 - math.sin(angle)
        point = [x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)]
        patterns.append((point, [1.0 if upper else -1.0]))
    return patterns


def accuracy(model: nn.MLP, patterns: list[Pattern]) -> float:
    right: list[bool] = [model(x).data * y[0] > 0 for x, y in patterns]
    return sum(right) / len(right)


def plane(model: nn.MLP, rows: int = 12, columns: int = 40) -> str:
    lines = []
    for i in range(rows):
        scores = [
            model([-1.5 + 4 * j / columns, 1.5 - 2.5 * i / rows]).data for j in range(columns)
        ]
        letters = ("x" if score > 0 else "o" for score in scores)
        lines.append("".join(c.upper() if abs(s) > 1 else c for c, s in zip(letters, scores)))
    return "\n".join(lines)


def train(sweeps: int = 300) -> tuple[nn.MLP, list[Pattern], nn.History]:
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])
    patterns = moons(100, 0.1, random.Random(0))
    history = nn.train(
        model,
        patterns,
        loss=nn.hinge,
        sweeps=sweeps,
        optimizer=nn.Momentum(model.parameters(), rate=0.0005, momentum=0.9),
    )
    return model, patterns, history


def main(sweeps: int) -> None:
    model, patterns, history = train(sweeps)
    first, last = (history.errors[i] / len(patterns) for i in (0, -1))
    print(f"loss {first:.3f} at the start, {last:.3f} after {sweeps} sweeps")
    print(f"{accuracy(model, patterns):.0%} of the points are on the right side")
    print(plane(model))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
