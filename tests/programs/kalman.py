"""A Kalman filter: the likelihood of a noisy walk with drift, maximised over its three noises."""

import random

import autograd.numpy as np
from autograd import grad, value_and_grad

random.seed(11)
level, slope, observations = 0.0, 0.3, []
for _ in range(30):
    slope += random.gauss(0.0, 0.05)
    level += slope + random.gauss(0.0, 0.3)
    observations.append(level + random.gauss(0.0, 0.8))


def filtered(theta, ys):
    """Yield innovation and its variance; state (level, slope), covariance [[a, b], [b, c]]."""
    q_level, q_slope, r = (np.exp(t) for t in theta)
    x, v = ys[0], 0.0
    a, b, c = 1.0, 0.0, 1.0
    for y in ys[1:]:
        # predict: F = [[1, 1], [0, 1]]
        x = x + v
        a, b, c = a + 2.0 * b + c + q_level, b + c, c + q_slope
        # update: H = [1, 0]
        s = a + r
        gain_x, gain_v = a / s, b / s
        innovation = y - x
        yield innovation, s
        x = x + gain_x * innovation
        v = v + gain_v * innovation
        a, b, c = (1.0 - gain_x) * a, (1.0 - gain_x) * b, c - gain_v * b


def nll(theta, ys):
    return 0.5 * sum(np.log(2.0 * np.pi * s) + e**2 / s for e, s in filtered(theta, ys))


theta = [np.log(0.5), np.log(0.5), np.log(0.5)]
fit = value_and_grad(nll)
for step in range(10):
    value, g = fit(theta, observations)
    theta = [t - 0.05 * gi for t, gi in zip(theta, g)]
    print(f"step {step} nll {value:.10f} noises", *(f"{np.exp(t):.8f}" for t in theta))

# which observation matters most for the likelihood?
by_data = grad(nll, 1)(theta, observations)
largest = max(range(30), key=lambda i: abs(by_data[i]))
print(f"sum over the data: {sum(by_data):.9f}, largest at {largest}")
curvature = grad(lambda t: grad(nll)([t, theta[1], theta[2]], observations)[0])(theta[0])
print(f"curvature {curvature:.9f}")
