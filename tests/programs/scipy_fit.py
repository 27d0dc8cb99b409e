"""Maximum likelihood by scipy: a decay with background, Poisson counts, errors from the Hessian."""

import autograd.numpy as np
import numpy
from autograd import grad, value_and_grad
from scipy.optimize import minimize

rng = numpy.random.default_rng(3)
times = numpy.linspace(0.0, 5.0, 25)
counts = rng.poisson(40.0 * numpy.exp(-times / 1.3) + 4.0)


def negative_log_likelihood(x):
    total = 0.0
    for t, n in zip(times, counts):
        rate = np.exp(x[0] - t / np.exp(x[1])) + np.exp(x[2])
        total = total + rate - float(n) * np.log(rate)
    return total


x0 = numpy.array([3.0, 0.5, 1.0])
for method in ("BFGS", "L-BFGS-B", "SLSQP"):
    best = minimize(value_and_grad(negative_log_likelihood), x0, jac=True, method=method)
    print(method, best.success, [f"{v:.4f}" for v in best.x], f"{best.fun:.6f}")
best = minimize(negative_log_likelihood, x0, jac=grad(negative_log_likelihood), method="CG")
print("CG", best.success, [f"{v:.4f}" for v in best.x])

value, slope = value_and_grad(negative_log_likelihood)(x0)
print(float(value), type(slope).__name__, slope.shape, slope.dtype, *slope)

hessian = numpy.array(
    [grad(lambda x, i=i: grad(negative_log_likelihood)(x)[i])(best.x) for i in range(3)]
)
print("standard errors", [f"{v:.4f}" for v in numpy.sqrt(numpy.diag(numpy.linalg.inv(hessian)))])
