"""A bias planted in the data: the gradient follows it as it follows the rule.

python examples/planted_bias.py [seeds]

Three bits of skill decide, except that one decision in four follows a group bit. When does a
network learn the rule, and when the bias? Which weights carry the bias, and what keeps it out?
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from math import hypot
from statistics import fmean, median
from typing import Any

import microgradient as mg
from microgradient import Value, nn

Case = tuple[float, ...]  # three bits of skill, the group, perhaps a proxy of it: each -1 or 1
Mark = Callable[[Case], bool]
Effects = tuple[float, float]  # how far the outputs follow the rule, and the group
SKILLS, GROUP, PROXY = (0, 1, 2), 3, 4
CASES: list[Case] = list(product((-1.0, 1.0), repeat=4))
SHARE, HIDDEN, RATE, SWEEPS = 0.25, 4, 0.1, 800


def two_of_three(case: Case) -> bool:
    return sum(case[:3]) > 0


def odd(case: Case) -> bool:
    return case[0] * case[1] * case[2] > 0


def in_group(case: Case) -> bool:
    return case[GROUP] > 0


def decided(case: Case, rule: Mark, share: float = SHARE) -> float:
    """Return the fraction of positive decisions on a case, if ``share`` of all follow the group.

    The gradient of the squared error over n decisions is n times that for their mean.
    """
    return (1 - share) * rule(case) + share * in_group(case)


def contrast(outputs: Iterable[float], mark: Mark, cases: Iterable[Case] = CASES) -> float:
    """Return the mean output of the cases with the mark, minus that of the others.

    For ``in_group`` over all ``CASES``, this is the mean change when only the group bit changes.
    """
    marked = [(mark(case), y) for case, y in zip(cases, outputs)]
    return fmean(y for on, y in marked if on) - fmean(y for on, y in marked if not on)


def network(seed: int, inputs: int = 4) -> nn.MLP:
    """Return a network of logistic units with the initial range of Nature 323, Fig. 1."""
    small, sizes, units = nn.uniform(0.3), [HIDDEN, 1], ["sigmoid", "sigmoid"]
    return nn.MLP(inputs, sizes, units, initializer=small, bias_initializer=small, rng=seed)


def error(weights: dict[str, Any], targets: list[Any]) -> tuple[Any, list[Any]]:
    outputs = [nn.functional_call(STRUCTURE, weights, (case,)) for case in CASES]
    return nn.half_squared_error(outputs, targets), outputs


STRUCTURE = network(0)
sweep = mg.compile(mg.value_and_grad(error, has_aux=True))  # gives (error, outputs), gradient


def learn(
    seed: int, rule: Mark, share: float, sweeps: int = SWEEPS
) -> tuple[nn.MLP, list[Effects]]:
    """Return a trained network, and its effects before each sweep."""
    model = network(seed)
    weights, optimizer = model.named_parameters(), nn.Momentum(model.parameters(), RATE)
    targets, course = [decided(case, rule, share) for case in CASES], []
    for _ in range(sweeps):
        (_, outputs), gradient = sweep({n: w.data for n, w in weights.items()}, targets)
        course.append((contrast(outputs, rule), contrast(outputs, in_group)))
        for name, weight in weights.items():
            weight.grad = gradient[name]
        optimizer.step()
    return model, course


def acquired(course: list[Effects], part: float) -> tuple[int, int]:
    """Return after how many sweeps the outputs show ``part`` of the rule, and of the bias."""

    def first(followed: Iterable[float], planted: float) -> int:
        return next((i for i, now in enumerate(followed) if now >= part * planted), len(course))

    return first((r for r, _ in course), 1 - SHARE), first((b for _, b in course), SHARE)


def names(bits: Iterable[int], units: Sequence[int] = range(HIDDEN)) -> list[str]:
    """Return the names of the weights from these inputs to these hidden units."""
    return [f"layers.0.neurons.{j}.weights.{i}" for i in bits for j in units]


def pulls(model: nn.MLP) -> list[float]:
    """Return |dE/dw| from decisions that follow the rule, then from those that follow the group.

    Each is for the weights from a skill (the mean of the three), then for those from the group.
    """
    found = []
    for part, share in ((1 - SHARE, 0.0), (SHARE, 1.0)):
        targets = [decided(case, two_of_three, share) for case in CASES]
        _, gradient = sweep(model.state_dict(), targets)
        lengths = [part * hypot(*(gradient[n] for n in names([i]))) for i in (*SKILLS, GROUP)]
        found += [fmean(lengths[:GROUP]), lengths[GROUP]]
    return found


def explained(model: nn.MLP, case: Case) -> Any:
    """Return the derivative of the output by the group bit: one path for each hidden unit."""
    inputs = [Value(x) for x in case]
    hidden = model.layers[0].outputs(inputs)
    y = model.layers[1](hidden)
    units = {f"h{j}": h for j, h in enumerate(hidden)}
    return mg.explain(y, inputs[GROUP], {"group": inputs[GROUP], **units, "y": y})


def carrier(model: nn.MLP) -> int:
    """Return the hidden unit with the largest path from the group bit, on average over cases."""
    paths = zip(*(explained(model, case).products for case in CASES))
    sizes = [abs(fmean(path)) for path in paths]
    return sizes.index(max(sizes))


def lesion(model: nn.MLP, cut: Iterable[str]) -> Effects:
    """Return the effects of rule and group with the weights ``cut`` set to 0."""
    (_, outputs), _ = sweep(model.state_dict() | dict.fromkeys(cut, 0.0), [0.0] * len(CASES))
    return contrast(outputs, two_of_three), contrast(outputs, in_group)


def remedy(seen: Sequence[int], changed: Sequence[int], seeds: int) -> list[Effects]:
    """Return how far networks that see these inputs follow the rule, and their gap between groups.

    If bits are ``changed``, the data hold each decision a second time, on the case so changed.
    """
    people = [(*c, c[GROUP] if k else -c[GROUP]) for c in CASES for k in range(8)]  # with a proxy
    data = [(case, decided(case, two_of_three)) for case in people]
    if changed:
        data += [(tuple(-x if i in changed else x for i, x in enumerate(c)), d) for c, d in data]
    replicas = nn.train_replicas(
        [network(seed, len(seen)) for seed in range(seeds)],
        [([case[i] for i in seen], [d]) for case, d in data],
        loss=nn.half_squared_error,
        optimizer=lambda weights: nn.Momentum(weights, RATE * len(CASES) / len(data)),
        sweeps=SWEEPS,
    )
    answers = [[r.model([case[i] for i in seen]).data for case in people] for r in replicas]
    return [(contrast(a, two_of_three, people), contrast(a, in_group, people)) for a in answers]


REMEDIES = {
    "skills, group, proxy": (range(5), []),
    "skills, proxy": ([0, 1, 2, PROXY], []),
    "skills": (SKILLS, []),
    "all, pairs that differ in the group": (range(5), [GROUP]),
    "all, pairs that differ in group and proxy": (range(5), [GROUP, PROXY]),
}


def show_when(rule: Mark, courses: list[list[Effects]]) -> None:
    print(f"\n{rule.__name__}: sweeps until the outputs show the rule, and the bias; bias / rule")
    for label, part in (("half of it", 0.5), ("nine tenths", 0.9)):
        pairs = [acquired(course, part) for course in courses]
        ratio = median(bias / of_rule for of_rule, bias in pairs)
        print(f"{label:12}", *(f"{median(n):6g}" for n in zip(*pairs)), f"{ratio:8.2f}")


def show_gradients(seeds: int) -> None:
    print("\nSeed 0: |dE/dw| from decisions that follow the rule, and from those by the group")
    print("sweep   rule    bias    skill   group     skill   group")
    for sweeps in (0, 5, 10, 20, 30, 50, SWEEPS):
        model, _ = learn(0, two_of_three, SHARE, sweeps)
        texts = [f"{x:8.3f}" for x in (*lesion(model, []), *pulls(model))]
        print(f"{sweeps:4}", *texts[:4], "  ", *texts[4:], sep="")
    first = [pulls(network(seed)) for seed in range(seeds)]
    targets = [decided(case, two_of_three) for case in CASES]
    data = contrast(targets, in_group) / contrast(targets, lambda case: case[0] > 0)
    print(f"Before learning, {median(p[3] / p[0] for p in first):.3f} = group / skill", end="; ")
    print(f"effects on the decisions: {data:.3f}")


def show_weights(models: list[nn.MLP]) -> None:
    print("\nSeed 0, a case with one skill of three and in the group:")
    print(explained(models[0], (1.0, -1.0, -1.0, 1.0)))
    print("\nunit    weights from skills, from group, to output; bias without that from group")
    out = models[0].layers[1].neurons[0].weights
    for j, unit in enumerate(models[0].layers[0].neurons):
        numbers = [weight.data for weight in (*unit.weights, out[j])]
        bias = lesion(models[0], names([GROUP], [j]))[1]
        print(f"h{j}", *(f"{x:7.2f}" for x in numbers), f"{bias:9.3f}")
    rule, bias = lesion(models[0], names([GROUP]))
    print(f"Without all four from the group: rule {rule:.3f}, bias {bias:.3f}")
    left = [lesion(m, names([GROUP], [carrier(m)]))[1] / lesion(m, [])[1] for m in models]
    print(f"Bias left without that of the largest path: {median(left):.0%}", end="")
    print(f" (from {min(left):.0%} to {max(left):.0%})")


def main(seeds: int) -> None:
    print(f"Medians of {seeds} seeds, except where it says seed 0")
    planted = [learn(seed, two_of_three, SHARE) for seed in range(seeds)]
    show_when(two_of_three, [course for _, course in planted])
    show_when(odd, [learn(seed, odd, SHARE)[1] for seed in range(seeds)])
    clean = [learn(seed, two_of_three, 0.0)[1] for seed in range(seeds)]
    most, last = (max(abs(bias) for c in clean for _, bias in c[i:]) for i in (0, -1))
    print(f"\nOn clean data, the effect of the group is at most {most:.3f}, at last {last:.3f}")
    show_gradients(seeds)
    show_weights([model for model, _ in planted])
    print("\nWhat keeps it out? (A proxy agrees with the group in 7 cases of 8.)")
    for what, (seen, changed) in REMEDIES.items():
        rule, gap = map(median, zip(*remedy(seen, changed, seeds)))
        print(f"{what:42}  rule {rule:.3f}, gap between groups {abs(gap):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
