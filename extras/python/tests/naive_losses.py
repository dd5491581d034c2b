"""The losses by their definitions: NumPy, float64, the whole matrix C, sums entry by entry."""

import numpy


def r_off(c):
    return sum(c[i, j]**2 for i in range(len(c)) for j in range(len(c)) if i != j)


def block_penalty(c, g, h, b, exponent, with_lag_zero, middle_weight):
    """Of block (g, h), b x b, in which features beyond the last one count as zeros."""
    d, total = len(c), 0.0
    for lag in range(0 if with_lag_zero else 1, b):
        places = ((g * b + j, h * b + (j + lag) % b) for j in range(b))
        lag_sum = sum(c[i, j] for i, j in places if i < d and j < d)
        weight = middle_weight if 2 * lag == b else 1
        total += weight * abs(lag_sum)**exponent
    return total


def r_sum(c, exponent=2, block_size=0, permutation=None, signs_a=None, signs_b=None,
          halves_middle=False):
    """C's row j is feature j of view a, column j that of view b. halves_middle: of a covariance
    with signs, the middle lag of even diagonal blocks counts half."""
    d = len(c)
    c = c * (numpy.ones(d) if signs_a is None else signs_a)[:, None]
    c = c * (numpy.ones(d) if signs_b is None else signs_b)[None, :]
    if permutation is not None:
        c = c[permutation][:, permutation]
    b = block_size or d
    blocks = -(-d // b)
    return sum(block_penalty(c, g, h, b, exponent, g != h,
                             0.5 if halves_middle and g == h else 1)
               for g in range(blocks) for h in range(blocks))


def barlow_twins(z_a, z_b, lambda_=0.0051, scale=1, epsilon=1e-5, standardize=True, relaxed=None):
    """The terms diagonal and off_diagonal; `relaxed` are r_sum's arguments."""
    if standardize:
        z_a, z_b = ((z - z.mean(0)) / numpy.sqrt(z.var(0) + epsilon) for z in (z_a, z_b))
    c = z_a.T @ z_b / len(z_a)
    off_diagonal = r_off(c) if relaxed is None else r_sum(c, **relaxed)
    return scale * ((1 - c.diagonal())**2).sum(), scale * lambda_ * off_diagonal


def variance_covariance(z, gamma=1, epsilon=1e-4, relaxed=None):
    """V and R(K) / d of one view, whose signs are signs_a."""
    n, d = z.shape
    variance = numpy.maximum(0, gamma - numpy.sqrt(z.var(0, ddof=1) + epsilon)).mean()
    k = numpy.cov(z, rowvar=False).reshape(d, d)
    if relaxed is None:
        return variance, r_off(k) / d
    signs = relaxed.get("signs_a")
    return variance, r_sum(k, **{**relaxed, "signs_b": signs},
                           halves_middle=signs is not None) / d


def vicreg(z_a, z_b, invariance=25, variance=25, covariance=1, gamma=1, epsilon=1e-4, scale=1,
           sum_variance=False, relaxed=None):
    """The terms invariance, variance and covariance."""
    relaxed_b = relaxed and {**relaxed, "signs_a": relaxed.get("signs_b")}
    variance_a, covariance_a = variance_covariance(z_a, gamma, epsilon, relaxed)
    variance_b, covariance_b = variance_covariance(z_b, gamma, epsilon, relaxed_b)
    return (scale * invariance * ((z_a - z_b)**2).mean(),
            scale * variance * (variance_a + variance_b) / (1 if sum_variance else 2),
            scale * covariance * (covariance_a + covariance_b))


def barlow_twins_of_views(views, combination, relaxed=None, **options):
    """The terms diagonal and off_diagonal."""
    mean = sum(views) / len(views)
    pairs = [(a, b) for v, b in enumerate(views) for a in views[:v]] if combination == "pairs" \
        else [(view, mean) for view in views]
    return tuple(sum(terms) for terms in zip(*(barlow_twins(*pair, relaxed=relaxed, **options)
                                               for pair in pairs)))


def vicreg_of_views(views, combination, invariance=25, variance=25, covariance=1, scale=1,
                    sum_variance=False, relaxed=None):
    """The terms invariance, variance and covariance."""
    terms = []
    for position, view in enumerate(views):
        signs = relaxed and relaxed.get("signs_b" if position % 2 else "signs_a")
        terms.append(variance_covariance(view, relaxed=relaxed and {**relaxed, "signs_a": signs}))
    variances, covariances = zip(*terms)
    count, mean = len(views), sum(views) / len(views)
    if combination == "pairs":
        squares = sum(((a - b)**2).mean() for v, b in enumerate(views) for a in views[:v])
        times, over = count - 1, 2
    else:
        squares = sum(((view - mean)**2).mean() for view in views)
        times, over = 1, count
    return (scale * invariance * squares,
            scale * variance * times * sum(variances) / (1 if sum_variance else over),
            scale * covariance * times * sum(covariances))


def central_differences(function, x, step=1e-5):
    """The gradient of a function of one matrix."""
    gradient = numpy.empty_like(x)
    for place in numpy.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * step
            ends.append(function(moved))
        gradient[place] = (ends[0] - ends[1]) / (2 * step)
    return gradient
