"""Studies as TOML files: what they give, that they equal the built-in ones, and what is refused."""

import pickle
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradient.rumelhart1986.experiment import SETTINGS
from microgradient.rumelhart1986.experiments import EXPERIMENTS, tc
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.toml_study.study import StudyFile, read_study
from microgradient.rumelhart1986.trial import run

pytestmark = pytest.mark.once

XOR = EXPERIMENTS["xor"]
PATTERNS = "patterns = [[[0, 0], [0]], [[0, 1], [1]], [[1, 0], [1]], [[1, 1], [0]]]\n"
NETWORK = "[network]\ngroups = {input = 2, hidden = 2, output = 1}\n"
OWN = PATTERNS + NETWORK


def read(text, where="rates.toml"):
    return read_study(text, where, EXPERIMENTS)


def refusal(text):
    with pytest.raises(ValueError, match=r"^rates\.toml") as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


# --- what a file gives --------------------------------------------------------------------------


def test_a_grid_of_a_known_experiment():
    study = read('experiment = "xor"\nseeds = 100\n[grid]\nrate = [0.1, 0.25]\nmomentum = [0, 0.9]')
    assert study.seeds == 100
    assert study.experiment.name == "rates"
    assert (study.experiment.title, study.experiment.patterns) == (XOR.title, XOR.patterns)
    base = XOR.variants["2-2-1"]
    points = {
        "rate=0.1 momentum=0": (0.1, 0.0),
        "rate=0.1 momentum=0.9": (0.1, 0.9),
        "rate=0.25 momentum=0": (0.25, 0.0),
        "rate=0.25 momentum=0.9": (0.25, 0.9),
    }
    assert list(study.experiment.variants) == list(points)
    for name, (rate, momentum) in points.items():
        variant = study.experiment.variants[name]
        assert variant.architecture is base.architecture
        set_here = dict.fromkeys(("rate", "momentum"), "set in rates.toml")
        sources = {**base.recipe.sources, **set_here}
        expected = replace(base.recipe, rate=rate, momentum=momentum, sources=sources)
        assert variant.recipe == expected
        assert type(variant.recipe.momentum) is float


def test_findings_stay_where_nothing_is_changed():
    study = read('experiment = "xor"\n[recipe]\nmomentum = 0.9\n[grid]\nrate = [0.1, 0.25]')
    base = XOR.variants["2-2-1"]
    assert study.experiment.variants["rate=0.1"].original == ()
    assert study.experiment.variants["rate=0.25"].original == base.original
    assert read('experiment = "xor"\nheld_out = 1').experiment.variants["2-2-1"].original == ()
    alone = read('experiment = "addition"\nvariant = "4-2-3"').experiment.variants
    known = EXPERIMENTS["addition"].variants["4-2-3"]
    assert alone == {"4-2-3": replace(known, better=None, one_in=1)}


def test_all_seeds_that_the_file_asks_for_are_trained():
    slow = replace(XOR.variants["2-2-1"], one_in=10)
    study = read_study('experiment = "xor"', "a", {"xor": replace(XOR, variants={"slow": slow})})
    assert study.experiment.variants["slow"].one_in == 1


def test_every_setting_can_be_in_a_grid():
    text = 'experiment = "xor"\n[grid]\nupdate = ["sweep", "presentation"]\nsweeps = [10]\n'
    text += "stop_when_met = [true, false]\nbias_at_most = [inf, 0.0]\ndecay = [1e-5]"
    variants = read(text).experiment.variants
    assert len(variants) == 8
    name = "update=sweep sweeps=10 stop_when_met=false bias_at_most=0 decay=1e-05"
    recipe = variants[name].recipe
    assert (recipe.update, recipe.sweeps, recipe.stop_when_met) == ("sweep", 10, False)
    assert (recipe.bias_at_most, recipe.decay) == (0.0, 1e-5)


def test_points_that_are_near_each_other_have_names_of_their_own():
    variants = read('experiment = "xor"\n[grid]\nrate = [0.1234567, 0.1234568, 3]').experiment
    assert list(variants.variants) == ["rate=0.1234567", "rate=0.1234568", "rate=3"]


