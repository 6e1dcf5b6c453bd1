"""How sure is a share that was counted on some rows?"""

import math

# Of a normal distribution: two-sided 95 %.
Z = 1.96


def wilson(successes: int, rows: int) -> tuple[float, float]:
    """Both ends of the 95 % interval of a share, in [0, 1].

    Args:
        successes: at most `rows`.
        rows: at least 1.

    Source: Wilson (1927), Journal of the American Statistical Association 22.
    """
    share, square = successes / rows, Z * Z
    scale = 1 + square / rows
    centre = (share + square / (2 * rows)) / scale
    half = Z * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
