"""The champion's public figures: what the website shows of a model and of the animals from which it learnt.

Nothing in it tells of a single record but a length and an age; whoever registers the model adds its name.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from abalone.card import limits
from abalone.contract import Contract
from abalone.origins import ORIGINS

# Of the document's shape: who reads it leaves one of another version alone.
VERSION = 1


def _measured(metric: Mapping[str, float], confidence: float) -> dict[str, float]:
    """A metric with its interval. Errors in rings are errors in years: a ring is a year."""
    return {**{name: round(metric[name], 3) for name in ("value", "low", "high")}, "confidence": confidence}


def _covered(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": group["rows"], "coverage": round(group["coverage"], 4)}


def public_figures(
    contract: Contract,
    evaluation: Mapping[str, Any],
    summary: Mapping[str, Any],
    trained_at: datetime,
    confidence: float,
) -> dict[str, Any]:
    """The document.

    `confidence` is that of the intervals of the metrics; the model's own stands in the evaluation.
    """
    interval, groups, metrics = evaluation["interval"], evaluation["groups"], evaluation["regression_metrics"]
    origins = [ORIGINS[name] for name in summary["origins"]]

    def years(rings: float) -> float:
        return round(rings + contract.years_beyond_rings, 1)

    return {
        "version": VERSION,
        "model": {
            "name": evaluation["model"],
            "run": evaluation["model"],
            "trainedAt": trained_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "data": {
            "rows": sum(summary["rows"].values()),
            "trainingRows": evaluation["training"]["rows"],
            "heldOutRows": evaluation["rows"],
            "licence": "; ".join(origin.licence for origin in origins),
            "source": "; ".join(origin.description for origin in origins),
        },
        "quality": {
            "rmse": _measured(metrics["rmse"], confidence),
            "meanAbsoluteError": _measured(metrics["mae"], confidence),
            "coverage": {
                "confidence": interval["confidence"],
                "overall": round(interval["coverage"], 4),
                "bySex": {group["name"]: _covered(group) for group in groups[contract.category]},
                "byThird": [
                    {
                        "from": years(group["lowest_estimate"]),
                        "to": years(group["highest_estimate"]),
                        **_covered(group),
                    }
                    for group in groups["predicted"]
                ],
            },
        },
        "limits": limits(evaluation, summary["origins"]),
        "survey": {"lengths": {"unit": "mm"}, **summary["survey"]},
    }