def test_names_titles_and_held_out_patterns():
    assert read(OWN, "some folder/a|b?.toml").experiment.name == "a-b"
    assert read(OWN, "<>").experiment.name == "study"
    study = read(f'name = "my-xor 2"\ntitle = "Mine"\nheld_out = ["2", "3"]\n{OWN}').experiment
    assert (study.name, study.title, study.held_out) == ("my-xor 2", "Mine", (("2", "3"),))
    assert read(OWN).experiment.title == "rates"
    assert read(OWN).seeds is None
    known = read('experiment = "sequences"').experiment
    assert known.held_out == EXPERIMENTS["sequences"].held_out
    assert read('experiment = "family-trees"\nheld_out = 0').experiment.held_out == 0
    sets = read(f'held_out = [["1"], ["4"]]\n{OWN}').experiment.held_out
    assert sets == (("1",), ("4",))


def test_a_new_network_for_the_patterns_of_an_experiment():
    text = 'experiment = "symmetry"\nvariant = "pdp"\n[network]\ngroups = {input = 6, h = 3, y = 1}'
    study = read(text).experiment
    assert study.patterns == EXPERIMENTS["symmetry"].patterns
    assert study.variants["6-3-1"].recipe == EXPERIMENTS["symmetry"].variants["pdp"].recipe
    assert [probe.group for probe in study.probes] == ["h"]
    assert run(study, settings={"sweeps": 1}, backend="eager").history.sweeps == 1


def test_an_own_task_has_the_recipe_of_the_chapter():
    study = read(f"{OWN}[recipe]\nrate = 0.5").experiment
    recipe = study.variants["2-2-1"].recipe
    assert recipe == replace(XOR.variants["2-2-1"].recipe, rate=0.5, sources=recipe.sources)
    assert recipe.sources["rate"] == "set in rates.toml"
    assert "p. 330" in recipe.sources["momentum"]


# --- the built-in networks, written as files ----------------------------------------------------

DIRECT = """
[network]
groups = {input = INPUTS, hidden = HIDDEN, output = OUTPUTS}
[[link]]
source = "input"
target = "hidden"
[[link]]
source = "input"
target = "output"
[[link]]
source = "hidden"
target = "output"
"""
ROWS = [
    "".join("." if (key := tc.field(i, j)) is None else str(3 * key[0] + key[1]) for i in range(49))
    for j in range(25)
]


def direct(inputs, hidden, outputs):
    sizes = {"INPUTS": inputs, "HIDDEN": hidden, "OUTPUTS": outputs}
    text = DIRECT
    for name, size in sizes.items():
        text = text.replace(name, str(size))
    return text


BUILT_IN = {
    ("xor", "2-2-1"): NETWORK,
    ("xor", "2-1-1"): direct(2, 1, 1),
    ("addition", "4-2-3"): direct(4, 2, 3)
    + '[[link]]\nsource = "hidden"\ntarget = "hidden"\nweight = ["..", "*."]',
    ("t-c", "shared"): f"""
[network]
groups = {{retina = 49, field = 25, output = 1}}
bias = "shared"
[[link]]
source = "retina"
target = "field"
weight = {ROWS}
[[link]]
source = "field"
target = "output"
weight = "shared"
""",
    ("shift-3", "recurrent"): """
[network]
groups = {units = 3}
steps = 3
shown = [["units", 0]]
asked = [["units", 2]]
[[link]]
source = "units"
target = "units"
delay = 1
""",
    ("sequences", "recurrent"): """
[network]
groups = {letter = 5, hidden = 30, digit = 3}
steps = 6
shown = [["letter", 0], ["letter", 1]]
asked = [["digit", 2], ["digit", 3], ["digit", 4], ["digit", 5]]
start = 0.2
"""
    + "".join(
        f'[[link]]\nsource = "{a}"\ntarget = "{b}"\ndelay = 1\n'
        for a, b in (("letter", "hidden"), ["hidden"] * 2, ("hidden", "digit"), ["digit"] * 2)
    ),
}


def task(experiment, variant, network):
    """Return the file of a built-in experiment: patterns, network and recipe, all written out."""
    held = f"held_out = {list(map(list, experiment.held_out))}\n" if experiment.held_out else ""
    patterns = "".join(
        f'\n[[pattern]]\nname = "{p.name}"\ninputs = {list(p.inputs)}\ntargets = {list(p.targets)}'
        for p in experiment.patterns
    )
    values = {name: getattr(variant.recipe, name) for name in SETTINGS}
    written = {True: "true", False: "false"}
    lines = [
        f"{name} = {written[x] if isinstance(x, bool) else repr(x)}" for name, x in values.items()
    ]
    return "\n".join([held, network, "[recipe]", *lines, patterns])


