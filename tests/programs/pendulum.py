"""A pendulum by Runge and Kutta: energy, sensitivity of the last angle, a fit through time."""

import autograd.numpy as np
from autograd import grad, value_and_grad


def rhs(state, params):
    theta, omega = state
    return (omega, -params["g"] / params["length"] * np.sin(theta) - params["damping"] * omega)


def rk4_step(state, params, h):
    def moved(slope, by):
        return tuple(s + by * d for s, d in zip(state, slope))

    k1 = rhs(state, params)
    k2 = rhs(moved(k1, h / 2), params)
    k3 = rhs(moved(k2, h / 2), params)
    k4 = rhs(moved(k3, h), params)
    return tuple(
        s + h / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4)
    )


def simulate(theta0, params, h=0.05, steps=30):
    path = [(theta0, 0.0)]
    for _ in range(steps):
        path.append(rk4_step(path[-1], params, h))
    return path


def energy(state, params):
    theta, omega = state
    swing = params["length"] * omega
    return 0.5 * swing**2 + params["g"] * params["length"] * (1.0 - np.cos(theta))


truth = {"g": 9.81, "length": 1.2, "damping": 0.0}
path = simulate(1.0, truth)
drift = [abs(energy(s, truth) - energy(path[0], truth)) for s in path]
print(f"energy {energy(path[0], truth):.9f}, conserved: {max(drift) < 1e-4}")


def last_angle(theta0, params):
    return simulate(theta0, params)[-1][0]


print("d angle / d angle at the start:", grad(last_angle)(1.0, truth))
by_params = grad(last_angle, 1)(1.0, truth)
for name in sorted(by_params):
    print(f"d angle / d {name}: {by_params[name]:.12f}")

observed = [theta for theta, _ in simulate(0.8, {**truth, "damping": 0.15})][::5]


def misfit(params):
    predicted = [theta for theta, _ in simulate(0.8, {**params, "g": 9.81})][::5]
    return sum((p - o) ** 2 for p, o in zip(predicted, observed))


params = {"length": 1.0, "damping": 0.05}
for step in range(12):
    loss, g = value_and_grad(misfit)(params)
    rates = {"length": 0.03, "damping": 0.05}
    params = {k: params[k] - rates[k] * g[k] for k in params}
    print(f"step {step:2d} loss {loss:.12f}", *(f"{k} {v:.9f}" for k, v in params.items()))
