"""Bundle adjustment: where cameras stood and where points are, from what the cameras saw.

python examples/bundle_adjustment.py      (needs NumPy, for the linear least squares)

Each camera has a turn (a vector: axis times angle) and a place, each point three coordinates. One
function says where a camera sees a point. Its Jacobian, compiled once for all pairs of camera and
point, fills the sparse matrix of Gauss and Newton's method.

B. Triggs et al., Bundle Adjustment: a Modern Synthesis, Vision Algorithms (1999).
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

import microgradient as mg

Numbers = list[float]


def cross(a: Any, b: Any) -> list[Any]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def turned(turn: Any, v: Any) -> list[Any]:
    """Return ``v`` turned about ``turn`` by its length in radians (Rodrigues)."""
    angle = mg.sqrt(mg.dot(turn, turn) + 1e-18)
    sine, rest = mg.sin(angle) / angle, (1 - mg.cos(angle)) / angle**2
    once = cross(turn, v)
    return [p + sine * q + rest * r for p, q, r in zip(v, once, cross(turn, once))]


def seen_at(camera: Any, point: Any) -> list[Any]:
    """Return where on its screen, at distance 1, the camera sees the point."""
    x, y, depth = turned(camera[:3], [p - c for p, c in zip(point, camera[3:])])
    return [x / depth, y / depth]


def scene(rng: random.Random) -> tuple[list[Numbers], list[Numbers]]:
    """Return four cameras on an arc, which look at a cloud of a dozen points."""
    cameras = []
    for angle in (-0.9, -0.3, 0.3, 0.9):
        turn, place = (0.0, angle, 0.0), (5 * math.sin(angle), 0.0, -5 * math.cos(angle))
        cameras.append([number + rng.gauss(0.0, 0.1) for number in turn + place])
    return cameras, [[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(12)]


def adjust(
    cameras: list[Numbers], points: list[Numbers], seen: list[Numbers], steps: int = 6
) -> tuple[list[Numbers], list[Numbers], Numbers]:
    """Return cameras, points, and the root mean square error before each step.

    ``seen`` has a row for each pair, camera by camera. The first camera stays where it is, and the
    second keeps its x: to turn, shift or scale everything would change no picture.
    """
    jacobian = mg.compile(mg.jacobian(seen_at, (0, 1)), batch=("camera", "point"))
    places = mg.compile(seen_at, batch=("camera", "point"))
    pairs = [(i, j) for i in range(len(cameras)) for j in range(len(points))]
    free = [k for k in range(6 * len(cameras) + 3 * len(points)) if k > 5 and k != 9]
    errors = []
    for _ in range(steps):
        batch = [cameras[i] for i, _ in pairs], [points[j] for _, j in pairs]
        residuals = (np.array(places(*batch)) - np.array(seen)).ravel()
        errors.append(float(np.sqrt(np.mean(residuals**2))))
        matrix = np.zeros((2 * len(pairs), 6 * len(cameras) + 3 * len(points)))
        for row, ((i, j), blocks) in enumerate(zip(pairs, jacobian(*batch))):
            for axis, (by_camera, by_point) in enumerate(blocks):
                matrix[2 * row + axis, 6 * i : 6 * i + 6] = by_camera
                start = 6 * len(cameras) + 3 * j
                matrix[2 * row + axis, start : start + 3] = by_point
        unknowns = np.concatenate([np.ravel(cameras), np.ravel(points)])
        unknowns[free] -= np.linalg.lstsq(matrix[:, free], residuals, rcond=None)[0]
        cameras = unknowns[: 6 * len(cameras)].reshape(-1, 6).tolist()
        points = unknowns[6 * len(cameras) :].reshape(-1, 3).tolist()
    return cameras, points, errors


def main() -> None:
    rng = random.Random(2)
    cameras, points = scene(rng)
    seen = [
        [place + rng.gauss(0.0, 0.001) for place in seen_at(camera, point)]
        for camera in cameras
        for point in points
    ]
    guessed = [cameras[0]] + [[c + rng.gauss(0.0, 0.05) for c in camera] for camera in cameras[1:]]
    guessed[1][3] = cameras[1][3]
    rough = [[p + rng.gauss(0.0, 0.2) for p in point] for point in points]
    _, found, errors = adjust(guessed, rough, seen)
    for step, error in enumerate(errors):
        print(f"step {step}  error on the screens {error:.6f}")
    before, after = (
        float(np.sqrt(np.mean(np.subtract(guess, points) ** 2))) for guess in (rough, found)
    )
    print(f"each coordinate of a point was off by {before:.3f}, and is off by {after:.3f}")


if __name__ == "__main__":
    main()
