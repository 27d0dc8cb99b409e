"""Draw the pictures of the README and the docs: python docs/pictures.py"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

import microgradient as mg
from microgradient import Value
from microgradient.check import gradient_report
from microgradient.rumelhart1986 import EXPERIMENTS, picture, run

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

from browser import chromium  # noqa: E402  # the browser that the tests use


def main() -> None:
    w, x, b = Value(0.8, label="w"), Value(-1.5, label="x"), Value(0.3, label="b")
    y = mg.tanh(w * x + b)
    y.label = "y"
    loss = (y - 1) ** 2
    loss.label = "loss"
    loss.backward()
    mg.draw(loss).render(HERE / "graph.svg")
    fit(HERE / "sum.svg")
    picture.save(run(EXPERIMENTS["symmetry"]), HERE / "symmetry.png")
    family_trees(HERE / "layers.svg")
    page(HERE / "page.png")
    wrong_sin = replace(mg.sin, partials=lambda m, v, x: (m.cos(x) * (1 + 1e-9),))
    gradient_report(wrong_sin, 0.3).plot(HERE / "u.png")


def family_trees(path: Path) -> None:
    """Draw the loss of the untrained network over all cases, by layers."""
    trees = EXPERIMENTS["family-trees"]
    network = run(trees, settings={"sweeps": 0}).network
    loss = mg.fsum([mg.nn.margin_error(network(p.inputs), p.targets) for p in trees.patterns])
    loss.backward()
    mg.draw(loss, {"net": network, "loss": loss}, detail="layers").render(path)


def fit(path: Path) -> None:
    """Draw the loss of a line over 100 points."""
    w = Value(0.8, label="w")
    loss = reduce(add, [(w * (i / 100) - i / 50) ** 2 for i in range(1, 101)])
    loss.backward()
    mg.draw(loss, {"loss": loss}).render(path)


def page(path: Path) -> None:
    """Take a screenshot of the page of docs/views.md in the middle of its reverse sweep."""
    w, x, b = Value(0.8), Value(-1.5), Value(0.3)
    with mg.watch() as seen:
        s = w * x + b
        y = mg.tanh(s) * s
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        tab.set_content(mg.page(y, seen).html)
        for _ in range(9):
            tab.keyboard.press("ArrowRight")
        tab.screenshot(path=path)


if __name__ == "__main__":
    main()
