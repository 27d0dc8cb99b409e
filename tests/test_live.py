"""live: training while it runs, as data, in a terminal and in a notebook."""

import io

import pytest
from rich.console import Console

import microgradient as mg
from microgradient import Value, live, nn
from microgradient.nn.training.history import History
from microgradient.nn.training.progress import in_notebook
from microgradient.rumelhart1986 import EXPERIMENTS, run
from microgradient.view.training import frame as live_frame
from microgradient.view.training import live as live_view
from microgradient.view.training import screen

pytestmark = pytest.mark.once

INPUTS = {"00": [0, 0], "01": [0, 1], "10": [1, 0], "11": [1, 1]}
PATTERNS = [(x, [float(x[0] != x[1])]) for x in INPUTS.values()]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live_view, "_PAUSE", 0.001)


def _train(model, **keywords):
    return nn.train(
        model,
        PATTERNS,
        loss=nn.half_squared_error,
        optimizer=nn.Momentum(model.parameters(), rate=0.1),
        sweeps=30,
        **keywords,
    )


def test_a_frame_holds_weights_and_codes():
    model = nn.MLP(2, [3, 1], "tanh", rng=0)
    it = live_frame.frame(model, History(errors=[1.0, 0.5], right=[0, 2]), INPUTS)
    assert [m.title for m in it.weights] == ["weights of layer 0", "weights of layer 1"]
    neuron = model.layers[0].neurons[2]
    assert it.weights[0].rows[2] == (neuron.bias.data, *(w.data for w in neuron.weights))
    (codes,) = it.codes
    assert codes.names == ("00", "01", "10", "11")
    hidden = [y.data for y in model.layers[0]([1.0, 0.0])]
    assert list(codes.rows[2]) == pytest.approx(hidden)
    assert live_frame.headline(it) == "sweep 2: error 0.5, 2 right"


def test_on_sweep_sees_every_sweep_and_training_stays_the_same():
    model, twin = nn.MLP(2, [2, 1], "tanh", rng=0), nn.MLP(2, [2, 1], "tanh", rng=0)
    seen = []
    history = _train(model, on_sweep=lambda m, h: seen.append((m is model, h.sweeps)))
    assert seen == [(True, i) for i in range(1, 31)]
    assert _train(twin).errors == history.errors
    with pytest.raises(TypeError, match="on_sweep must be a function"):
        _train(model, on_sweep=3)


def test_in_a_terminal(monkeypatch, capsys):
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "100"), ("LINES", "35")):
        monkeypatch.setenv(name, value)
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    with live(INPUTS) as show:
        _train(model, on_sweep=show)
    text = capsys.readouterr().out
    assert "sweep 30: error" in text
    assert "codes in layer 0" in text
    assert "▁" in text


def test_in_a_file_only_the_last_frame_is_written(capsys):
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    with live() as show:
        _train(model, on_sweep=show)
    out = capsys.readouterr().out
    assert out.count("sweep") == 1
    assert "\x1b" not in out


def test_ipykernel_alone_is_no_notebook():
    import ipykernel  # noqa: F401

    assert not in_notebook()


def test_html_escapes_names_and_has_a_cell_for_every_number():
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    html = live_view.html(
        live_frame.frame(model, History(errors=[1.0]), {"<b>": [0, 1], "x": [1, 1]})
    )
    assert "&lt;b&gt;" in html
    assert html.count("background:") == 2 * 3 + 3 + 2 * 2


@pytest.mark.parametrize("errors", [[], [1.0], [0.0, 0.0], [1e-300, 1e300], [float("nan"), 1.0]])
def test_any_curve_can_be_drawn(errors):
    assert len(live_frame.curve(errors)) == len(errors)
    assert len(live_frame.curve([1.0, 2.0] * 500)) <= 64


def test_what_is_no_module_is_refused():
    with live() as show, pytest.raises(TypeError, match="a model that is a Module"):
        show(lambda x: x, History(errors=[1.0]))
    for inputs in ([0, 1], {"a": 1.0}, "01", 3):
        with pytest.raises(TypeError, match="live expects"), live(inputs):
            pass


