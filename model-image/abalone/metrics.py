"""How good predictions are, with how sure we are of it."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
# Enough for two digits of a standard deviation; more only costs time.
RESAMPLES = 500


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


METRICS: dict[str, Callable[[Vector, Vector], float]] = {"mae": mae, "mse": mse, "rmse": rmse, "r2": r2}


def bootstrap(models: Sequence[Vector], labels: Vector, seed: int) -> list[dict[str, Vector]]:
    """Every metric of every model on resampled rows, one value a resample.

    All models are scored on the same resamples, so their values can be compared one by one (a paired bootstrap).
    """
    generator = np.random.default_rng(seed)
    values = [{name: np.empty(RESAMPLES) for name in METRICS} for _ in models]
    for resample in range(RESAMPLES):
        rows = generator.integers(len(labels), size=len(labels))
        for predictions, columns in zip(models, values, strict=True):
            for name, metric in METRICS.items():
                columns[name][resample] = metric(predictions[rows], labels[rows])
    return values
