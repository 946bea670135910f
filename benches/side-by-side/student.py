"""Student's t, for intervals over a few rounds. Standard library only."""

import math


def student_quantile(probability, degrees):
    """The quantile of Student's t, by bisection on its distribution function (numerically integrated density)."""
    constant = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)

    def below(x, steps=2_000):
        width = x / steps
        density = [constant * (1 + (i * width) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(steps + 1)]
        return 0.5 + width / 3 * (density[0] + density[-1] + 4 * sum(density[1:-1:2]) + 2 * sum(density[2:-1:2]))

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return high
