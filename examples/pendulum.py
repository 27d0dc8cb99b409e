"""A pendulum: its motion by Runge and Kutta; its length and friction, by gradients through time.

python examples/pendulum.py

The simulation is plain Python. Its derivatives by length and friction pass through every step of
it, and Gauss and Newton's method finds both from a few noisy angles. The energy shows that the
integration can be trusted: without friction it stays constant.
"""

from __future__ import annotations

import random
from typing import Any

import microgradient as mg

GRAVITY, STEP, STEPS, EVERY = 9.81, 0.02, 200, 10
State = tuple[Any, Any]  # the angle from the vertical, and its velocity


def velocity(state: State, length: Any, friction: Any) -> State:
    """Return the time derivative of the state: the equation of motion."""
    angle, speed = state
    return speed, -GRAVITY / length * mg.sin(angle) - friction * speed


def moved(state: State, slope: State, time: float) -> State:
    return state[0] + time * slope[0], state[1] + time * slope[1]


def runge_kutta(state: State, length: Any, friction: Any) -> State:
    """Return the state one ``STEP`` later, to fourth order (Kutta 1901)."""
    a = velocity(state, length, friction)
    b = velocity(moved(state, a, STEP / 2), length, friction)
    c = velocity(moved(state, b, STEP / 2), length, friction)
    d = velocity(moved(state, c, STEP), length, friction)
    mean = [(p + 2 * q + 2 * r + s) / 6 for p, q, r, s in zip(a, b, c, d)]
    return moved(state, (mean[0], mean[1]), STEP)


def path(start: Any, length: Any, friction: Any) -> list[State]:
    """Return all states from rest at the angle ``start``."""
    states: list[State] = [(start, 0.0)]
    for _ in range(STEPS):
        states.append(runge_kutta(states[-1], length, friction))
    return states


def energy(state: State, length: Any) -> Any:
    """Return kinetic and potential energy for a mass of 1."""
    angle, speed = state
    return 0.5 * (length * speed) ** 2 + GRAVITY * length * (1 - mg.cos(angle))


def angles(start: Any, length: Any, friction: Any) -> list[Any]:
    """Return what a camera sees: every tenth angle."""
    return [angle for angle, _ in path(start, length, friction)[::EVERY]]


def fit(start: float, seen: list[float], length: float, friction: float) -> list[tuple[float, ...]]:
    """Return length, friction and the sum of squared errors after each step of Gauss and Newton."""

    def residuals(parameters: list[Any]) -> list[Any]:
        return [a - b for a, b in zip(angles(start, *parameters), seen)]

    history: list[tuple[float, ...]] = []
    for _ in range(5):
        errors, rows = residuals([length, friction]), mg.jacobian(residuals)([length, friction])
        a = sum(row[0] * row[0] for row in rows)  # the normal equations, of two unknowns
        b = sum(row[0] * row[1] for row in rows)
        c = sum(row[1] * row[1] for row in rows)
        u = sum(row[0] * error for row, error in zip(rows, errors))
        v = sum(row[1] * error for row, error in zip(rows, errors))
        length -= (c * u - b * v) / (a * c - b * b)
        friction -= (a * v - b * u) / (a * c - b * b)
        history.append((length, friction, sum(error * error for error in errors)))
    return history


def main() -> None:
    free = path(1.0, 1.2, 0.0)
    first = energy(free[0], 1.2)
    drift = max(abs(energy(state, 1.2) / first - 1) for state in free)
    print(f"energy {first:.6f} at the start; without friction it drifts by {drift:.1e} of that")
    slope = mg.grad(lambda length: path(1.0, length, 0.0)[-1][0])(1.2)
    print(f"a metre more of length moves the last angle by {slope:.6f} radians")

    rng = random.Random(0)
    seen = [angle + rng.gauss(0.0, 0.01) for angle in angles(0.8, 1.2, 0.15)]
    for step, (length, friction, error) in enumerate(fit(0.8, seen, 1.1, 0.0)):
        print(f"step {step}  error {error:.6f}  ->  length {length:.5f}, friction {friction:.5f}")


if __name__ == "__main__":
    main()