@pytest.mark.parametrize(("name", "variant"), BUILT_IN, ids=map("-".join, BUILT_IN))
def test_a_file_gives_the_same_as_the_built_in_experiment(name, variant):
    experiment = EXPERIMENTS[name]
    ours = read(task(experiment, experiment.variants[variant], BUILT_IN[name, variant])).experiment
    assert (ours.patterns, ours.held_out) == (experiment.patterns, experiment.held_out)
    few = {"sweeps": 5}
    mine = run(ours, seed=3, settings=few, backend="eager")
    theirs = run(experiment, variant, seed=3, settings=few, backend="eager")
    assert mine.history.errors == theirs.history.errors
    assert mine.network.state_dict() == theirs.network.state_dict()
    assert len(mine.network.parameters()) == len(theirs.network.parameters())
    assert mine.test_right == theirs.test_right


def weights_of(link, bias="own", groups="{a = 2, b = 2}"):
    text = f"{PATTERNS.replace(']]]', ']]]').replace('[0]]', '[0, 1]]').replace('[1]]', '[1, 0]]')}"
    text += f'[network]\ngroups = {groups}\nbias = "{bias}"\n'
    text += f'[[link]]\nsource = "a"\ntarget = "b"\nweight = {link}'
    study = read(text).experiment
    assert pickle.loads(pickle.dumps(study)).variants.keys() == study.variants.keys()
    net = study.variants["2-2"].architecture
    return len(Network(net, 1.0, 1.0, random.Random(0)).parameters())


@pytest.mark.parametrize(
    ("link", "bias", "count"),
    [
        ('"every"', "own", 6),
        ('"every"', "shared", 5),
        ('"every"', "none", 4),
        ('"shared"', "none", 1),
        ('"diagonal"', "none", 2),
        ('["**", "**"]', "none", 4),
        ('["ab", "ba"]', "none", 2),
        ('["*.", ".*"]', "none", 2),
        ('["a.", "a*"]', "none", 2),
    ],
)
def test_weights_that_are_one(link, bias, count):
    assert weights_of(link, bias) == count


# --- what is refused ----------------------------------------------------------------------------

