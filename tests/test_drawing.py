"""draw: the DOT text shows the graph, and both Graphviz programs draw it, with any text in it."""

import math
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, draw, nn
from microgradient.view.drawing import graphviz
from microgradient.view.drawing.drawing import Drawing
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.page.scene import Scene
from microgradient.view.page.scene_svg import scene_svg

SVG = "{http://www.w3.org/2000/svg}"


def _pip_engine(monkeypatch):
    monkeypatch.delenv("MICROGRADIENT_DOT", raising=False)
    monkeypatch.setenv("PATH", "")
    engine = graphviz.find_graphviz()
    assert engine is not None, "the extra `draw` brings graphviz-pure; is it installed?"
    return engine


@pytest.fixture(params=["pip", *(["system"] if shutil.which("dot") else [])])
def engine(request, monkeypatch):
    """graphviz-pure, which the extra `test` installs, and the system's dot if there is one."""
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
    assert '"{w | value' in draw(Value(1.0, label="w") * 2, direction="TB").source
    with pytest.raises(ValueError, match="LR"):
        draw(Value(1.0), direction="RL")


@pytest.mark.parametrize("format", ["svg", "png", "pdf"])
def test_render(engine, format, tmp_path):
    names = {"y": {"format": format}, f"z.{format}": {}, "a.b": {"format": format}}
    for name, keywords in names.items():
        path = draw(_y()).render(tmp_path / name, **keywords)
        content = Path(path).read_bytes()
    files = {p.name for p in tmp_path.iterdir()}
    assert files == {f"y.{format}", f"z.{format}", f"a.b.{format}"}
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[format])


def test_svg_holds_the_text(engine):
    texts = [t.text for t in ElementTree.fromstring(draw(_y()).pipe()).iter(f"{SVG}text")]
    assert {"w", "value 0.5", "y = +", "v3 = tanh"} <= {text.strip() for text in texts if text}


@pytest.mark.skipif(not shutil.which("dot"), reason="there is no system's dot to lack fonts")
def test_a_dot_without_fonts_gives_way_for_pixels(monkeypatch, tmp_path):
    monkeypatch.delenv("MICROGRADIENT_DOT", raising=False)
    empty = tmp_path / "fonts.conf"
    empty.write_text("<fontconfig><cachedir>cache</cachedir></fontconfig>")
    graphviz._lacks_fonts.cache_clear()
    monkeypatch.setenv("FONTCONFIG_FILE", str(empty))
    assert graphviz.find_graphviz("png").name == "graphviz-pure"
    assert graphviz.find_graphviz("svg").name == "dot"
    graphviz._lacks_fonts.cache_clear()


def test_a_notebook_shows_svg(engine):
    assert "<svg" in draw(_y())._repr_mimebundle_()["image/svg+xml"]


HARMLESS = {"svg", "g", "title", "polygon", "path", "text", "rect", "line", "polyline"}


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
    y = Value(1.0, label=text) * Value(2.0, label="b")
    _check_elements(text, draw(y).pipe(encoding="utf-8"))
    graph = NumberedGraph(y, None, "test")
    _check_elements(text, scene_svg(Scene(graph), dict.fromkeys(graph.nodes, 0.0)))


def _check_elements(text, svg):
    root = ElementTree.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= HARMLESS
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {a for a in attributes if "href" in a or a.startswith("on")}
    assert sum("node" in element.get("class", "") for element in root.iter(f"{SVG}g")) == 3
    if text.isascii() and text.isprintable() and text == text.strip() and 0 < len(text) <= 40:
        shown = [element.text for element in root.iter(f"{SVG}text")]
        assert " ".join(text.split()) in [" ".join((t or "").split()) for t in shown]


