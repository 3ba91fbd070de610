"""Groups of rows for which a model may be better or worse than for all of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abalone.feature_contract import Contract
from abalone.metrics import coverage, rmse, share_interval
from abalone.predictor import Predictions
from abalone.rows import DataSet

Mask = NDArray[np.bool_]

# The highest number of rings of each band except the last, which has no end. An age in years is the rings plus 1.5.
BANDS = (6, 9, 12, 15)


def _thirds(predicted: NDArray[np.float32]) -> Iterator[tuple[str, Mask]]:
    """By rank, so that the sizes differ by one row at most."""
    rank = np.argsort(np.argsort(predicted, kind="stable"), kind="stable")
    for index, name in enumerate(("lowest third", "middle third", "highest third")):
        mask = rank * 3 // len(predicted) == index
        if mask.any():
            yield f"{name} ({predicted[mask].min():.1f} to {predicted[mask].max():.1f} rings)", mask


def _categories(contract: Contract, categories: Sequence[str]) -> Iterator[tuple[str, Mask]]:
    for category in contract.categories:
        yield category, np.array([value == category for value in categories])


def _bands(labels: NDArray[np.float64]) -> Iterator[tuple[str, Mask]]:
    for first, last in zip((0, *BANDS), (*BANDS, None), strict=True):
        if last is None:
            yield f"{first + 1} rings and more", labels > first
        else:
            yield f"{first + 1} to {last} rings", (labels > first) & (labels <= last)


def _presence(name: str, values: NDArray[np.float32]) -> Iterator[tuple[str, Mask]]:
    missing = np.isnan(values)
    yield f"with {name}", ~missing
    yield f"without {name}", missing


def scores_by_group(contract: Contract, rows: DataSet, predictions: Predictions) -> dict[str, list[dict[str, Any]]]:
    """How good estimates and intervals are by thirds of the estimate, sex, age, and with and without optional measures.

    Only the estimate is known before an animal is opened: its thirds show how far to trust it. The groups by age show
    afterwards how good the model is for old animals.
    """
    kinds = {
        "predicted": _thirds(predictions.rings),
        contract.category: _categories(contract, rows.features.category),
        contract.label.name: _bands(rows.labels),
        **{
            measure.name: _presence(measure.name, rows.features.measures[:, index])
            for index, measure in enumerate(contract.measures)
            if measure.optional
        },
    }
    return {
        kind: [_scores(name, mask, rows, predictions) for name, mask in groups if mask.any()]
        for kind, groups in kinds.items()
    }


def _scores(name: str, mask: Mask, rows: DataSet, predictions: Predictions) -> dict[str, Any]:
    estimates, labels = predictions.rings[mask].astype(np.float64), rows.labels[mask]
    low, high = predictions.low[mask], predictions.high[mask]
    share = coverage(low, high, labels)
    ends = share_interval(share, len(labels))
    return {
        "name": name,
        "rows": len(labels),
        "lowest_estimate": float(estimates.min()),
        "highest_estimate": float(estimates.max()),
        "coverage": share,
        "coverage_low": ends[0],
        "coverage_high": ends[1],
        "mean_width": float(np.mean(high - low)),
        "rmse": rmse(estimates, labels),
        # Above zero, the estimates are too high.
        "mean_error": float(np.mean(estimates - labels)),
    }
