"""Networks of named groups of units and of links between them, as those of 1986 were.

Unlike in an MLP, links may skip a layer (XOR's direct links), share a weight (the fields of the T-C
problem), leave pairs of units out, and lead back (the shift register): then the network runs for
several steps of time with the same weights, so that back-propagation through it adds up the changes
of all steps (PDP vol. 1, ch. 8, pp. 354-356).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from microgradient.engine.value import Value, constant
from microgradient.nn.initializers import uniform, zeros
from microgradient.nn.module import Inputs, Module, Neuron, input_values
from microgradient.nn.responses import responses

Key = Hashable
"""Names a weight: where keys are equal, it is one and the same. None is no weight."""

At = tuple[str, int]
"""A group at a step of time, the first of which is 0."""


def every(i: int, j: int) -> Key:
    """Return a key of its own for each pair of units: all are linked, and nothing is shared."""
    return i, j


def shared(i: int, j: int) -> Key:
    """Return one key: the whole link has one weight."""
    return "shared"


def own(group: str, j: int) -> Key:
    """Return a key of its own for each unit's bias."""
    return group, j


def of_group(group: str, j: int) -> Key:
    """Return the key of a bias that the units of a group share."""
    return group


@dataclass(frozen=True)
class Link:
    """Weights from the units i of ``source`` to the units j of ``target``, by ``weight(i, j)``.

    The target reads what the source was ``delay`` steps ago.
    """

    source: str
    target: str
    weight: Callable[[int, int], Key | None] = every
    delay: int = 0


