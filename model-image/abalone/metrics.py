"""How good predictions are, with confidence intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
# Enough for twenty resamples beyond each of the 1 % and 99 % quantiles of a difference.
RESAMPLES = 2000


def rmse(predictions: Vector, labels: Vector) -> float:
    """Root of the mean squared error, in rings."""
    return float(np.sqrt(np.mean((predictions - labels) ** 2)))


def mae(predictions: Vector, labels: Vector) -> float:
    """Mean absolute error, in rings."""
    return float(np.mean(np.abs(predictions - labels)))


def mse(predictions: Vector, labels: Vector) -> float:
    """Mean squared error, in rings squared."""
    return float(np.mean((predictions - labels) ** 2))


def r2(predictions: Vector, labels: Vector) -> float:
    """Share of the labels' variance that is explained; zero when the labels do not vary."""
    variance = float(np.var(labels))
    return 1 - mse(predictions, labels) / variance if variance > 0 else 0.0


def coverage(low: Vector, high: Vector, labels: Vector) -> float:
    """Share of the labels that lie in their interval."""
    return float(np.mean((low <= labels) & (labels <= high)))


@dataclass(frozen=True)
class Metric:
    """A metric, and which of two values is the better one."""

    of: Callable[[Vector, Vector], float]
    lower_is_better: bool


METRICS = {
    "mae": Metric(mae, lower_is_better=True),
    "mse": Metric(mse, lower_is_better=True),
    "rmse": Metric(rmse, lower_is_better=True),
    "r2": Metric(r2, lower_is_better=False),
}


def _explained(squared: Vector, variance: Vector) -> Vector:
    varies = variance > 0
    return np.where(varies, 1 - squared / np.where(varies, variance, 1), 0.0)


def bootstrap(models: Sequence[Vector], labels: Vector, seed: int) -> list[dict[str, Vector]]:
    """Every metric of every model on resampled rows, one value a resample.

    All models are scored on the same resamples, so their values can be compared one by one (a paired bootstrap: Efron
    and Tibshirani 1993, "An Introduction to the Bootstrap"). Every metric follows from a few means over the rows, so a
    resample is only a count for each row.
    """
    generator = np.random.default_rng(seed)
    rows = len(labels)
    # Relative to their mean: a difference of two large numbers would lose the variance's digits.
    centred = labels - labels.mean()
    errors = [predictions - labels for predictions in models]
    terms = np.stack([centred, centred**2, *(term for error in errors for term in (np.abs(error), error**2))], axis=1)
    means = np.empty((RESAMPLES, terms.shape[1]))
    for resample in range(RESAMPLES):
        drawn = np.bincount(generator.integers(rows, size=rows), minlength=rows)
        means[resample] = drawn @ terms / rows
    # Equal labels have a variance of a few rounding errors.
    variance = means[:, 1] - means[:, 0] ** 2
    variance[variance < 1e-12 * max(float(np.mean(labels**2)), 1.0)] = 0
    values = []
    for index in range(len(models)):
        absolute, squared = means[:, 2 + 2 * index], means[:, 3 + 2 * index]
        explained = _explained(squared, variance)
        values.append({"mae": absolute, "mse": squared, "rmse": np.sqrt(squared), "r2": explained})
    return values


def share_interval(share: float, rows: int, deviations: float = 1.644854) -> tuple[float, float]:
    """The ends between which the true share lies in nine of ten cases, seen `share` in so many rows (Wilson 1927).

    `deviations` are those of the normal distribution: 1.644854 leave out five percent on each side.
    """
    squared = deviations**2
    centre = (share + squared / (2 * rows)) / (1 + squared / rows)
    half = deviations * math.sqrt(share * (1 - share) / rows + squared / (4 * rows**2)) / (1 + squared / rows)
    return max(centre - half, 0.0), min(centre + half, 1.0)
