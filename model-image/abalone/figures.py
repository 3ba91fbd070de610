"""The champion's public figures: what the website shows of a model and of the animals from which it learnt.

Of a single record it shows a length and an age, and nothing else; whoever registers the model adds its name.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from abalone.feature_contract import Contract
from abalone.origins import ORIGINS

# Of the document's shape: who reads it leaves one of another version alone.
VERSION = 1


def _measured(metric: Mapping[str, float], confidence: float) -> dict[str, float]:
    """A metric with its interval. Errors in rings are errors in years: a ring is a year."""
    return {**{name: round(metric[name], 3) for name in ("value", "low", "high")}, "confidence": confidence}


def _covered(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": group["rows"], "coverage": round(group["coverage"], 6)}


def _limits(contract: Contract, evaluation: Mapping[str, Any], origins: Mapping[str, int]) -> list[str]:
    """The card's limits for fishermen: in years, of animals and ranges, as the rest of the website speaks."""
    oldest, interval = evaluation["groups"][contract.label.name][-1], evaluation["interval"]
    years = re.sub(r"\d+", lambda rings: f"{int(rings[0]) + contract.years_beyond_rings:g}", oldest["name"])
    sentences = [
        f"The range is meant to hold the true age of {100 * interval['confidence']:g} of 100 animals. Of the animals "
        f"that the model was tested on it held that of {100 * interval['coverage']:.1f} of 100. It is "
        f"{interval['mean_width']:.1f} years wide on average. It is made for all animals together, not for those of "
        "each age.",
        f"Animals of {years.replace('rings', 'years')} ({oldest['rows']} were tested) come out "
        f"{abs(oldest['mean_error']):.1f} years too {'young' if oldest['mean_error'] < 0 else 'old'} on average, and "
        f"the range holds the true age of {100 * oldest['coverage']:.0f} of 100: an old animal has the measures of a "
        "younger one, and the model gives the age that most animals of these measures have.",
        "Measures far from all that the model learnt from are taken for the nearest that it knows. An impossible "
        "height is replaced by what length and diameter predict.",
    ]
    sentences.extend(
        f"Where the {name.replace('_', ' ')} is not measured, the model takes what the length predicts."
        for name in sorted(contract.optional_names)
    )
    if "simulated" in origins:
        share = origins["simulated"] / sum(origins.values())
        sentences.append(
            f"{100 * share:.0f} of 100 animals that it learnt from are simulated: for these the figures show how well "
            "it knows the simulator, not the sea."
        )
    # Between a number and its unit no line ends.
    return [re.sub(r"(\d) (?=years\b)", "\\1\u00a0", sentence) for sentence in sentences]


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
            "origins": [
                {
                    "rows": rows,
                    "simulated": name == "simulated",
                    "source": ORIGINS[name].description,
                    "licence": ORIGINS[name].licence,
                }
                for name, rows in summary["origins"].items()
            ],
        },
        "quality": {
            "rmse": _measured(metrics["rmse"], confidence),
            "meanAbsoluteError": _measured(metrics["mae"], confidence),
            "coverage": {
                "confidence": interval["confidence"],
                "overall": round(interval["coverage"], 6),
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
        "limits": _limits(contract, evaluation, summary["origins"]),
        "survey": {"lengths": {"unit": "mm"}, **summary["survey"]},
    }
