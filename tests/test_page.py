"""The page in a real browser: stepped, nudged, predicted, by mouse and keyboard; accessible."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import microgradient as mg
from browser import chromium
from microgradient import Value, nn, page, steps, trace, watch

pytestmark = pytest.mark.once

_PATIENCE = 60_000  # milliseconds, for a slow machine
expect.set_options(timeout=_PATIENCE)


class _Parts(dict):
    def __missing__(self, name):
        return f"[data-part={name}]"


PART = _Parts()


@pytest.fixture(scope="module")
def browser():
    with chromium() as it:
        yield it


@pytest.fixture
def show(browser, tmp_path):
    """Open a page; at the end there must have been no error, dialog or request."""
    faults, contexts = [], []

    def opened(html, **settings):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(**settings)
        context.set_default_timeout(_PATIENCE)
        contexts.append(context)
        tab = context.new_page()
        tab.on(
            "console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None
        )
        tab.on("pageerror", lambda e: faults.append(str(e)))
        tab.on("dialog", lambda d: (faults.append(d.message), d.dismiss()))
        tab.on(
            "request",
            lambda r: (
                None if r.url.startswith(("file:", "data:", "about:")) else faults.append(r.url)
            ),
        )
        tab.clock.install()  # the page's timers run when a test says so
        tab.goto(file.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _shared():
    w, x, b = Value(0.8), Value(-1.5), Value(0.3)
    with watch() as seen:
        s = w * x + b
        y = mg.tanh(s) * s
    return y, seen


def _xor():
    model = nn.MLP(2, [2, 1], "tanh", rng=1)
    patterns = [([a, b], [float(a != b)]) for a in (0, 1) for b in (0, 1)]
    loss = mg.fsum([nn.half_squared_error(model(x), t) for x, t in patterns])
    return loss, {"model": model, "loss": loss}


def _table(tab):
    return tab.evaluate(
        """[...document.querySelectorAll('tbody tr')].map(
             row => [...row.cells].slice(3, 5).map(cell => cell.textContent))"""
    )


def _wanted(stepper):
    nodes = stepper.graph.nodes
    known = stepper.values, stepper.adjoints
    return [[f"{d[n]:.6g}" if n in d else "" for d in known] for n in nodes]


def _number(text):
    return pytest.approx(float(text), rel=1e-3)


def _position(tab):
    return int(tab.inner_text(PART["count"]).split(" / ")[0])


def test_every_step_forward_and_back_by_keyboard(show):
    y, seen = _shared()
    tab, stepper = show(page(y, seen).html), steps(y, seen)
    stops = [0]
    while stops[-1] < len(stepper):
        tab.keyboard.press("ArrowRight")
        stops.append(_position(tab))
        stepper.goto(stops[-1])
        assert _table(tab) == _wanted(stepper)
        told = stepper.tell(stepper[stepper.position - 1]).splitlines()[0]
        assert tab.text_content(PART["told"]) == told
    assert stops == [0, *range(3, 16)]  # the inputs have their values at one step
    assert tab.is_disabled(PART["step"])
    for stop in reversed(stops[:-1]):
        tab.keyboard.press("ArrowLeft")
        stepper.goto(stop)
        assert _table(tab) == _wanted(stepper)
    tab.keyboard.press("End")
    stepper.goto(len(stepper))
    assert _table(tab) == _wanted(stepper)
    tab.keyboard.press("Home")
    assert tab.inner_text(PART["count"]) == "0 / 15"


def test_by_mouse_with_the_graph_and_the_users_line(show):
    y, seen = _shared()
    tab = show(page(y, seen).html)
    assert [t.strip() for t in tab.locator(".source code").all_inner_texts()] == [
        "s = w * x + b",
        "y = mg.tanh(s) * s",
    ]
    box = tab.locator("g.node", has_text="s = v1 + b")
    value, grad = box.locator(".value"), box.locator(".grad")
    assert value.text_content() == ""
    for _ in range(3):
        tab.click(PART["step"])
    assert value.text_content() == "−0.9"
    assert grad.text_content() == ""
    assert tab.locator(".source li.now").inner_text().endswith("s = w * x + b")
    tab.click(PART["back"])
    assert value.text_content() == ""
    tab.click(PART["end"])
    assert grad.text_content() == "grad −1.155"
    assert tab.locator("tr.now").count() == 1
    box.hover()
    assert tab.inner_text(PART["about"]) == (
        "dy/ds = 1 × -0.716298 from y + -0.9 × 0.486917 from v3 = -1.15452"
    )
    tab.click(PART["start"])
    assert "Nothing has been computed" in tab.text_content(PART["told"])


@pytest.mark.parametrize(
    ("grain", "stops"),
    [("node", [3, 4, 5, 6, 7, 8, 10, 11, 13, 15]), ("layer", None), ("sweep", [3, 7, 15])],
)
def test_a_step_may_be_a_node_a_layer_or_a_sweep(show, grain, stops):
    tab = show(page(*_shared()).html)
    tab.select_option(PART["grain"], grain)
    found = []
    while not tab.is_disabled(PART["step"]):
        tab.click(PART["step"])
        found.append(_position(tab))
    assert found == stops if stops else len(found) < 13
    for stop in reversed([0, *found[:-1]]):
        tab.click(PART["back"])
        assert _position(tab) == stop


def test_the_contribution_on_its_edge_and_the_sum_at_the_node(show):
    tab = show(page(*_shared()).html, reduced_motion="reduce")
    for _ in range(9):
        tab.keyboard.press("ArrowRight")
    assert tab.text_content(PART["told"]).startswith("dy/ds = so far + dy/dv3 × ∂v3/∂s")
    assert tab.text_content(".pill text") == "−0.9 × 0.487"
    assert tab.text_content(".terms") == "= −0.716 − 0.438"
    edge, node = tab.locator("g.edge.now"), tab.locator("g.node.now")
    assert edge.count() == node.count() == 1
    assert "s = v1 + b" in node.text_content()
    formula = tab.locator(f"{PART['sentence']} math")
    assert formula.count() == 1
    assert "positive" in formula.inner_html()  # the local derivative in its edge's colour


def test_local_derivatives_appear_with_their_nodes(show):
    tab = show(page(*_shared()).html)
    assert tab.locator("g.edge:not(.unknown)").count() == 0
    tab.select_option(PART["grain"], "sweep")
    tab.click(PART["step"])
    tab.click(PART["step"])
    assert tab.locator("g.edge.unknown").count() == 0


def test_slider_and_play(show):
    y, seen = _shared()
    tab = show(page(y, seen).html)
    tab.focus(PART["slider"])
    tab.keyboard.press("ArrowRight")
    assert tab.inner_text(PART["count"]) == "1 / 15"
    assert tab.evaluate("document.querySelector('[data-part=forward]').style.width").startswith(
        "46.6"
    )
    tab.fill(PART["slider"], "14")
    assert tab.inner_text(PART["count"]) == "14 / 15"
    tab.click(PART["play"])
    tab.clock.run_for(2500)
    expect(tab.locator(PART["count"])).to_have_text("15 / 15")
    assert tab.inner_text(PART["play"]) == "▶ Play"
    tab.locator("body").press("Home")
    tab.locator("h1").click()
    tab.keyboard.press("Space")
    assert tab.get_attribute(PART["play"], "aria-pressed") == "true"
    tab.clock.run_for(1200)
    expect(tab.locator(PART["count"])).to_have_text("3 / 15")
    tab.keyboard.press("Space")
    assert tab.get_attribute(PART["play"], "aria-pressed") == "false"


def test_inputs_move_and_every_node_says_its_change(show):
    y, seen = _shared()
    tab = show(page(y, seen).html)
    tab.click(PART["nudge"])
    leaf = tab.locator("g.node.input").nth(1)
    assert "x" in leaf.text_content()
    assert leaf.get_attribute("role") == "slider"
    for _ in range(20):
        leaf.press("ArrowRight")
    text = tab.inner_text(PART["nudged"])
    by, actual, predicted = re.search(
        r"by (\S+): .* change of (\S+)\. Gradient × change = .* = (\S+), off", text
    ).groups()

    def f(x):
        s = 0.8 * x + 0.3
        return mg.tanh(s) * s

    assert text.startswith("Move x = -1.5 by 1.5: y becomes ")
    assert float(by) == 1.5
    assert f(-1.5 + 1.5) - f(-1.5) == _number(actual)
    assert mg.grad(f)(-1.5) * 1.5 == _number(predicted)
    s = tab.locator("g.node", has_text="s = v1 + b")
    assert s.locator(".value").text_content() == "Δ 1.2"
    assert s.locator(".grad").text_content() == "×Δ −1.39"
    box = tab.locator("g.node.leaf", has_text="w").first.locator("rect").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2)
    tab.mouse.up()
    assert tab.inner_text(PART["nudged"]).startswith("Move w = 0.8 by 1: y becomes ")
    tab.click(PART["nudge"])
    assert s.locator(".value").text_content() == "−0.9"
    assert leaf.get_attribute("role") == "img"


def test_predict_then_reveal(show):
    y, seen = _shared()
    tab = show(page(y, seen).html)
    tab.check(PART["predict"])
    assert tab.is_disabled(PART["nudge"])  # it would give the answer away
    assert tab.locator(".edge.secret").count() == tab.locator(".edge").count()
    for _ in range(8):  # no questions in the forward sweep and at the seed
        tab.locator("h1").press("ArrowRight")
    assert tab.is_hidden(PART["question"])
    tab.locator("h1").press("ArrowRight")
    assert tab.inner_text(PART["asked"]) == (
        "y = v3 * s sends a contribution to its operand v3. dy/dy is 1, and nothing has arrived "
        "at v3 yet. What is dy/dv3 after this step?"
    )
    tab.keyboard.type("-0,9")
    tab.keyboard.press("Enter")
    assert tab.inner_text(PART["verdict"]) == "✓ Right: -0.9. 1 of 1 right at the first try."
    assert tab.inner_text(PART["count"]) == "9 / 15"
    assert tab.locator(".edge:not(.secret)").count() == 1
    tab.click(PART["step"])
    tab.fill(PART["guess"], "")
    tab.click("text=Check")
    assert "Type a number" in tab.inner_text(PART["verdict"])
    tab.click(PART["reveal"])
    assert tab.inner_text(PART["count"]) == "10 / 15"
    tab.click(PART["step"])  # the second contribution to s
    tab.fill(PART["guess"], "-0.438")
    tab.keyboard.press("Enter")
    assert "it is added to what was there. Try again." in tab.inner_text(PART["verdict"])
    assert tab.inner_text(PART["count"]) == "10 / 15"
    tab.fill(PART["guess"], "7")
    tab.keyboard.press("Enter")
    assert "It is -1.15452, not 7." in tab.inner_text(PART["verdict"])
    assert "1 of 3 right at the first try" in tab.inner_text(PART["verdict"])
    tab.click(PART["step"])
    tab.click(PART["back"])
    assert tab.is_hidden(PART["question"])
    tab.select_option(PART["sweep"], "recursion")
    assert tab.is_disabled(PART["predict"])
    assert not tab.is_disabled(PART["nudge"])


@pytest.mark.parametrize(
    ("guess", "answer"),
    [
        ("0.486917", "The first factor is missing"),
        ("-0.9", "The second factor is missing"),
        ("-0.413083", "multiplied, not added"),
        ("0.438226", "The sign is wrong: dy/dv3 is -0.9, and ∂v3/∂s is 0.486917."),
        ("0.644668", "you used the value of v3"),
        ("0.81", "you used the value of s"),
        ("0.1", "It is what was there + the adjoint"),
    ],
)
def test_a_wrong_guess_is_told_which_factor_is_wrong(show, guess, answer):
    tab = show(page(*_shared()).html)
    tab.check(PART["predict"])
    for _ in range(9):
        tab.locator("h1").press("ArrowRight")
    tab.click(PART["reveal"])
    tab.click(PART["step"])
    tab.click(PART["reveal"])
    tab.click(PART["step"])
    assert "dy/ds is -0.716298 so far" in tab.inner_text(PART["asked"])
    tab.fill(PART["guess"], str(-0.716298 + float(guess)) if guess != "0.1" else guess)
    tab.keyboard.press("Enter")
    assert answer in tab.inner_text(PART["verdict"])


@pytest.mark.parametrize("factor", [1e-6, float("inf")])
@pytest.mark.parametrize("typed", ["0", "5", "-1e-6", "constructor", "0x1", "1,000.5"])
def test_a_wrong_guess_is_never_right(show, factor, typed):
    tab = show(page(Value(2.0, label="x") * Value(factor, label="w")).html)
    tab.check(PART["predict"])
    for _ in range(5):
        tab.click(PART["step"])
    tab.fill(PART["guess"], typed)
    tab.keyboard.press("Enter")
    assert "Right" not in tab.inner_text(PART["verdict"])
    assert tab.is_visible(PART["question"])


@pytest.mark.parametrize("sweep", ["recursion", "assignment", "no zero_grad"])
def test_wrong_on_purpose_beside_the_right_answer(show, sweep):
    y, seen = _shared()
    tab, stepper = show(page(y, seen).html), steps(y, seen, sweep=sweep)
    stepper.goto(len(stepper))
    tab.select_option(PART["sweep"], sweep)
    tab.click(PART["end"])
    assert _table(tab) == _wanted(stepper)
    right = [cell.inner_text() for cell in tab.locator("td.right").all()]
    assert right == [f"{row['adjoint']:.6g}" for row in trace(y).rows]
    wrong = [w[1] != r for w, r in zip(_table(tab), right)]
    marked = [
        "differs" in row.locator("td").nth(4).get_attribute("class")
        for row in tab.locator("tbody tr").all()
    ]
    assert marked == wrong
    assert any(wrong)
    assert "Done. Wrong, and struck out in the graph and the table: dy/d" in tab.inner_text(
        PART["rule"]
    )
    assert tab.locator("g.node .grad.differs").count() == sum(wrong)


def test_a_stepper_saves_the_same_page_where_it_stands(show, tmp_path):
    y, seen = _shared()
    it = steps(y, seen, sweep="assignment")
    it.goto(9)
    tab = show(it.save(tmp_path / "steps.html").read_text(encoding="utf-8"))
    assert tab.inner_text(PART["count"]) == "9 / 15"
    assert tab.input_value(PART["sweep"]) == "assignment"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_by_everybody(show, width, scheme):
    loss, names = _xor()
    for html in (page(*_shared()).html, page(loss, names).html):
        tab = show(
            html,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        for position in ("start", "end", "nudge"):
            tab.click(PART[position], force=True)
            result = Axe().run(tab)
            assert result.violations_count == 0, result.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        sizes = tab.evaluate(
            """[...document.querySelectorAll('p, td, button, code, label')]
                 .map(e => parseFloat(getComputedStyle(e).fontSize))"""
        )
        assert min(sizes) >= 12
        letters = tab.evaluate(
            """[...document.querySelectorAll('svg text')].filter(e => e.textContent).map(e =>
                 parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)"""
        )
        assert min(letters) >= 12


def test_small_graphs_are_fitted_whole(show):
    model = nn.MLP(4, [4, 1], "tanh", rng=1)
    loss = nn.half_squared_error(model([1.0, 0.5, -1.0, 2.0]), [1.0])
    for html in (page(*_shared()).html, page(loss, {"model": model, "loss": loss}).html):
        tab = show(html, viewport={"width": 1280, "height": 860})
        box = tab.locator("svg.scene").bounding_box()
        assert box["y"] + box["height"] <= 860
        frame = tab.locator(PART["picture"])
        assert frame.evaluate(
            "e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight"
        )


def test_other_views_of_the_same_loss(show):
    loss, names = _xor()
    tab = show(page(loss, names).html)
    views = tab.locator(f"{PART['view']} option").all_inner_texts()
    assert views == ["whole", *(f"term {i} of 4" for i in (1, 2, 3, 4)), "elementary operations"]
    assert tab.inner_text(PART["count"]).endswith(" / 95")
    tab.select_option(PART["view"], label="term 2 of 4")
    tab.keyboard.press("Tab")
    tab.click(PART["end"])
    assert tab.inner_text(PART["count"]) == "30 / 30"
    assert tab.locator("g.node.result").text_content().startswith("v6")
    tab.select_option(PART["view"], label="whole")
    assert tab.inner_text(PART["count"]).endswith(" / 95")


@pytest.mark.parametrize("mean", [lambda terms: mg.fsum(terms) / 3, lambda terms: sum(terms) * 0.5])
def test_the_terms_of_a_mean_are_views(mean):
    x = Value(0.5, label="x")
    found = page(mean([mg.tanh(x * k) for k in (1, 2, 3)])).others
    terms = [name for name in found if name.startswith("term")]
    assert terms == [f"term {i} of 3" for i in (1, 2, 3)]
    assert not any("term" in name for name in page(1 / mg.fsum([x, x * 2, x * 3])).others)


def test_a_page_leaves_what_was_watched_as_it_was():
    x = Value(0.5)
    with watch() as seen:
        y = mg.sigmoid(x) * x
    names, lines = dict(seen), dict(seen.lines)
    first, second = page(y, seen).others, page(y, seen).others
    assert dict(seen) == names
    assert seen.lines == lines
    assert [*first] == [*second] == ["elementary operations"]
    assert set(first["elementary operations"].lines) - set(lines)  # they have the user's line too


def test_a_constant_local_derivative_is_said_once(show):
    tab = show(page(*_shared()).html)
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    reason = "".join(tab.text_content(PART["because"]).split())
    assert reason == "∂s∂v1=1,fors=v1+b"


def test_xors_full_graph_is_about_a_megabyte_and_its_boxes_hold_their_text(show):
    loss, names = _xor()
    html = page(loss, names).html
    assert len(html.encode()) < 1_500_000
    tab = show(html)
    tab.click(PART["end"])
    spills = tab.evaluate(
        """[...document.querySelectorAll('g.node:not(.constant)')].filter(g => {
             const box = g.querySelector('rect').getBBox();
             return [...g.querySelectorAll('text')].some(t => t.getBBox().width > box.width + 1);
           }).length"""
    )
    assert spills == 0


@pytest.mark.parametrize("text", ["x" * 5000, "W " * 2500])
def test_a_long_label_makes_no_page_wider_than_its_screen(show, text):
    x, w = Value(2.0, label=text), Value(3.0, label=text + "w")
    for y in (x * 2, mg.tanh(x * w)):
        for width in (400, 320):
            tab = show(page(y).html, viewport={"width": width, "height": 900})
            tab.click(PART["end"], force=True)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


HOSTILE = [
    '"><script>alert(1)</script>',
    "</script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "'-alert(1)-'",
    "\\\\N{|}<b>\n&amp;",
    "{{js}} {{data}}",
    "x" * 10_000,
    "value 888888888",
]


def _census(tab):
    return tab.evaluate(
        """(() => { const n = {}; for (const e of document.querySelectorAll('*')) {
             if (e.namespaceURI.endsWith('MathML') && !e.attributes.length) continue;
             const key = e.tagName + ' ' + [...e.attributes].map(a => a.name).sort();
             n[key] = (n[key] || 0) + 1; } return n; })()"""
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(show, text):
    def html(name):
        x = Value(2.0, label=name)
        y = x * x
        return page(y, {name[:50] + "!": y})

    tab, plain = show(html(text).html), show(html("x").html)
    for it in (tab, plain):
        it.click(PART["end"])
        it.locator("g.node").first.hover()
    assert _census(tab) == _census(plain)  # but for brackets and indices in formulas
    allowed = "math mfrac mi mn mo mrow mspace msub msup mtext"
    assert {
        *tab.evaluate("[...document.querySelectorAll('math, math *')].map(e => e.tagName)")
    } <= {*allowed.split()}
    assert tab.locator("a[href], [src], [onclick], [onerror]").count() == 0
    frame = show(f"<!DOCTYPE html><html lang=en><body>{html(text)._repr_html_()}")
    assert frame.frame_locator("iframe").locator(PART["told"]).text_content()


def test_a_notebook_shows_the_page_in_a_frame_and_a_table_where_frames_are_removed(show):
    y, seen = _shared()
    html = steps(y, seen)._repr_html_()
    tab = show(f"<!DOCTYPE html><body>{html}")
    frame = tab.frame_locator("iframe")
    frame.locator(PART["end"]).click()
    assert frame.locator(PART["count"]).inner_text() == "15 / 15"
    assert tab.locator("table").first.is_hidden()
    bare = re.sub(r"<style.*?</style>|<iframe.*?</iframe>", "", html, flags=re.S)
    tab = show(f"<!DOCTYPE html><body>{bare}")
    assert tab.locator("table").first.is_visible()
    assert "-1.15452" in tab.locator("table").nth(1).inner_text()
    assert tab.evaluate("document.querySelector('img').naturalWidth") > 100


def test_without_javascript_the_numbers_are_there(show):
    y, seen = _shared()
    tab = show(page(y, seen).html, java_script_enabled=False)
    assert "-1.15452" in tab.inner_text("table")
    assert "grad −1.155" in tab.locator("g.node", has_text="s = v1 + b").text_content()


def test_numbers_that_are_no_numbers(show):
    x = Value(0.0, label="x")
    y = mg.log(x) * 0
    html = page(y).html
    json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1], parse_constant=pytest.fail)
    tab = show(html)
    tab.click(PART["end"])
    assert _table(tab)[-1][0] == "nan"


def test_too_large_a_graph_is_refused():
    y = Value(1.0)
    for _ in range(400):
        y = y.sin()
    with pytest.raises(ValueError, match=r"401 nodes .* write page\(part\) .*draw.*trace"):
        page(y, detail="operations")
    assert "Forward sweep" in repr(page(Value(1.0) * 2))