@dataclass(frozen=True)
class Architecture:
    """Groups of units, by name and with their sizes, and links between them.

    The groups stand in the order in which they are computed. The network runs for ``steps``. A
    pattern gives the activities of the groups in ``shown``, by default of those that no link leads
    to, at step 0; it has targets for the groups in ``asked``, by default the last one at the last
    step. Units that only links with a delay lead to are at ``start`` at step 0, and all were before
    it; those that no link leads to are 0 where they are not shown. ``bias(group, j)`` is the key of
    a unit's bias, None for none. Raises ValueError for what cannot run.
    """

    groups: Mapping[str, int]
    links: tuple[Link, ...]
    steps: int = 1
    shown: tuple[At, ...] = ()
    asked: tuple[At, ...] = ()
    start: float = 0.0
    bias: Callable[[str, int], Key | None] = own

    def __post_init__(self) -> None:
        self._check(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        for name, size in self.groups.items():
            self._check(size >= 1, f"group {name!r} needs at least one unit, got {size}")
        for number, link in enumerate(self.links):
            self._check_link(link)
            ends = link.source, link.target, link.delay
            earlier = [(one.source, one.target, one.delay) for one in self.links[:number]]
            self._check(ends not in earlier, f"{_text(link)} is there twice")
        self._check(bool(self.targets), "an architecture needs a link")
        for name in self.targets:
            for j in range(self.groups[name]):
                self._check(bool(self.keys(name, j)), f"unit {j + 1} of {name!r} reads nothing")
        sources = [name for name in self.groups if name not in self.targets]
        last = [*self.groups][-1]
        defaults = {
            "groups": dict(self.groups),
            "shown": self.shown or tuple((name, 0) for name in sources),
            "asked": self.asked or ((last, self.steps - 1),),
        }
        for attribute, value in defaults.items():
            object.__setattr__(self, attribute, value)
        self._check(bool(self.shown), "no group is shown the inputs: give shown")
        for name, step in (*self.shown, *self.asked):
            self._check(name in self.groups, f"there is no group {name!r}")
            at = f"{name!r} at step {step}"
            self._check(0 <= step < self.steps, f"{at} is not within the {self.steps} steps")
        for name, step in self.asked:
            self._check((name, step) not in self.shown, f"{name!r} is shown and asked for")
            self._check(name in self.targets, f"no link leads to {name!r}, which is asked for")

    def _check_link(self, link: Link) -> None:
        text = _text(link)
        for name in (link.source, link.target):
            self._check(name in self.groups, f"{text}: there is no group {name!r}")
        self._check(link.delay >= 0, f"{text}: the delay must be at least 0, got {link.delay}")
        order = [*self.groups]
        if link.delay:
            self._check(self.steps > 1, f"{text} has a delay, but there is one step")
            return
        source, target = order.index(link.source), order.index(link.target)
        earlier = source < target or (source == target and all(i < j for i, j in self.pairs(link)))
        self._check(earlier, f"{text} must come from an earlier unit, or have a delay")

    def _check(self, fine: bool, message: str) -> None:
        if not fine:
            raise ValueError(message)

    @property
    def targets(self) -> list[str]:
        """The groups that links lead to, in the order of the groups."""
        found = {link.target for link in self.links}
        return [name for name in self.groups if name in found]

    @property
    def inputs(self) -> int:
        """How many numbers a pattern shows."""
        return sum(self.groups[name] for name, _ in self.shown)

    @property
    def outputs(self) -> int:
        """How many numbers a pattern asks for."""
        return sum(self.groups[name] for name, _ in self.asked)

    def waits(self, target: str) -> bool:
        """Return whether all links to a group have a delay."""
        return all(link.delay for link in self.links if link.target == target)

    def pairs(self, link: Link) -> list[tuple[int, int]]:
        """Return the units that a link joins."""
        sizes = range(self.groups[link.source]), range(self.groups[link.target])
        return [(i, j) for j in sizes[1] for i in sizes[0] if link.weight(i, j) is not None]

    def keys(self, target: str, j: int) -> dict[Read, Key]:
        """Return what unit ``j`` of a group reads, and the keys of the weights: each link's own."""
        return {
            Read(link.source, i, link.delay): (number, key)
            for number, link in enumerate(self.links)
            if link.target == target
            for i in range(self.groups[link.source])
            if (key := link.weight(i, j)) is not None
        }

    def reads(self, target: str) -> list[Read]:
        """Return all units that some unit of ``target`` reads, link by link."""
        return [
            Read(link.source, i, link.delay)
            for link in self.links
            if link.target == target
            for i in sorted({i for i, _ in self.pairs(link)})
        ]

    def __str__(self) -> str:
        rank: dict[str, int] = {}
        order = [*self.groups]
        for name in order:
            before = [link.source for link in self.links if link.target == name]
            known = [rank[source] for source in before if source in rank and source != name]
            rank[name] = 1 + max(known, default=-1)
        sides = [
            " + ".join(f"{self.groups[name]} {name}" for name in order if rank[name] == r)
            for r in range(max(rank.values()) + 1)
        ]
        steps = f", {self.steps} steps" if self.steps > 1 else ""
        return " -> ".join(sides) + steps


def _text(link: Link) -> str:
    return f"the link from {link.source!r} to {link.target!r}"


class Read(NamedTuple):
    """What a unit reads: a unit of a group, some steps ago."""

    group: str
    unit: int
    delay: int


def layered(*groups: tuple[str, int]) -> Architecture:
    """Return groups, each of which reads all units of the one before it."""
    names = [name for name, _ in groups]
    links = tuple(Link(a, b) for a, b in pairwise(names))
    return Architecture(dict(groups), links)


class UnitGroup(Module):
    """The units of a group: a neuron each, and what each of them reads, place by place."""

    def __init__(self, neurons: list[Neuron], reads: list[list[Read]]) -> None:
        self.neurons = neurons
        self.reads = reads

    def weight(self, j: int, read: Read) -> Value | None:
        """Return the weight by which unit ``j`` reads another one, None if it does not."""
        places = self.reads[j]
        return self.neurons[j].weights[places.index(read)] if read in places else None


class Network(Module):
    """A network of logistic units, called with the inputs that a pattern shows.

    Weights start uniform within ±initial_range, biases within ±initial_bias_range. A call returns
    the outputs that a pattern asks for. Each unit is y_j = 1 / (1 + exp(-x_j)), where x_j is the
    sum of all y_i w_ji and a bias (Nature 323, eqs. 1, 2).
    """

    def __init__(
        self,
        architecture: Architecture,
        initial_range: float,
        initial_bias_range: float,
        rng: random.Random,
    ) -> None:
        self.architecture = architecture
        self.layers: dict[str, UnitGroup] = {}
        draw, draw_bias = uniform(initial_range), uniform(initial_bias_range)
        known: dict[Key, Value] = {}

        def weight(key: Key, initial: Callable[..., float]) -> Value:
            if key not in known:
                known[key] = Value(initial(rng, 1, 1))
            return known[key]

        for name in architecture.targets:
            self.layers[name] = group = UnitGroup([], [])
            for j in range(architecture.groups[name]):
                keys = architecture.keys(name, j)
                neuron = Neuron(len(keys), "sigmoid", initializer=zeros, rng=rng)
                neuron.weights = [weight(key, draw) for key in keys.values()]
                bias = architecture.bias(name, j)
                neuron.bias = constant(0.0) if bias is None else weight(("bias", bias), draw_bias)
                group.neurons.append(neuron)
                group.reads.append([*keys])

    def __call__(self, inputs: Inputs) -> list[Value]:
        states = self._run(inputs)
        return [v for name, step in self.architecture.asked for v in states[step][name]]

    def __repr__(self) -> str:
        return f"Network({self.architecture})"

    def activities(self, inputs: Inputs) -> dict[str, list[float]]:
        """Return the activities of the units at the last step, by group."""
        state = self._run(inputs)[-1]
        return {name: [v.data for v in values] for name, values in state.items()}

    def _run(self, inputs: Inputs) -> list[dict[str, list[Value]]]:
        """Return the activities at each step by group."""
        net = self.architecture
        rest = input_values(inputs, net.inputs, "this network")
        shown: dict[At, list[Value]] = {}
        for name, step in net.shown:
            shown[name, step], rest = rest[: net.groups[name]], rest[net.groups[name] :]
        states: list[dict[str, list[Value]]] = []
        for step in range(net.steps):
            states.append({})
            for name, size in net.groups.items():
                if (name, step) in shown:
                    values = shown[name, step]
                elif name not in self.layers:
                    values = [constant(0.0)] * size
                elif step == 0 and net.waits(name):
                    values = [constant(net.start)] * size
                else:
                    values = self._computed(name, states)
                states[-1][name] = values
        return states

    def _computed(self, name: str, states: Sequence[dict[str, list[Value]]]) -> list[Value]:
        """Return the activities of a group at the last of ``states``, which is being computed."""
        units, values = self.layers[name], list[Value]()
        states[-1][name] = values  # which grows: a unit may read those before it
        start = constant(self.architecture.start)

        def read(one: Read) -> Value:
            step = len(states) - 1 - one.delay
            return states[step][one.group][one.unit] if step >= 0 else start

        first = units.reads[0]
        if all(reads == first for reads in units.reads):
            values += responses(units.neurons, [read(one) for one in first])
        else:
            for neuron, reads in zip(units.neurons, units.reads):
                values += responses([neuron], [read(one) for one in reads])
        return values
