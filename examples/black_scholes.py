"""Options: prices by Black and Scholes, their Greeks as derivatives, volatilities from prices.

python examples/black_scholes.py

One formula is written down, the price of a call. All else follows from it: the put by parity,
first derivatives (delta, vega, theta, rho), second ones (gamma, vanna, volga). Compiled, the same
function serves a whole chain of strikes.

F. Black and M. Scholes, The Pricing of Options and Corporate Liabilities, J. Political Economy 81
(1973), equation 13.
"""

from __future__ import annotations

from typing import Any

import microgradient as mg

SPOT, RATE, YEARS = 100.0, 0.03, 0.75
STRIKES = [80.0, 90.0, 100.0, 110.0, 120.0]


def normal_cdf(x: Any) -> Any:
    return 0.5 * mg.erfc(-x / mg.sqrt(2.0))


def call(spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> Any:
    """Return the price of the right to buy at ``strike`` after ``years``."""
    spread = volatility * mg.sqrt(years)
    d = (mg.log(spot / strike) + rate * years) / spread + spread / 2
    return spot * normal_cdf(d) - strike * mg.exp(-rate * years) * normal_cdf(d - spread)


def put(spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> Any:
    """Return the price of the right to sell: put and call differ by a forward."""
    forward = spot - strike * mg.exp(-rate * years)
    return call(spot, strike, years, rate, volatility) - forward


def greeks(spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> dict[str, Any]:
    """Return the price of a call and its derivatives by their names on the market."""

    def at(spot: Any, years: Any, rate: Any, volatility: Any) -> Any:
        return call(spot, strike, years, rate, volatility)

    point = (spot, years, rate, volatility)
    price, (delta, decay, rho, vega) = mg.value_and_grad(at, (0, 1, 2, 3))(*point)
    by_spot, by_volatility = mg.grad(at, 0), mg.grad(at, 3)
    gamma, vanna = mg.grad(by_spot, (0, 3))(*point)
    volga = mg.grad(by_volatility, 3)(*point)
    return {
        "price": price,
        "delta": delta,
        "vega": vega,
        "theta": -decay,
        "rho": rho,
        "gamma": gamma,
        "vanna": vanna,
        "volga": volga,
    }


def implied_volatility(price: float, strike: float, steps: int = 8) -> float:
    """Return the volatility at which a call costs ``price``: Newton's method, by vega."""
    price_and_vega = mg.value_and_grad(call, 4)
    volatility = 0.3
    for _ in range(steps):
        reached, vega = price_and_vega(SPOT, strike, YEARS, RATE, volatility)
        volatility -= (reached - price) / vega
    return volatility


def main() -> None:
    chain = mg.compile(greeks, batch="strike")
    rows = chain(SPOT, STRIKES, YEARS, RATE, 0.22)
    print("strike", *(f"{name:>9}" for name in rows[0]))
    for strike, row in zip(STRIKES, rows):
        print(f"{strike:6.0f}", *(f"{number:9.4f}" for number in row.values()))
    print(f"a put at 110 costs {put(SPOT, 110.0, YEARS, RATE, 0.22):.4f}")
    for quote in (5.0, 7.5, 10.0):
        print(f"a call at 100 for {quote:.2f}: {implied_volatility(quote, 100.0):.2%} a year")


if __name__ == "__main__":
    main()
