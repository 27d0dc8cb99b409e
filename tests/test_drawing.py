"""draw: DOT that says what the graph is, drawn by every engine there is, for any text."""

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, draw
from microgradient.view import digraph

SVG = "{http://www.w3.org/2000/svg}"


def _pip_engine(monkeypatch):
    monkeypatch.delenv("MICROGRADIENT_DOT", raising=False)
    monkeypatch.setenv("PATH", "")
    engine = digraph.find_engine()
    assert engine is not None, "the extra `draw` brings an engine; is it installed?"
    return engine


@pytest.fixture(params=["pip", *(["system"] if shutil.which("dot") else [])])
def engine(request, monkeypatch):
    """graphviz-pure always (extra `test` installs it), and the system's dot if it has one."""
    found = _pip_engine(monkeypatch) if request.param == "pip" else shutil.which("dot")
    monkeypatch.undo()
    monkeypatch.setenv("MICROGRADIENT_DOT", str(found))
    return request.param


def _y():
    w, x = Value(0.5, label="w"), Value(-2.0, label="x")
    y = mg.tanh(w * x + 1) * 0 + w
    y.label = "y"
    return y


def test_dot_has_values_gradients_operations_labels_and_local_derivatives():
    y = _y()
    before = draw(y).source
    assert "grad not yet" in before
    y.backward()
    source = draw(y).source
    assert "grad not yet" not in source
    for part in (
        '"w | value 0.5 | grad 1"',
        "y = +",
        "tanh | value 0",
        'label=" -2 "',
        "rankdir=LR",
    ):
        assert part in source
    assert source.count("->") == sum(len(v.parents) for v in mg.topological_order(y))


def test_a_node_used_twice_has_two_edges():
    x = Value(3.0)
    assert draw(x * x).source.count("n0 -> n1") == 2


def test_both_directions_stack_the_fields():
    assert '"{w | value' in draw(Value(1.0, "w") * 2, direction="TB").source
    with pytest.raises(ValueError, match="LR"):
        draw(Value(1.0), direction="RL")


@pytest.mark.parametrize("format", ["svg", "png"])
def test_render(engine, format, tmp_path):
    names = {"y": {"format": format}, f"z.{format}": {}, "a.b": {"format": format}}
    for name, keywords in names.items():
        path = draw(_y()).render(tmp_path / name, **keywords)
        content = Path(path).read_bytes()
    files = {p.name for p in tmp_path.iterdir()}
    assert files == {f"y.{format}", f"z.{format}", f"a.b.{format}"}
    assert content.startswith(b"\x89PNG") if format == "png" else b"</svg>" in content


def test_svg_holds_the_text(engine):
    texts = [t.text for t in ElementTree.fromstring(draw(_y()).pipe()).iter(f"{SVG}text")]
    assert {"w", "value 0.5", "y = +", "tanh"} <= {text.strip() for text in texts if text}


def test_a_notebook_shows_svg(engine):
    assert "<svg" in draw(_y())._repr_mimebundle_()["image/svg+xml"]


HARMLESS = {"svg", "g", "title", "polygon", "path", "text", "ellipse", "polyline"}


@settings(max_examples=40)
@given(st.text(max_size=50))
def test_text_stays_text(text):
    _check_text(text)


@pytest.mark.parametrize(
    "text",
    [
        '"]; evil [URL="javascript:alert(1)"',
        "<b>bold</b>",
        "<lambda> <map>",
        "\\N \\G \\l \\",
        "{|}",
        "&lt;script&gt;&amp;",
        "javascript:alert(1)",
        "a\nb\tc\x00\x1b[31m",
        "x" * 10_000,
        "",
    ],
)
def test_hostile_text_stays_text(engine, text):
    _check_text(text)


def _check_text(text):
    svg = draw(Value(1.0, label=text) * Value(2.0, label="b")).pipe(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= HARMLESS
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {a for a in attributes if "href" in a or a.startswith("on")}
    assert sum("node" in element.get("class", "") for element in root.iter(f"{SVG}g")) == 3
    if text.isascii() and text.isprintable() and text == text.strip() and 0 < len(text) <= 40:
        shown = [element.text for element in root.iter(f"{SVG}text")]
        assert " ".join(text.split()) in [" ".join((t or "").split()) for t in shown]


def test_too_large_a_graph_is_refused():
    y = Value(1.0)
    for _ in range(1000):
        y = y.sin()
    with pytest.raises(ValueError, match="1,001 nodes"):
        draw(y)
    assert "1000 [" in draw(y, limit=2000).source


def test_only_values_are_drawn():
    with pytest.raises(TypeError, match="expects the Value"):
        draw(3.0)


def test_without_any_engine_there_is_a_sentence_and_the_text(monkeypatch):
    monkeypatch.delenv("MICROGRADIENT_DOT", raising=False)
    monkeypatch.setenv("PATH", "")

    def absent(name):
        raise digraph.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(digraph.metadata, "files", absent)
    drawing = draw(_y())
    assert "pip install 'microgradient[draw]'" in drawing._repr_mimebundle_()["text/plain"]
    with pytest.raises(RuntimeError, match="pip install"):
        drawing.pipe()
    assert "rankdir" in drawing.source


def test_what_the_engine_cannot_draw_is_one_sentence(engine):
    with pytest.raises((RuntimeError, ValueError), match=r"draw|format"):
        draw(_y()).pipe("no-such-format")


def test_graphviz_is_imported_only_when_something_is_drawn():
    import subprocess

    code = (
        "import sys, microgradient, microgradient.cli; "
        "print(sorted({'graphviz', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
