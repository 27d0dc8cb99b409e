"""User text adds no element, attribute, command or cell to any output; large graphs are safe."""

import csv
import io
import re
import sys
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, nn
from microgradient.nn.training.history import History
from microgradient.view.training import frame as live_frame
from microgradient.view.training import live as live_view

TEXTS = [
    '"><script>alert(1)</script>',
    "</td></table><a href='javascript:alert(1)'>",
    "' onload=alert(1) '",
    r"\href{javascript:alert(1)}{x} $ % & # _ ^ ~ { } \end{array}",
    "a\nb\r\tc\x00\x1b[31m\u202e",
    "=1+1",
    ",;\"'",
    "&amp;&lt;",
    "x" * 10_000,
]


class _Census(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = Counter()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found[tag, *sorted(name for name, _ in attributes)] += 1

    def handle_endtag(self, tag):
        self.found["/" + tag] += 1


def _y(name):
    x = Value(2.0, label=name)
    return x, mg.tanh(x * x), {f"{name} ": Value(1.0)}


def _htmls(name):
    _, y, names = _y(name)
    model = nn.MLP(1, [1, 1], "tanh", rng=0)
    model.layers = dict(zip((name, "out"), model.layers))
    yield mg.trace(y, names)._repr_html_()
    yield mg.diagnose(_Wrapped(model), [([1.0], [1.0])])._repr_html_()
    it = live_frame.frame(_Wrapped(model), History(errors=[1.0]), {name: [1.0]})
    yield live_view.html(it)


class _Wrapped(nn.Module):
    def __init__(self, model):
        self.model = model

    def __call__(self, xs):
        for layer in self.model.layers.values():
            xs = layer.outputs(xs)
        return xs[0]


@given(st.text(max_size=60))
@pytest.mark.parametrize("text", TEXTS)
def test_html_and_its_attributes_stay_the_same(text, more):
    for hostile, plain in zip(_htmls(text + more), _htmls("x")):
        assert _Census(hostile).found == _Census(plain).found


def _latex_commands(latex):
    return Counter(re.findall(r"\\[A-Za-z]+", latex))


SPELLED = {r"\backslash", r"\lt", r"\gt", r"\wedge", r"\sim", r"\mathit", r"\left", r"\right"}


@given(st.text(min_size=1, max_size=60))
@example(TEXTS[3])
@example("\\")
@example("^")
def test_latex_has_no_command_of_the_users(text):
    x, y, _ = _y(text)
    plain = _y("word")
    pairs = (
        (mg.trace(y).latex(), mg.trace(plain[1]).latex()),
        (mg.explain(y, x).latex(), mg.explain(plain[1], plain[0]).latex()),
    )
    for hostile, harmless in pairs:
        more = set(_latex_commands(hostile)) - set(_latex_commands(harmless))
        assert more <= SPELLED
        bare = re.sub(r"\\[{}]", "", hostile)
        depth = 0
        for c in bare:
            depth += (c == "{") - (c == "}")
            assert depth >= 0
        assert depth == 0
        assert not re.search(r"(?<!\\)[$#%]", hostile)
        assert hostile.count(r"\left(") == hostile.count(r"\right)")


@given(st.text(max_size=40))
@example("=cmd|' /C calc'!A0")
@example('",\n"')
def test_csv_has_the_same_cells_and_no_formula(text):
    _, y, _ = _y(text)
    rows = list(csv.reader(io.StringIO(mg.trace(y).csv())))
    assert [len(row) for row in rows] == [6] * len(rows)
    assert not any(cell[:1] in tuple("=+@") for row in rows[1:] for cell in row[:4])


@given(st.text(max_size=40))
@example("\x1b[2J")
def test_text_has_no_control_characters(text):
    x, y, names = _y(text)
    for shown in (mg.trace(y, names), mg.explain(y, x), mg.steps(y)):
        assert all(c.isprintable() or c == "\n" for c in repr(shown))
    assert len(repr(mg.trace(y, names)).splitlines()) == 12


def test_large_graphs_are_shown_or_refused_without_recursion():
    y = x = Value(0.5)
    for _ in range(150_000):
        y = y.sin()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100)
    try:
        assert "the first 2,000 rows" in repr(mg.trace(y))
        assert mg.draw(y).boxes == 4
        assert "149,998 more steps" in mg.page(y).html
        for refused in (
            lambda: mg.draw(y, detail="operations"),
            lambda: mg.page(y, detail="operations"),
            lambda: mg.steps(y),
            lambda: mg.explain(y, x),
        ):
            with pytest.raises(ValueError, match=r"150,001 nodes|150,000 factors"):
                refused()
        assert mg.expand(y) is y
    finally:
        sys.setrecursionlimit(before)
