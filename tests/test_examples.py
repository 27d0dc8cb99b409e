"""Every program in examples runs, prints, and finds what another method finds."""

import math
import random
import runpy
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

import microgradient as mg

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name))


def test_every_example_is_tested():
    text = Path(__file__).read_text(encoding="utf-8")
    assert [p.stem for p in EXAMPLES.glob("*.py") if f'example("{p.stem}")' not in text] == []


def test_a_transformer_of_scalars_learns(capsys):
    _, losses = example("scalar_gpt").train(steps=60)
    first, last = sum(losses[:10]) / 10, sum(losses[-10:]) / 10
    assert last < first - 0.4
    assert "loss" in capsys.readouterr().out


def test_two_moons_are_told_apart(capsys):
    moons = example("moons")
    moons.main(300)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith("100%")
    assert {len(line) for line in printed[2:]} == {40}
    assert set("".join(printed[2:])) == set("xXoO")


def test_greeks_are_those_of_the_textbook(capsys):
    options = example("black_scholes")
    normal = NormalDist()
    for strike in options.STRIKES:
        spot, years, rate, volatility = 100.0, 0.75, 0.03, 0.22
        spread = volatility * math.sqrt(years)
        d1 = (math.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        d2, density = d1 - spread, normal.pdf(d1)
        bond = strike * math.exp(-rate * years)
        vega = spot * density * math.sqrt(years)
        assert options.greeks(spot, strike, years, rate, volatility) == pytest.approx(
            {
                "price": spot * normal.cdf(d1) - bond * normal.cdf(d2),
                "delta": normal.cdf(d1),
                "vega": vega,
                "theta": -vega * volatility / years / 2 - rate * bond * normal.cdf(d2),
                "rho": years * bond * normal.cdf(d2),
                "gamma": density / (spot * spread),
                "vanna": -density * d2 / volatility,
                "volga": vega * d1 * d2 / volatility,
            },
            rel=1e-12,
        )
        assert options.put(spot, strike, years, rate, volatility) == pytest.approx(
            bond * normal.cdf(-d2) - spot * normal.cdf(-d1), rel=1e-12
        )
    price = options.call(100.0, 100.0, 0.75, 0.03, 0.35)
    assert options.implied_volatility(price, 100.0) == pytest.approx(0.35, rel=1e-12)
    options.main()
    printed = capsys.readouterr().out.splitlines()
    eager = options.greeks(100.0, 90.0, 0.75, 0.03, 0.22).values()
    assert list(map(float, printed[2].split())) == pytest.approx([90.0, *eager], abs=5.1e-5)


def test_a_pendulum_is_fitted_through_time(capsys):
    pendulum = example("pendulum")
    seen = pendulum.angles(0.8, 1.2, 0.15)
    length, friction, error = pendulum.fit(0.8, seen, 1.1, 0.0)[-1]
    assert (length, friction, error) == pytest.approx((1.2, 0.15, 0.0), abs=1e-9)
    pendulum.main()
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[0].split()[-3]) < 1e-6  # the energy's drift
    h = 1e-5
    ends = [pendulum.path(1.0, 1.2 + by, 0.0)[-1][0] for by in (h, -h)]
    assert float(printed[1].split()[-2]) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


def test_a_kalman_filter_gives_the_likelihood_of_the_differences(capsys):
    kalman = example("kalman")
    seen = kalman.observations(random.Random(1))
    walk, noise = math.exp(2 * -0.9), math.exp(2 * 0.1)
    covariance = np.diag([walk + 2 * noise] * (len(seen) - 1))
    covariance -= noise * (np.eye(len(seen) - 1, k=1) + np.eye(len(seen) - 1, k=-1))
    steps = np.diff(seen)
    direct = np.linalg.slogdet(2 * math.pi * covariance)[1]
    direct += steps @ np.linalg.solve(covariance, steps)
    assert kalman.cost([-0.9, 0.1], seen) == pytest.approx(direct / 2, rel=1e-12)
    parameters, errors, costs = kalman.fit(seen)
    assert mg.grad(kalman.cost)(parameters, seen) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert np.diff(costs).max() < 1e-9
    truth = [math.log(kalman.WALK), math.log(kalman.NOISE)]
    assert all(abs(p - t) < 2 * e for p, t, e in zip(parameters, truth, errors))
    kalman.main()
    assert "95 %" in capsys.readouterr().out


def test_bundle_adjustment_finds_cameras_and_points(capsys):
    bundle = example("bundle_adjustment")
    cameras, points = bundle.scene(random.Random(2))
    seen = [bundle.seen_at(camera, point) for camera in cameras for point in points]
    rng = random.Random(3)
    guessed = [cameras[0]] + [[c + rng.gauss(0.0, 0.03) for c in camera] for camera in cameras[1:]]
    guessed[1][3] = cameras[1][3]  # the scale
    rough = [[p + rng.gauss(0.0, 0.1) for p in point] for point in points]
    found = bundle.adjust(guessed, rough, seen, steps=7)
    assert found[0] == pytest.approx(np.array(cameras), abs=1e-6)
    assert found[1] == pytest.approx(np.array(points), abs=1e-6)
    bundle.main()
    assert "step 5" in capsys.readouterr().out


def test_a_planted_bias_is_found(capsys):  # test_planted_bias.py says when, and by which weights
    example("planted_bias").main(3)
    assert "dy/dgroup" in capsys.readouterr().out
