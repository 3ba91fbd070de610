"""The champion's public figures: what the website shows about a model and the animals that it learnt from.

Of a single record they have a length and an age, and nothing else. The step that registers the model adds its name.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from abalone.feature_contract import Contract
from abalone.origins import ORIGINS

# Version of the document's format: readers ignore other versions.
VERSION = 1


def _measured(metric: Mapping[str, float], confidence: float) -> dict[str, float]:
    """A metric with its interval. Errors in rings are also errors in years: a ring is a year."""
    return {**{name: round(metric[name], 3) for name in ("value", "low", "high")}, "confidence": confidence}


def _covered(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": group["rows"], "coverage": round(group["coverage"], 6)}


def _limits(contract: Contract, evaluation: Mapping[str, Any], origins: Mapping[str, int]) -> list[str]:
    """The card's limits for fishermen, in the website's words: years, animals and ranges."""
    oldest, interval = evaluation["groups"][contract.label.name][-1], evaluation["interval"]
    years = re.sub(r"\d+", lambda rings: f"{int(rings[0]) + contract.years_beyond_rings:g}", oldest["name"])
    sentences = [
        f"The range should hold the true age of {100 * interval['confidence']:g} of 100 animals. In the test it held "
        f"that of {100 * interval['coverage']:.1f} of 100. It is {interval['mean_width']:.1f} years wide on average. "
        "This promise is for all animals together, not for those of each age.",
        f"The age of animals of {years.replace('rings', 'years')} ({oldest['rows']} were tested) is estimated "
        f"{abs(oldest['mean_error']):.1f} years too {'low' if oldest['mean_error'] < 0 else 'high'} on average, and "
        f"the range holds the true age of {100 * oldest['coverage']:.0f} of 100: an old animal has the measures of a "
        "younger one, and the model gives the age that most animals of these measures have.",
        "Measures far outside those that the model learnt from are replaced by the nearest that it knows. An "
        "impossible height is replaced by what length and diameter predict.",
    ]
    sentences.extend(
        f"Where the {name.replace('_', ' ')} is not measured, the model takes what the length predicts."
        for name in sorted(contract.optional_names)
    )
    if "simulated" in origins:
        share = origins["simulated"] / sum(origins.values())
        sentences.append(
            f"{100 * share:.0f} of 100 animals that it learnt from are simulated: for these, the figures show how well "
            "it knows the simulator, not real animals."
        )
    # No line may end between a number and its unit.
    return [re.sub(r"(\d) (?=years\b)", "\\1\u00a0", sentence) for sentence in sentences]


def public_figures(
    contract: Contract,
    evaluation: Mapping[str, Any],
    summary: Mapping[str, Any],
    trained_at: datetime,
    confidence: float,
) -> dict[str, Any]:
    """The document.

    `confidence` is that of the metrics' intervals; the model's own is in the evaluation.
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
