"""Draw the pictures of the README: python docs/pictures.py"""

from __future__ import annotations

from pathlib import Path

import microgradient as mg
from microgradient import Value
from microgradient.rumelhart1986 import EXPERIMENTS, picture, run

HERE = Path(__file__).parent


def main() -> None:
    w, x, b = Value(0.8, "w"), Value(-1.5, "x"), Value(0.3, "b")
    y = mg.tanh(w * x + b)
    y.label = "y"
    loss = (y - 1) ** 2
    loss.label = "loss"
    loss.backward()
    mg.draw(loss).render(HERE / "graph.svg")
    picture.save(run(EXPERIMENTS["symmetry"]), HERE / "symmetry.png")


if __name__ == "__main__":
    main()
