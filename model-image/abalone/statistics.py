"""Statistics of rows and the constraints that a baseline sets, in SageMaker Model Monitor's own schemas.

`statistics.json` and `constraints.json` have the fields of the SageMaker Developer Guide, "Schema for Statistics" and
"Schema for Constraints". In addition, which the guide allows in your own container, the constraints have the contract's
range of each measure, as `minimum` and `maximum` in `num_constraints`.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abalone.feature_contract import Contract
from abalone.sketch import SHRINKING, SIZE, QuantileSketch

STATISTICS_FILE, CONSTRAINTS_FILE = "statistics.json", "constraints.json"
# The distance from which distributions differ: the limit in the baselines of Model Monitor's prebuilt container.
DRIFT_LIMIT = 0.1
ROWS_AT_ONCE = 8192
BUCKETS = 10


class NumberStatistics:
    """Statistics of one measure. A missing value is NaN."""

    def __init__(self) -> None:
        """Starts without values."""
        self.present = 0
        self.missing = 0
        self.sum = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.sketch = QuantileSketch()
        self._mean = 0.0
        self._squares = 0.0

    def add(self, column: NDArray[np.float64]) -> None:
        """Adds values."""
        values = column[~np.isnan(column)]
        self.missing += column.size - values.size
        if values.size == 0:
            return
        # Two parts' sums of squares add up with the distance of their means (Chan, Golub and LeVeque, 1979).
        mean, total = float(values.mean()), self.present + values.size
        distance = mean - self._mean
        self._squares += float(((values - mean) ** 2).sum()) + distance**2 * self.present * values.size / total
        self._mean += distance * values.size / total
        self.present = total
        self.sum += float(values.sum())
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        self.sketch.add(values)

    def document(self) -> dict[str, Any]:
        """As `numerical_statistics`."""
        common = {"common": {"num_present": self.present, "num_missing": self.missing}}
        if self.present == 0:
            return common
        bounds = np.linspace(self.minimum, self.maximum, BUCKETS + 1)
        ranks = self.sketch.shares_up_to(bounds[1:]) * self.present
        counts = np.diff(ranks, prepend=0.0)
        return {
            **common,
            "mean": self._mean,
            "sum": self.sum,
            "std_dev": math.sqrt(self._squares / self.present),
            "min": self.minimum,
            "max": self.maximum,
            "distribution": {
                "kll": {
                    "buckets": [
                        {"lower_bound": lower, "upper_bound": upper, "count": round(count)}
                        for lower, upper, count in zip(
                            bounds[:-1].tolist(), bounds[1:].tolist(), counts.tolist(), strict=True
                        )
                    ],
                    "sketch": {"parameters": {"c": SHRINKING, "k": SIZE}, "data": self.sketch.levels},
                }
            },
        }


class RowStatistics:
    """Collects the statistics of any number of rows in little memory."""

    def __init__(self, contract: Contract) -> None:
        """Starts without rows."""
        self._contract = contract
        self._waiting: list[Sequence[float]] = []
        self._measures = {name: NumberStatistics() for name in contract.measure_names}
        self._categories: Counter[str | None] = Counter()

    def add(self, category: str | None, measures: Sequence[float]) -> None:
        """Adds a row: None is a missing category, NaN a missing measure; measures come in contract order."""
        self._categories[category] += 1
        self._waiting.append(measures)
        if len(self._waiting) >= ROWS_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        if self._waiting:
            table = np.array(self._waiting, dtype=np.float64)
            self._waiting = []
            for index, statistics in enumerate(self._measures.values()):
                statistics.add(table[:, index])

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return self._categories.total()

    @property
    def measures(self) -> Mapping[str, NumberStatistics]:
        """The statistics of each measure."""
        self._settle()
        return self._measures

    @property
    def categories(self) -> dict[str, int]:
        """How often each category occurred, the known ones first."""
        known = {name: self._categories[name] for name in self._contract.categories if self._categories[name] > 0}
        others = {name: self._categories[name] for name in sorted(filter(None, self._categories)) if name not in known}
        return known | others

    @property
    def missing_categories(self) -> int:
        """How many rows had no category."""
        return self._categories[None]

    def document(self) -> dict[str, Any]:
        """As `statistics.json`."""
        measures, categories = self.measures, self.categories
        features: list[dict[str, Any]] = []
        for name in self._contract.feature_names:
            if name == self._contract.category:
                text = {
                    "common": {"num_present": sum(categories.values()), "num_missing": self.missing_categories},
                    "distinct_count": len(categories),
                    "distribution": {
                        "categorical": {
                            "buckets": [{"value": value, "count": count} for value, count in categories.items()]
                        }
                    },
                }
                features.append({"name": name, "inferred_type": "String", "string_statistics": text})
            else:
                numbers = measures[name].document()
                features.append({"name": name, "inferred_type": "Fractional", "numerical_statistics": numbers})
        return {"version": 0, "dataset": {"item_count": self.rows}, "features": features}


def constraints_of(contract: Contract) -> dict[str, Any]:
    """`constraints.json`: what the contract requires of every row, and how far distributions may move."""
    ranges = {measure.name: measure for measure in contract.measures}
    features: list[dict[str, Any]] = []
    for name in contract.feature_names:
        if name == contract.category:
            kind: dict[str, Any] = {"string_constraints": {"domains": list(contract.categories)}}
        else:
            measure = ranges[name]
            kind = {
                "num_constraints": {
                    "is_non_negative": measure.minimum >= 0,
                    "minimum": measure.minimum,
                    "maximum": measure.maximum,
                }
            }
        inferred_type = "String" if name == contract.category else "Fractional"
        completeness = 0.0 if name in contract.optional_names else 1.0
        features.append({"name": name, "inferred_type": inferred_type, "completeness": completeness, **kind})
    return {
        "version": 0,
        "features": features,
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": DRIFT_LIMIT,
                "comparison_method": "Robust",
            },
        },
    }


def write_baseline(contract: Contract, statistics: RowStatistics, folder: Path) -> None:
    """Writes `statistics.json` and `constraints.json`, the baseline for the traffic of a model of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in ((STATISTICS_FILE, statistics.document()), (CONSTRAINTS_FILE, constraints_of(contract))):
        (folder / name).write_text(json.dumps(document) + "\n", encoding="utf-8")