def test_a_layer_alone_tied_layers_and_nested_lists_are_shown_whole():
    layer = nn.Layer(2, 3, "tanh", rng=0)
    assert [len(m.rows) for m in live_frame.frame(layer, History(), {}).weights] == [3]

    class Tied(nn.Module):
        def __init__(self):
            self.a = self.b = nn.Layer(2, 2, "tanh", rng=0)
            self.w = [[Value(1.0), Value(2.0)], [Value(3.0)]]

        def __call__(self, xs):
            return mg.dot(self.w[0], self.b(self.a(xs)), self.w[1][0])

    model = Tied()
    it = live_frame.frame(model, History(), {"x": [0.5, -0.5]})
    first = [y.data for y in model.a([0.5, -0.5])]
    assert it.codes[0].rows[0] == (*first, *(y.data for y in model.b(first)))
    assert [len(m.rows[0]) for m in it.weights] == [3, 3]


def test_the_last_error_is_the_last_bar_and_shades_grow_with_the_number():
    assert live_frame.curve([1.0] * 128 + [1e6])[-1] == "█"
    codes = live_frame.Matrix("", ("a",), ((-1.0, 0.0, 1.0, 3.0),), False)
    levels = [live_frame.shade(x, codes)[0] for x in codes.rows[0]]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 4
    weights = live_frame.Matrix("", ("a",), ((-2.0, 2.0),), True)
    (r1, _, b1), (r2, _, b2) = (live_frame.shade(x, weights) for x in (-2.0, 2.0))
    assert r1 > b1  # orange
    assert r2 < b2  # blue


# --- on a terminal -------------------------------------------------------------------------------


def _drawn(moment, columns, lines, colors=True):
    """Return the lines that a frame takes on a terminal of this size."""
    out = io.StringIO()
    console = Console(file=out, width=columns, height=lines, color_system=None)
    console.print(screen.on_screen(moment, screen.Size(columns, lines, colors)))
    return out.getvalue().splitlines()


@pytest.fixture(scope="module", params=EXPERIMENTS.values(), ids=EXPERIMENTS)
def moment(request):
    experiment = request.param
    trial = run(experiment, settings={"sweeps": 2})
    inputs = {p.name: p.inputs for probe in experiment.probes for p in probe.patterns}
    return live_frame.frame(trial.network, trial.history, inputs)


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
@pytest.mark.parametrize("lines", [5, 10, 24, 35, 50])
@pytest.mark.parametrize("colors", [True, False])
def test_a_frame_fits_the_terminal_and_names_what_it_leaves_out(moment, columns, lines, colors):
    drawn = _drawn(moment, columns, lines, colors)
    assert len(drawn) <= lines
    assert max(map(len, drawn)) <= columns
    titles = [matrix.title for matrix in (*moment.weights, *moment.codes)]
    missing = [title for title in titles if not any(title in line for line in drawn[:-1])]
    if missing:
        said = "no room for: " + ", ".join(missing)
        assert drawn[-1] == (said if len(said) <= columns else said[: columns - 1] + "…")
    else:
        assert "no room" not in drawn[-1]
    assert not missing or len(titles) > 3 or columns < 80 or lines < 35


def test_the_family_trees_fit_a_terminal_of_35_lines(moment):
    if len(moment.weights) == 5:
        drawn = _drawn(moment, 120, 35)
        assert "no room" not in drawn[-1]
        assert any("CAAJCCPCVJMCRPEMTAMFLAGS" in line for line in drawn)  # initials of the people


def test_without_colours_numbers_are_digits():
    weights = live_frame.Matrix("w", ("1",), ((-2.0, 0.0, 1.0, 2.0, float("nan")),), True)
    codes = live_frame.Matrix("c", ("a",), ((0.0, 0.55, 1.0),), False)
    moment = live_frame.Frame(1, (1.0,), None, (weights,), (codes,))
    drawn = _drawn(moment, 80, 24, colors=False)
    assert "-9 0+5+9 ?" in "\n".join(drawn)
    assert "a  0 5 9" in "\n".join(drawn)


def test_watching_does_not_keep_training_from_being_compiled():
    class Counting(nn.MLP):
        calls = 0

        def __call__(self, xs):
            Counting.calls += 1
            return super().__call__(xs)

    model = Counting(2, [8, 8, 1], "tanh", rng=0)
    with live() as show:
        history = nn.train(
            model,
            PATTERNS,
            loss=nn.half_squared_error,
            optimizer=nn.Momentum(model.parameters(), rate=1e-4),
            sweeps=3000,
            on_sweep=show,
        )
    assert history.sweeps == 3000
    assert Counting.calls < 100  # eager: 12,000
