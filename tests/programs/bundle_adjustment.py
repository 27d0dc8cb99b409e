"""Bundle adjustment by Gauss and Newton: cameras in space and points; blocks by grad(f, (0, 1))."""

import autograd.numpy as np
import numpy
from autograd import grad

rng = numpy.random.default_rng(5)


def project(camera, point):
    """A pinhole, turned about the vertical by an angle, at (x, y, z); its focal length is 1."""
    angle, x, y, z = camera
    px, py, pz = point[0] - x, point[1] - y, point[2] - z
    c, s = np.cos(angle), np.sin(angle)
    depth = s * px + c * pz
    return (c * px - s * pz) / depth, py / depth


def u(camera, point, seen):
    return project(camera, point)[0] - seen[0]


def v(camera, point, seen):
    return project(camera, point)[1] - seen[1]


true_cameras = [[0.1, -1.0, 0.2, -4.0], [-0.15, 1.0, 0.0, -4.5], [0.02, 0.1, -0.4, -5.0]]
true_points = rng.uniform(-1.0, 1.0, (5, 3)).tolist()
seen = {
    (i, j): project(camera, point)
    for i, camera in enumerate(true_cameras)
    for j, point in enumerate(true_points)
}
cameras = [true_cameras[0]] + [
    [x + d for x, d in zip(camera, rng.normal(0, 0.05, 4).tolist())] for camera in true_cameras[1:]
]
points = [[x + d for x, d in zip(point, rng.normal(0, 0.1, 3).tolist())] for point in true_points]

n_cameras, n_points = len(cameras), len(points)
size = 4 * n_cameras + 3 * n_points
blocks = [(f, grad(f, (0, 1))) for f in (u, v)]
for iteration in range(5):
    rows, residuals = [], []
    for (i, j), place in seen.items():
        for f, jacobian in blocks:
            by_camera, by_point = jacobian(cameras[i], points[j], place)
            row = numpy.zeros(size)
            if i > 0:  # the first camera is the frame of reference
                row[4 * i : 4 * i + 4] = by_camera
            row[4 * n_cameras + 3 * j : 4 * n_cameras + 3 * j + 3] = by_point
            rows.append(row)
            residuals.append(float(f(cameras[i], points[j], place)))
    rows.append(numpy.zeros(size))  # the scale: the second camera keeps its distance along x
    rows[-1][5] = 1.0
    residuals.append(cameras[1][1] - true_cameras[1][1])
    J, res = numpy.array(rows), numpy.array(residuals)
    step = numpy.linalg.lstsq(J, -res, rcond=1e-10)[0].tolist()
    cameras = [[c + d for c, d in zip(cam, step[4 * i :])] for i, cam in enumerate(cameras)]
    points = [
        [p + d for p, d in zip(pt, step[4 * n_cameras + 3 * j :])] for j, pt in enumerate(points)
    ]
    rank = numpy.linalg.matrix_rank(J)
    print(f"iteration {iteration}: |residual| {float(numpy.sqrt(res @ res)):.8f}, rank {rank}")
print([f"{x:.6f}" for cam in cameras for x in cam])
print(max(abs(a - b) for p, q in zip(points, true_points) for a, b in zip(p, q)) < 1e-6)
