"""Black and Scholes: a call and a put, their Greeks to second order, the implied volatility."""

import autograd.numpy as np
from autograd import grad
from autograd.scipy.special import erf


def N(x):
    return 0.5 * (1.0 + erf(x / np.sqrt(2.0)))


def d1(S, K, T, r, sigma):
    return (np.log(S / K) + (r + sigma**2 / 2.0) * T) / (sigma * np.sqrt(T))


def call(S, K, T, r, sigma):
    d = d1(S, K, T, r, sigma)
    return S * N(d) - K * np.exp(-r * T) * N(d - sigma * np.sqrt(T))


def put(S, K, T, r, sigma):
    return call(S, K, T, r, sigma) - S + K * np.exp(-r * T)


args = (100.0, 105.0, 0.75, 0.03, 0.22)
for price in (call, put):
    print(price.__name__, price(*args))
    greeks = {
        "delta": grad(price, 0),
        "vega": grad(price, 4),
        "theta": lambda *a, price=price: -grad(price, 2)(*a),
        "rho": grad(price, 3),
        "gamma": grad(grad(price, 0), 0),
        "vanna": grad(grad(price, 0), 4),
        "volga": grad(grad(price, 4), 4),
        "charm": lambda *a, price=price: -grad(grad(price, 0), 2)(*a),
        "speed": grad(grad(grad(price, 0), 0), 0),
    }
    for name, greek in greeks.items():
        print(f"  {name:6s} {greek(*args):+.12f}")

# put and call: vanna from both sides
print(grad(grad(call, 4), 0)(*args) - grad(grad(put, 0), 4)(*args) < 1e-12)

sigma = 0.5
for step in range(6):
    error = call(100.0, 105.0, 0.75, 0.03, sigma) - 6.0
    sigma = sigma - error / grad(call, 4)(100.0, 105.0, 0.75, 0.03, sigma)
    print(f"implied volatility, step {step}: {sigma:.12f}")
