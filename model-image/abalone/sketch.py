"""A sketch of a distribution: quantiles of any number of values in a few kilobytes.

It is the KLL sketch (Karnin, Lang and Liberty, "Optimal Quantile Approximation in Streams", 2016) in the format of
SageMaker Model Monitor's `statistics.json`: levels of values, where a value of level n represents 2^n values.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Model Monitor's own parameters (SageMaker Developer Guide, "Schema for Statistics"): with this size, a rank's error is
# less than a thousandth of the values.
SIZE = 2048
SHRINKING = 0.64


class QuantileSketch:
    """Takes values in batches. The same batches in the same order make the same sketch."""

    def __init__(self, levels: Sequence[Sequence[float]] = ((),)) -> None:
        """Starts empty, or with the levels of an earlier sketch."""
        self._levels = [np.asarray(level, dtype=np.float64) for level in levels] or [np.empty(0)]
        # Which of two neighbours moves up: first and second in turn, so that errors cancel. (The paper's is random.)
        self._upper = [False] * len(self._levels)

    @property
    def count(self) -> int:
        """How many values the sketch represents."""
        return sum(level.size << height for height, level in enumerate(self._levels))

    @property
    def levels(self) -> list[list[float]]:
        """The levels from which `QuantileSketch(levels)` makes the same sketch."""
        return [level.tolist() for level in self._levels]

    def add(self, values: NDArray[np.float64]) -> None:
        """Adds finite numbers."""
        self._levels[0] = np.concatenate([self._levels[0], values])
        height = 0
        while height < len(self._levels):
            if self._levels[height].size > self._capacity(height):
                self._promote(height)
            height += 1

    def _capacity(self, height: int) -> int:
        return max(2, math.ceil(SIZE * SHRINKING ** (len(self._levels) - 1 - height)))

    def _promote(self, height: int) -> None:
        """Halves a level: one of each two neighbours moves up and represents both."""
        if height + 1 == len(self._levels):
            self._levels.append(np.empty(0))
            self._upper.append(False)
        values = np.sort(self._levels[height])
        single = values.size % 2
        chosen = values[single + self._upper[height] :: 2]
        self._upper[height] = not self._upper[height]
        self._levels[height] = values[:single]
        self._levels[height + 1] = np.concatenate([self._levels[height + 1], chosen])

    def shares_up_to(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of values that are at most each of the points: the empirical distribution function."""
        ranks = np.zeros(points.size)
        for height, level in enumerate(self._levels):
            ranks += np.searchsorted(np.sort(level), points, side="right") * float(1 << height)
        return ranks / self.count

    def distance(self, other: "QuantileSketch") -> float:
        """The largest distance of the distribution functions: the two-sample Kolmogorov-Smirnov statistic, 0 to 1."""
        points = np.unique(np.concatenate([*self._levels, *other._levels]))
        return float(np.max(np.abs(self.shares_up_to(points) - other.shares_up_to(points))))