LINK = OWN + '[[link]]\nsource = "input"\ntarget = "hidden"\n'
BAD = {
    # TOML
    "a = = 1": "is not valid TOML: Invalid value (at line 1, column 5)",
    "seeds = 1\nseeds = 2\n": "Cannot overwrite a value (at line 2, column 10)",
    "a = " + "[" * 5000: "nested too deeply",
    "a = " + "{b=" * 5000: "nested too deeply",
    "seeds = " + "9" * 5000: "Exceeds the limit",
    "#" * 1_000_001: "at most 1,000,000 characters, got 1,000,001",
    # keys
    "": "the key experiment or the table [network] is missing",
    "sed = 1": "unknown key sed; did you mean seeds?; the keys here are name, title",
    ".".join("a" * 3000) + " = 1": "unknown key a; the keys here are",
    'experiment = "xor"\n"not bare" = 1': "unknown key 'not bare'",
    'experiment = "xor"\n[recipe]\nrat = 1': "unknown key recipe.rat; did you mean rate?",
    'experiment = "xor"\n[recipe]\nsources = {}': "unknown key recipe.sources",
    'experiment = "xor"\n[grid]\nmomentun = [1]': "unknown key grid.momentun; did you mean mom",
    OWN + "stepz = 1": "unknown key network.stepz; did you mean steps?",
    LINK + "wait = 1": "unknown key link[1].wait",
    NETWORK + "[[pattern]]\nname = 'a'\ntarget = [1]": "unknown key pattern[1].target",
    # the whole
    'experiment = "xr"': "experiment must be one of xor, symmetry",
    "experiment = true": "experiment must be one of xor, symmetry",
    'experiment = "xor"\nvariant = "2-2"': "got str '2-2'; did you mean 2-2-1?",
    'variant = "2-2-1"\n' + OWN: "variant must be left out where there is no experiment",
    'experiment = "xor"\n' + PATTERNS: "patterns must be left out where experiment is given",
    'experiment = "xor"\n[[link]]': "link must be left out where there is no network",
    OWN + "[[pattern]]\ninputs = [0, 0]\ntargets = [0]": "pattern must be left out where patterns",
    NETWORK: "patterns are missing",
    'experiment = "xor"\nseeds = 0': "seeds must be a whole number from 1 to 1,000,000, got int 0",
    'experiment = "xor"\nseeds = true': "got bool True",
    'experiment = "xor"\nseeds = 2.0': "got float 2.0",
    'experiment = "xor"\nseeds = 0x' + "f" * 9000: "seeds must be a whole number",
    'experiment = "xor"\nname = "../up"': "name must be letters and digits",
    'experiment = "xor"\nname = ""': "name must be a text of 1 to 100 printable characters",
    'experiment = "xor"\ntitle = "a\\nb"': "title must be a text of 1 to 100 printable",
    'experiment = "xor"\ntitle = 1979-05-27': "got date",
    'experiment = "xor"\nheld_out = 4': "held_out must be a whole number from 0 to 3 or a list",
    'experiment = "xor"\nheld_out = true': "got bool True",
    'experiment = "xor"\nheld_out = ["02"]': "held_out[1] must be one of 00, 01, 10, 11, got str",
    'experiment = "xor"\nheld_out = ["00", "00"]': "held_out[2] must be a name that the list",
    'experiment = "xor"\nheld_out = ["00", "01", "10", "11"]': "a list of 1 to 3 names of pat",
    'experiment = "xor"\nheld_out = []': "held_out must be a list of 1 to 3 names",
    'experiment = "xor"\nheld_out = [["00"], ["01", "10"]]': "held_out[2] must be a list of 1 to 1",
    'experiment = "xor"\nheld_out = [["00"], "01"]': "held_out[2] must be a list of 1 to 1 names",
    # recipe and grid
    'experiment = "xor"\nrecipe = 1': "recipe must be a table, got int 1",
    'experiment = "xor"\n[recipe]\nrate = true': "recipe.rate must be a finite number",
    'experiment = "xor"\n[recipe]\nrate = "0.1"': "recipe.rate must be a finite number, got str",
    'experiment = "xor"\n[recipe]\nrate = nan': "recipe.rate must be a finite number, got float",
    'experiment = "xor"\n[recipe]\nrate = inf': "recipe.rate must be a finite number, got float",
    'experiment = "xor"\n[recipe]\nrate = 0x1' + "0" * 400: "recipe.rate must be a finite number",
    'experiment = "xor"\n[recipe]\nrate = -1': "recipe.rate must be a positive number, got -1.0",
    'experiment = "xor"\n[recipe]\nmomentum = 1': "recipe.momentum must be a number of at least 0",
    'experiment = "xor"\n[recipe]\nsweeps = 1.5': "recipe.sweeps must be a whole number from 0",
    'experiment = "xor"\n[recipe]\nsweeps = -1': "recipe.sweeps must be a whole number from 0",
    'experiment = "xor"\n[recipe]\nupdate = "epoch"': 'recipe.update must be "presentation" or "sw',
    'experiment = "xor"\n[recipe]\non = 0.05': "recipe.off must be at least 0 and below on = 0.05",
    'experiment = "xor"\n[recipe]\nstop_when_met = 1': "stop_when_met must be true or false, got",
    'experiment = "xor"\n[recipe]\nbias_at_most = -inf': "bias_at_most must be a number or inf",
    'experiment = "xor"\n[recipe]\nbias_at_most = nan': "bias_at_most must be a number or inf",
    'experiment = "xor"\n[grid]\nrate = [0.1, -1]': "grid.rate must be a positive number, got -1.0",
    'experiment = "xor"\n[grid]\nrate = []': "grid.rate must be a list of 1 to 10,000 values",
    'experiment = "xor"\n[grid]\nrate = 0.1': "grid.rate must be a list of 1 to 10,000 values",
    'experiment = "xor"\n[grid]\nrate = [1, 1.0]': "grid.rate[2] must be a value that the list",
    'experiment = "xor"\n[grid]\nrate = [0.1, true]': "grid.rate[2] must be a finite number",
    'experiment = "xor"\n[recipe]\nrate = 1\n[grid]\nrate = [1]': "recipe.rate must be left out",
    'experiment = "xor"\n[grid]\nrate = [1, 2]\nsweeps = '
    + str(list(range(5001))): "grid must be a grid of at most 10,000 points, got 10,002",
    # networks
    PATTERNS + "network = 1": "network must be a table, got int 1",
    PATTERNS + "[network]": "the key network.groups is missing",
    PATTERNS + "[network]\ngroups = {}": "network.groups must be a table of 1 to 100 groups, got 0",
    OWN.replace("2,", "0,"): "network.groups.input must be a whole number from 1 to 1,000,000",
    OWN.replace("hidden = 2", "hidden = true"): "network.groups.hidden must be a whole number",
    OWN.replace("hidden = 2", "hidden = -3"): "network.groups.hidden must be a whole number",
    OWN.replace("hidden", '""'): "the name network.groups.'' must be a text of 1 to 100",
    OWN.replace("hidden", '"a\\u202eb"'): "must be a text of 1 to 100 printable characters",
    OWN.replace("hidden = 2", "hidden = 400_000"): "at most 1,000,000 weights, counted at each",
    OWN.replace("hidden = 2", "hidden = 1_000_000"): "at most 1,000,000 units, counted at each",
    OWN + "steps = 1_000_000": "network must have at most 1,000,000 units, counted at each step",
    OWN + "steps = 0": "network.steps must be a whole number from 1",
    OWN + 'bias = "ours"': "network.bias must be one of own, shared, none, got str 'ours'",
    OWN + "start = nan": "network.start must be a finite number",
    OWN + 'shown = ["input"]': "network.shown[1] must be [group, step], got str",
    OWN
    + 'shown = [["input", 1]]': "network.shown[1][2] must be a whole number from 0 to 0, got int",
    OWN + 'shown = [["input", 0], ["input", 0]]': "network.shown[2] must be given once",
    OWN
    + 'asked = [["outputs", 0]]': "network.asked[1][1] must be one of input, hidden, output, got",
    OWN + 'asked = [["input", 0]]': "network: 'input' is shown and asked for",
    PATTERNS + "[network]\ngroups = {a = 2}": "network: an architecture needs a link",
    OWN + "link = 1": "unknown key network.link; the keys here are groups, steps",
    "link = 1\n" + OWN: "link must be a list of tables, each below [[link]], got int 1",
    OWN
    + '[link]\nsource = "input"': "link must be a list of tables, each below [[link]], got dict",
    OWN + '[[link]]\nsource = "input"': "the key link[1].target is missing",
    LINK.replace('"hidden"', '"hiden"'): "link[1].target must be one of input, hidden, output, got "
    "str 'hiden'; did you mean hidden?",
    LINK: "network: 'output' is shown and asked for",
    LINK + "delay = 1": "network: the link from 'input' to 'hidden' has a delay, but there is one",
    LINK + "delay = -1": "link[1].delay must be a whole number from 0 to 1, got int -1",
    LINK + LINK[len(OWN) :]: "link[2] must be the only link between its groups with its delay",
    OWN + '[[link]]\nsource = "output"\ntarget = "hidden"': "must come from an earlier unit",
    LINK + 'weight = "all"': "link[1].weight must be one of every, shared, diagonal, got str 'all'",
    LINK + "weight = 1": "link[1].weight must be one of every, shared, diagonal",
    LINK.replace("hidden = 2", "hidden = 3") + 'weight = "diagonal"': "got 2 and 3 units",
    LINK
    + 'weight = ["ab"]': "link[1].weight must be a list of 2 rows, one for each target unit, got",
    LINK + 'weight = ["ab", "abc"]': "link[1].weight[2] must be a text of 2 characters",
    LINK + 'weight = ["ab", "a-"]': 'source unit: ".", "*", letters or digits, got str',
    LINK + "weight = [[1, 2], [3, 4]]": "link[1].weight[1] must be a text of 2 characters",
    LINK + 'weight = ["..", "ab"]': "network: unit 1 of 'hidden' reads nothing",
    'experiment = "xor"\n' + NETWORK.replace("input = 2", "input = 3"): "network must be a network "
    "with 2 numbers for inputs and 1 for outputs",
    # patterns
    "patterns = []\n" + NETWORK: "patterns must be a list of patterns, got 0 items",
    "patterns = [[0, 0, 1]]\n" + NETWORK: "patterns[1] must be a list of two lists: inputs and",
    "patterns = [[[0, 0, 0], [0]]]\n"
    + NETWORK: "patterns[1][1] must be a list of 2 numbers, got 3",
    "patterns = [[[0, 0], [0, 1]]]\n" + NETWORK: "patterns[1][2] must be a list of 1 number, got 2",
    "patterns = [[[0, true], [0]]]\n"
    + NETWORK: "patterns[1][1][2] must be a finite number, got boo",
    "patterns = [[[0, nan], [0]]]\n" + NETWORK: "patterns[1][1][2] must be a finite number",
    "patterns = [[[0, 0], [0.5]]]\n" + NETWORK: "patterns[1][2] must be numbers that are 0 or 1",
    "patterns = [" + "[]," * 10_001 + "]\n" + NETWORK: "a list of patterns, got 10,001 items",
    NETWORK + "[[pattern]]\ninputs = [0, 0]": "the key pattern[1].targets is missing",
    NETWORK
    + "[[pattern]]\nname = 1\ninputs = [0, 0]\ntargets = [0]": "pattern[1].name must be a te",
    NETWORK
    + "[[pattern]]\nname = 'a'\ninputs = [0, 0]\ntargets = [0]\n" * 2: "pattern[2] must be a "
    "pattern with a name of its own, got 'a' again",
}