def _xor(examples=4):
    model = nn.MLP(2, [2, 1], "tanh", rng=1)
    patterns = [([a, b], [float(a != b)]) for a in (0, 1) for b in (0, 1)] * (examples // 4)
    return model, mg.fsum([nn.half_squared_error(model(x), t) for x, t in patterns])


def _heads(drawing):
    boxes = [line for line in drawing.body if "[id=" in line and "->" not in line]
    return [re.split(r' \| |"', line.split('label="')[1])[0] for line in boxes]


def test_neurons_and_layers_are_boxes_with_repetitions_folded():
    model, loss = _xor()
    loss.backward()
    by_neuron = draw(loss, {"net": model}, detail="neurons")
    assert set(_heads(by_neuron)) == {
        "net.layers.0.neurons.0 × 4",
        "net.layers.0.neurons.1 × 4",
        "net.layers.1.neurons.0 × 4",
        "half_squared_error × 4",
        "inputs × 8",
        "fsum",
    }
    by_layer = draw(loss, {"net": model}, detail="layers")
    assert "2 neurons: dot → tanh | 6 parameters" in by_layer.source
    assert "16 edges" in by_layer.source  # 4 examples, 2 inputs, 2 neurons
    norm = math.hypot(*(p.grad for p in model.layers[0].parameters()))
    assert f"gradient norm {norm:.4g}" in by_layer.source
    nameless = _heads(draw(loss, detail="layers"))
    assert {"layer 1 × 4", "layer 2 × 4"} <= set(nameless)


def test_layers_that_read_each_other_stay_apart():
    """A layer used recurrently is unrolled: the picture has no cycle."""
    layer = nn.Layer(1, 1, "tanh", rng=0)
    state = Value(0.5)
    for _ in range(3):
        state = layer([state])
    heads = _heads(draw(state, {"cell": layer}, detail="layers"))
    assert sum(head.startswith("cell") for head in heads) == 3


def test_the_local_derivative_through_a_neuron_is_on_its_edge():
    x = Value(0.5, label="x")
    neuron = nn.Neuron(1, "tanh", rng=0)
    y = neuron([x])
    y.backward()
    assert f'label=" {x.grad:.4g} "' in draw(y, {"n": neuron}, detail="neurons").source


def test_plain_operators_are_grouped_by_the_modules_in_names():
    class Plain(nn.Module):
        def __init__(self):
            self.w, self.b = [Value(0.1), Value(0.2)], Value(0.3)

        def __call__(self, xs):
            return (self.w[0] * xs[0] + self.w[1] * xs[1] + self.b).tanh()

    model = Plain()
    y = model([Value(1.0, label="x1"), Value(2.0, label="x2")])
    source = draw(y, {"plain": model}, detail="neurons").source
    assert "plain | * → + → tanh | 3 parameters" in source
    assert "subgraph cluster_0" in draw(y, {"plain": model}).source


def test_large_graphs_are_folded_by_themselves():
    model, loss = _xor(examples=400)
    source = draw(loss, {"net": model}).source
    assert "neurons.0 × 400" in source
    assert source.count("fillcolor") < 20
    wide = nn.MLP(3, [60, 60, 1], rng=0)
    assert '"net.layers.0' in draw(wide([1.0, 2.0, 3.0]), {"net": wide}).source


def test_too_large_a_graph_is_refused_where_its_detail_is_asked_for():
    y = Value(1.0)
    for _ in range(1000):
        y = y.sin()
    with pytest.raises(
        ValueError,
        match=r"1,001 nodes, more than 1,000 even with repetitions folded, .* draws any graph",
    ):
        draw(y, detail="layers")
    with pytest.raises(ValueError, match="raise limit="):
        draw(y, detail="operations")
    assert "n1000 [" in draw(y, limit=2000, detail="operations").source


def test_reverse_shows_what_flows_back():
    x = Value(3.0, label="x")
    y = x * 2
    assert "dir=back" in draw(y, sweep="reverse").source
    assert " 1 × 2 = 2 " not in draw(y, sweep="reverse").source  # not computed yet
    y.backward()
    assert " 1 × 2 = 2 " in draw(y, sweep="reverse").source


def test_colour_is_sign_and_width_is_magnitude():
    x = Value(1.0)
    lines = [
        line for line in draw(x * 100 + x * -1 + x * 0).body if "->" in line and "label" in line
    ]
    style = {line.split('label=" ')[1].split()[0]: line for line in lines}
    assert 'class="positive"' in style["100"]
    assert 'class="negative"' in style["-1"]
    assert 'class="zero"' in style["0"]

    def width(line):
        return float(line.split("penwidth=")[1].split("]")[0])

    assert width(style["100"]) > width(style["-1"]) > width(style["0"])


def test_names_are_drawn():
    w, x = Value(2.0), Value(3.0)
    y = w * x
    assert {"w", "x", "y = *"} == set(_heads(draw(y, locals())))


@pytest.mark.parametrize("setting", [{"detail": "all"}, {"sweep": "back"}, {"direction": "RL"}])
def test_unknown_settings_are_refused(setting):
    with pytest.raises(ValueError, match="must be one of"):
        draw(Value(1.0), **setting)


def test_only_values_are_drawn():
    with pytest.raises(TypeError, match="expects the Value"):
        draw(3.0)


def test_without_graphviz_there_is_a_sentence_and_the_dot_text(monkeypatch):
    monkeypatch.delenv("MICROGRADIENT_DOT", raising=False)
    monkeypatch.setenv("PATH", "")

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    drawing = draw(_y())
    assert "pip install 'microgradient[draw]'" in drawing._repr_mimebundle_()["text/plain"]
    with pytest.raises(RuntimeError, match="pip install"):
        drawing.pipe()
    assert "rankdir" in drawing.source


def test_what_the_engine_cannot_draw_is_one_sentence(engine):
    with pytest.raises(ValueError, match=r"a format such as svg.* dot .*svg"):
        draw(_y()).pipe("no-such-format")
    with pytest.raises(RuntimeError, match=r"could not draw this: .*syntax error in line 3"):
        Drawing(("n0 ->",)).pipe()


def test_optional_libraries_are_imported_only_when_used():
    import subprocess

    code = (
        "import sys, microgradient, microgradient.cli; "
        "print(sorted({'svglib', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
