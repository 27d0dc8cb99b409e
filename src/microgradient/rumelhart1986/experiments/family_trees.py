"""Two isomorphic families, learned as (person, relation) -> people.

Nature 323, Figs. 2-4; in full in Hinton 1986, "Learning distributed representations of concepts".
The two trees give 112 facts in 104 cases: eight pairs of a person and a relation have two answers
(Colin has two aunts). The target of a case is all of its answers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from microgradient.rumelhart1986.experiment import (
    HINTON,
    NATURE,
    OURS,
    Claim,
    Experiment,
    NamedPattern,
    Probe,
    Recipe,
    Variant,
)
from microgradient.rumelhart1986.network import Architecture, Link

# In the order of the units in Nature's Fig. 4: six men, then six women, of each nationality.
ENGLISH_MEN = ("Christopher", "Andrew", "Arthur", "James", "Charles", "Colin")
ENGLISH_WOMEN = ("Penelope", "Christine", "Victoria", "Jennifer", "Margaret", "Charlotte")
ITALIAN_MEN = ("Roberto", "Pierro", "Emilio", "Marco", "Tomaso", "Alfonso")
ITALIAN_WOMEN = ("Maria", "Francesca", "Lucia", "Angela", "Gina", "Sophia")
PEOPLE = ENGLISH_MEN + ENGLISH_WOMEN + ITALIAN_MEN + ITALIAN_WOMEN
MEN = frozenset(ENGLISH_MEN + ITALIAN_MEN)

RELATIONS = (  # in the order of Hinton 1986, Fig. 7
    *("husband", "wife", "son", "daughter", "father", "mother"),
    *("brother", "sister", "nephew", "niece", "uncle", "aunt"),
)


@dataclass(frozen=True)
class Family:
    """A married couple and their children, by name."""

    father: str
    mother: str
    children: tuple[str, ...] = ()


ENGLISH = (
    Family("Christopher", "Penelope", ("Arthur", "Victoria")),
    Family("Andrew", "Christine", ("James", "Jennifer")),
    Family("Arthur", "Margaret"),
    Family("James", "Victoria", ("Colin", "Charlotte")),
    Family("Charles", "Jennifer"),
)
_ITALIAN_OF = dict(zip(ENGLISH_MEN + ENGLISH_WOMEN, ITALIAN_MEN + ITALIAN_WOMEN))
ITALIAN = tuple(
    Family(_ITALIAN_OF[f.father], _ITALIAN_OF[f.mother], tuple(_ITALIAN_OF[c] for c in f.children))
    for f in ENGLISH
)
FAMILIES = ENGLISH + ITALIAN


def _facts() -> list[tuple[str, str, str]]:
    """Return every (person, relation, person), relatives by marriage included."""
    spouse = {f.father: f.mother for f in FAMILIES} | {f.mother: f.father for f in FAMILIES}
    home = {child: f for f in FAMILIES for child in f.children}
    own = {parent: f.children for f in FAMILIES for parent in (f.father, f.mother)}
    siblings = {p: [c for c in home[p].children if c != p] if p in home else [] for p in PEOPLE}

    def with_spouses(people: list[str]) -> list[str]:
        return [relative for p in people for relative in (p, spouse.get(p)) if relative]

    facts = []
    for person in PEOPLE:
        parents = [home[person].father, home[person].mother] if person in home else []
        partner = [spouse[person]] if person in spouse else []
        in_law = siblings[person] + [s for p in partner for s in siblings[p]]
        relatives = (
            (("husband", "wife"), partner),
            (("son", "daughter"), own.get(person, ())),
            (("father", "mother"), parents),
            (("brother", "sister"), siblings[person]),
            (("nephew", "niece"), [c for s in in_law for c in own.get(s, ())]),
            (("uncle", "aunt"), with_spouses([s for p in parents for s in siblings[p]])),
        )
        for (male, female), people in relatives:
            facts += [(person, male if p in MEN else female, p) for p in people]
    return facts


def _cases() -> dict[tuple[str, str], list[str]]:
    cases: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, relation, answer in FACTS:
        cases[person, relation].append(answer)
    return dict(cases)


FACTS = tuple(_facts())
CASES = _cases()
if (len(set(FACTS)), len(FACTS), len(CASES)) != (112, 112, 104):
    raise AssertionError(f"the trees give {len(FACTS)} facts in {len(CASES)} cases, not 112 in 104")


def _units(names: tuple[str, ...], on: list[str]) -> tuple[float, ...]:
    return tuple(float(name in on) for name in names)


PATTERNS = tuple(
    NamedPattern(
        f"{person}'s {relation}",
        _units(PEOPLE, [person]) + _units(RELATIONS, [relation]),
        _units(PEOPLE, answers),
    )
    for (person, relation), answers in CASES.items()
)
ARCHITECTURE = Architecture(
    {
        "person": 24,
        "relation": 12,
        "person code": 6,
        "relation code": 6,
        "central": 12,
        "answer code": 6,
        "output": 24,
    },
    (
        Link("person", "person code"),
        Link("relation", "relation code"),
        Link("person code", "central"),
        Link("relation code", "central"),
        Link("central", "answer code"),
        Link("answer code", "output"),
    ),
)
_CITED = {
    "update": f"{NATURE}, eq. 9: t counts sweeps",
    "rate": f"{NATURE}, Fig. 4: 0.01",
    "momentum": f"{NATURE}, Fig. 4",
    "decay": f'{NATURE}, Fig. 4: "by 0.2 % after each weight change"',
    "warmup_sweeps": f"{NATURE}, Fig. 4",
    "warmup_rate": f"{NATURE}, Fig. 4: 0.005",
    "warmup_momentum": f"{NATURE}, Fig. 4",
    "loss": f'{HINTON}: "the squared difference from 0.8 or 0.2"',
    "off": f"{NATURE}, Fig. 4",
    "on": f"{NATURE}, Fig. 4",
    "initial_range": f'{NATURE}: "small random weights", no range; ±0.3 is that of Fig. 1',
    "initial_bias_range": OURS,
    "tolerance": f"{HINTON}, for its test: right units above 0.5, all others below",
    "sweeps": f"{HINTON}: 1,500 sweeps",
    "stop_when_met": f"{HINTON}: 1,500 sweeps in any case",
}
_ORIGINAL = (
    Claim("sweeps", "1,500, a fixed number", f"{HINTON}; {NATURE}, Fig. 4"),
    Claim("training cases right", "100 of 100, above 0.8 and below 0.2", HINTON),
    Claim("test cases right", "4 of 4 and 3 of 4, in two runs", HINTON),
)
_SURVEY_PAGE = (
    Claim("architecture", "24+12-12-6-12-24", "contradicted: the last hidden layer has 6 units"),
    Claim("triples", "104", "104 cases, which hold 112 facts"),
    Claim("accuracy", "100 %", "of the training cases; the test had 4 of 4 and 3 of 4"),
)
LITERAL = Recipe(
    update="sweep",
    rate=0.01,
    momentum=0.9,
    decay=0.002,
    initial_range=0.3,
    initial_bias_range=0.3,
    loss="margin",
    off=0.2,
    on=0.8,
    tolerance=0.3,
    warmup_sweeps=20,
    warmup_rate=0.005,
    warmup_momentum=0.5,
    sweeps=1500,
    stop_when_met=False,
    sources=_CITED,
)
_FASTER = f"{OURS}: the literal recipe learns nothing in 1,500 sweeps"
WITH_DECAY = replace(
    LITERAL,
    rate=0.05,
    warmup_rate=0.025,
    initial_range=1.0,
    initial_bias_range=1.0,
    sources={**_CITED, "rate": _FASTER, "warmup_rate": _FASTER, "initial_range": _FASTER},
)
LEARNS = replace(
    WITH_DECAY,
    decay=0.0002,
    sources={
        **WITH_DECAY.sources,
        "decay": f"{OURS}: with the 0.2 % of {NATURE}, Fig. 4, a few cases stay wrong",
    },
)


def _probe(names: tuple[str, ...], group: str, before: int, behind: int) -> Probe:
    """Switch on one unit of an input group at a time: the group's code depends on nothing else."""
    return Probe(
        group,
        tuple(
            NamedPattern(name, (0.0,) * before + _units(names, [name]) + (0.0,) * behind, ())
            for name in names
        ),
    )


FAMILY_TREES = Experiment(
    name="family-trees",
    title="Family trees",
    patterns=PATTERNS,
    held_out=4,
    unit_names={"person": PEOPLE, "relation": RELATIONS, "output": PEOPLE},
    variants={
        name: Variant(ARCHITECTURE, recipe, _ORIGINAL, note, _SURVEY_PAGE, better, one_in=2)
        for name, recipe, note, better in (
            ("learns", LEARNS, "five times the rate, wider initial weights, less decay", None),
            (
                "decay",
                WITH_DECAY,
                "five times the rate, wider initial weights; a few cases stay wrong",
                "learns",
            ),
            (
                "literal",
                LITERAL,
                "as stated in the caption of Nature's Fig. 4; it learns nothing",
                "learns",
            ),
        )
    },
    probes=(
        _probe(PEOPLE, "person code", 0, len(RELATIONS)),
        _probe(RELATIONS, "relation code", len(PEOPLE), 0),
    ),
)