@pytest.mark.parametrize(("text", "phrase"), BAD.items(), ids=[f"{k}" for k in range(len(BAD))])
def test_what_is_wrong_is_refused_by_name(text, phrase):
    assert phrase in refusal(text)


def test_every_refusal_of_a_recipe_begins_with_the_setting():
    """So that the file's error can say which table holds it."""
    recipe = XOR.variants["2-2-1"].recipe
    for name in set(SETTINGS) - {"on", "stop_when_met", "bias_at_most"}:
        with pytest.raises(ValueError, match=f"^{name} must be"):
            replace(recipe, **{name: "neither" if isinstance(getattr(recipe, name), str) else -1})


# --- no file gives anything but a study or a ValueError -----------------------------------------

VALID = (
    f'name = "x"\nseeds = 3\n{LINK}delay = 0\n'
    '[[link]]\nsource = "hidden"\ntarget = "output"\nweight = ["*a"]\n'
    "[recipe]\nrate = 0.5\n[grid]\nmomentum = [0.1, 0.9]\nsweeps = [10, 20]\n"
)


def is_read_or_refused(text):
    try:
        found = read(text)
    except ValueError as fault:
        return str(fault).startswith("rates.toml")
    return isinstance(found, StudyFile)


def test_the_file_to_be_changed_is_valid():
    assert isinstance(read(VALID), StudyFile)


PIECES = ['""', "true", "nan", "-1", "1e400", "[]", "{}", "=", "[[", "\n", '"every"', "#", "\x00"]
PIECES += ["[link]\n", "steps = 3\n", "1979-05-27", "0x" + "f" * 300, "é", "2", '"hidden"', "'''"]


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 8), st.sampled_from(PIECES)),
        max_size=3,
    )
)
def test_a_valid_file_changed_at_random(changes):
    text = VALID
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    assert is_read_or_refused(text)


def written(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {written(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


NAMES = ["name", "title", "seeds", "experiment", "variant", "network", "link", "patterns"]
NAMES += ["pattern", "held_out", "recipe", "grid", "groups", "source", "target", "weight", "inputs"]
NAMES += ["targets", "shown", "asked", "steps", "bias", "rate", "sweeps", "update", "xor"]
LEAVES = st.one_of(
    st.booleans(), st.integers(-2, 3), st.floats(-1, 2), st.sampled_from([*NAMES, "2-2-1", "own"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), st.booleans())
def test_any_nested_values(values, begun):
    if begun:
        values = {**values, "experiment": "xor", "variant": "2-2-1"}
    text = "\n".join(f"{key} = {written(value)}" for key, value in values.items())
    assert is_read_or_refused(text)
