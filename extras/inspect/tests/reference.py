"""What decorr-inspect should report, by NumPy from the formulas' plain definitions.

    python3 extras/inspect/tests/reference.py

writes the files in extras/inspect/tests/data: small matrices, and the lines that a report of them holds.
"""

import pathlib

import numpy as np

DATA = pathlib.Path(__file__).parent / "data"


def standardized(z, epsilon=0.0):
    centred = np.where((z == z[0]).all(0), 0, z - z.mean(0))
    deviation = np.sqrt((centred**2).mean(0) + epsilon)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)


def correlation(a, b, epsilon=0.0):
    return standardized(a, epsilon).T @ standardized(b, epsilon) / len(a)


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def effective_rank(z):
    values = np.linalg.svd(z, compute_uv=False)
    values = values[values > 1e-12 * values.max()] / values.sum()
    return np.exp(-(values * np.log(values)).sum())


def barlow_twins(a, b):
    c = correlation(a, b, 1e-5)
    return {
        "diagonal": ((1 - np.diag(c)) ** 2).sum(),
        "off_diagonal": 0.0051 * (off_diagonal(c) ** 2).sum(),
    }


def hinge(z):
    return np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean()


def covariance_term(z):
    return (off_diagonal(np.atleast_2d(np.cov(z.T))) ** 2).sum() / z.shape[1]


def vicreg(a, b, variance_factor=0.5):
    return {
        "invariance": 25 * ((a - b) ** 2).mean(),
        "variance": 25 * variance_factor * (hinge(a) + hinge(b)),
        "covariance": covariance_term(a) + covariance_term(b),
    }


def variance_covariance(z):
    return {"variance": 25 * hinge(z), "covariance": covariance_term(z)}


def terms_line(terms):
    parts = " + ".join(f"{name} {value:.6g}" for name, value in terms.items())
    return f"{sum(terms.values()):.6g} = {parts}"


def range_line(values, what):
    low, high = values.argmin(), values.argmax()
    return (
        f"mean {values.mean():.6g}, least {values[low]:.6g} ({what} {low}), "
        f"largest {values[high]:.6g} ({what} {high})"
    )


def largest_line(c, varies, one_view):
    weights = np.abs(c) * np.outer(*varies) * (1 - np.eye(len(c)))
    if one_view:
        weights = np.triu(weights)
    pairs = np.outer(*varies) & ~np.eye(len(c), dtype=bool)
    if not pairs.any():
        return "no pair of features that vary"
    i, j = np.unravel_index(weights.argmax(), c.shape)
    return (
        f"mean absolute {np.abs(c[pairs]).mean():.6g}, largest {c[i, j]:.6g} "
        f"(features {i} and {j})"
    )


def view_lines(stored):
    z = stored.astype(np.float64)
    n, d = z.shape
    order = "Fortran" if stored.flags.f_contiguous and not stored.flags.c_contiguous else "C"
    deviations = np.where((z == z[0]).all(0), 0, z.std(0, ddof=1))
    threshold = 0.01 * np.sqrt((z**2).mean())
    collapsed = np.flatnonzero(deviations <= threshold)
    shown = ", ".join(map(str, collapsed[:10])) + (", ..." if len(collapsed) > 10 else "")
    varies = deviations > 0
    lines = [
        f"shape {n} x {d} (samples x features), {stored.dtype.name} ({stored.dtype.str}), "
        f"{order} order",
        "values all finite",
        f"duplicate rows {n - len(np.unique(z, axis=0))}",
        "norm of a row " + range_line(np.linalg.norm(z, axis=1), "row"),
        "standard deviation " + range_line(deviations, "feature"),
        f"collapsed features {len(collapsed)} of {d} have a standard deviation of at most {threshold:.6g}"
        + (f": {shown}" if len(collapsed) else ""),
        f"effective rank {effective_rank(np.where(varies, z - z.mean(0), 0)):.6g} centred, "
        f"{effective_rank(z):.6g} as it is (RankMe), of at most {min(n, d)}",
    ]
    lines.append("correlation " + largest_line(correlation(z, z), (varies, varies), True))
    if not varies.all():
        lines.append(f"without the features that do not vary: {(~varies).sum()}")
    return lines


def report_lines(a, b=None):
    """Lines that a report holds, with runs of spaces as one, for the parts without randomness."""
    lines = view_lines(a)
    x = a.astype(np.float64)
    if b is None:
        lines.append(f"exact {(off_diagonal(correlation(x, x)) ** 2).sum():.6g}")
        lines.append("vicreg_exact " + terms_line(variance_covariance(x)))
        return lines
    lines += view_lines(b)
    y = b.astype(np.float64)
    c = correlation(x, y)
    varies = (x != x[0]).any(0), (y != y[0]).any(0)
    both = np.where(varies[0] & varies[1], np.diag(c), np.inf)
    lines += [
        f"diagonal mean {both[np.isfinite(both)].mean():.6g}, least {both.min():.6g} "
        f"(feature {both.argmin()})",
        "off the diagonal " + largest_line(c, varies, False),
        f"exact {(off_diagonal(c) ** 2).sum():.6g}",
        "barlow_twins_exact " + terms_line(barlow_twins(x, y)),
        "vicreg_exact " + terms_line(vicreg(x, y)),
        "vicreg_exact_solo_learn " + terms_line(vicreg(x, y, 1)),
    ]
    return lines


def save(path, array, version=(1, 0)):
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version)


def two_views():
    """Correlated features, one of them constant, one nearly, and a row that is there twice."""
    random = np.random.default_rng(20230601)
    content = random.standard_normal((40, 5)) @ random.standard_normal((5, 12)) + 0.3
    a, b = (content + 0.5 * random.standard_normal((40, 12)) for _ in range(2))
    a[:, 7] = 0.1
    a[:, 9] *= 1e-3
    a[31] = a[4]
    return a.astype("<f4"), np.asfortranarray(b.astype(">f8"))


def main():
    DATA.mkdir(exist_ok=True)
    a, b = two_views()
    save(DATA / "a.npy", a)
    save(DATA / "b.npy", b, (2, 0))
    save(DATA / "half.npy", b[:, :5].astype("<f2"), (3, 0))
    save(DATA / "integers.npy", np.arange(12).reshape(4, 3).astype("<i8"))
    save(DATA / "one_row.npy", a[:1])
    not_finite = a[:5, :3].copy()
    not_finite[2, 1], not_finite[3, 0], not_finite[4, 2] = np.nan, np.inf, np.nan
    save(DATA / "not_finite.npy", not_finite)
    (DATA / "expected_a_b.txt").write_text("\n".join(report_lines(a, b)) + "\n")
    half = b[:, :5].astype("<f2")
    (DATA / "expected_half.txt").write_text("\n".join(report_lines(half)) + "\n")


if __name__ == "__main__":
    main()
