"""The model card: what a model is for, what it learnt from, how good it is and for whom it is worse.

It follows SageMaker's schema for a model package's card (Developer Guide, *Model package model card schema*). The step
that registers the model adds where the files are, and what the gate decided.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from abalone.feature_contract import Contract
from abalone.features import FEWEST_MEASURED
from abalone.origins import ORIGINS
from abalone.processing import SPLITS

# The schema's limits, in characters.
LONGEST_TEXT, LONGEST_NOTE, LONGEST_VALUE = 2048, 1024, 63

PURPOSE = (
    "Tells the number of rings of an abalone, and so its age, from its sex, lengths and weights, without counting "
    "the rings under a microscope. Meat, gut and dried shell are weighed, so the animal has been opened."
)
INTENDED = (
    "Estimates for fishermen and surveys, one animal or many, always read together with their interval. Not intended: "
    "judging by a single estimate whether an animal may be taken; other species; measures in other units than mm and g."
)
FACTORS = (
    "Growth differs between waters, years and food; the model knows the waters of its rows alone. Rings are counted "
    "under a microscope, and miscounted by one or two. Old animals hardly grow: measures show little of their age."
)
RISK = (
    "A wrong age costs little by itself: estimates carry an interval and are not decisions. The risk grows where they "
    "are summed up to quotas."
)
PROBLEM = "Counting rings takes a cut and stained shell and a microscope; measuring and weighing take minutes."
ETHICS = "No data of persons. Whoever uses ages to set catches should know for which animals the estimates are too low."
METRIC_WORDS = {
    "rmse": ("RMSE", "rings: root of the mean squared error"),
    "mae": ("Mean absolute error", "rings"),
    "mse": ("Mean squared error", "rings squared"),
    "r2": ("R²", "share of the rings' variance that is explained; more is better"),
}
GROUP_WORDS = {"predicted": "estimate", "rings": "age"}


def group_word(kind: str) -> str:
    """The name of a kind of group for people."""
    return GROUP_WORDS.get(kind, kind)


def metric_notes(metric: Mapping[str, float], notes: str) -> str:
    """A metric's unit and its interval."""
    return f"{notes}; 90 % interval {metric['low']:.3f} to {metric['high']:.3f}, from resampled rows"


def rows_in_words(evaluation: Mapping[str, Any], summary: Mapping[str, Any] | None) -> str:
    """How many rows the model learnt from, how old they are, and how they were split."""
    training = evaluation["training"]
    newest = f", the last surveyed on {training['newest_event'][:10]}" if training["newest_event"] else ""
    text = f"Learnt from {training['rows']} rows{newest}; scored on {evaluation['rows']} others. "
    if summary is not None:
        counts = ", ".join(f"{name} {count}" for name, count in summary["rows"].items())
        surveyed = summary["surveyed"]
        text += (
            f"The data set has {counts}, surveyed from {surveyed['oldest'][:10]} to {surveyed['newest'][:10]}; "
            f"{summary['rejected']} rows that break the feature contract were left out. "
        )
    shares = ", ".join(f"{share} {name}" for name, share in SPLITS.items())
    return text + f"A hash of a row's identifier decides on its split, which never changes; of 100 rows: {shares}."


def limits(contract: Contract, evaluation: Mapping[str, Any], origins: Mapping[str, int]) -> list[str]:
    """What users must know before they rely on the model, in sentences with this model's numbers."""
    ages = evaluation["groups"]["rings"]
    oldest, interval = ages[-1], evaluation["interval"]
    sentences = [
        f"An interval should hold the rings of {100 * interval['confidence']:g} of 100 animals; it held those of "
        f"{100 * interval['coverage']:.1f}, and is {interval['mean_width']:.1f} rings wide on average. This promise "
        "is for all animals together, and not for the animals of each age.",
        f"Of animals with {oldest['name']} ({oldest['rows']} rows) the estimate is {abs(oldest['mean_error']):.1f} "
        f"rings too {'low' if oldest['mean_error'] < 0 else 'high'} on average, and the interval holds the rings of "
        f"{100 * oldest['coverage']:.0f} of 100: an old animal has the measures of a younger one, and the model gives "
        "the age that most animals of these measures have.",
        "Measures far outside those of the training rows are clipped: the model answers as for the nearest measures "
        "that it knows, without a warning. An impossible height is replaced by what length and diameter predict.",
    ]
    for name in sorted(contract.optional_names):
        rows = {group["name"]: group["rows"] for group in evaluation["groups"][name]}
        sentences.append(
            f"{rows.get(f'with {name}', 0)} of {evaluation['rows']} held-out rows have {name}, which is optional. For "
            "an animal without it the model takes what the length predicts, and its interval may be too narrow: "
            f"compare the scores with and without it. If fewer than {FEWEST_MEASURED} training rows had it, the model "
            "does not use it at all."
        )
    if "simulated" in origins:
        share = origins["simulated"] / sum(origins.values())
        sentences.append(
            f"{100 * share:.0f} of 100 of its rows are simulated: for these, the scores show how well it knows the "
            "simulator, not real animals."
        )
    return sentences


def _number(name: str, value: float, notes: str) -> dict[str, Any]:
    return {"name": name, "type": "number", "value": value, "notes": notes[:LONGEST_NOTE]}


def _bars(name: str, groups: Sequence[Mapping[str, Any]], field: str, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "bar_chart",
        "value": [group[field] for group in groups],
        "x_axis_name": [f"{group['name']}: {group['rows']} rows"[:LONGEST_VALUE] for group in groups],
        "y_axis_name": unit,
        "notes": "; ".join(
            f"{group['name']}: {100 * group['coverage']:.1f} % ({100 * group['coverage_low']:.1f} to "
            f"{100 * group['coverage_high']:.1f}), RMSE {group['rmse']:.2f}, mean error {group['mean_error']:+.2f}"
            for group in groups
        )[:LONGEST_NOTE],
    }


def _champion_metrics(champion: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if champion is None:
        return [{"name": "Champion", "type": "string", "value": "none: this is the first model"}]
    package = {
        "name": "Champion",
        "type": "string",
        "value": f"version {champion['model_package'].rpartition('/')[2]}"[:LONGEST_VALUE],
        "notes": champion["model_package"][:LONGEST_NOTE],
    }
    if "error" in champion:
        return [
            package,
            {"name": "Comparison", "type": "string", "value": "none", "notes": champion["error"][:LONGEST_NOTE]},
        ]
    difference = champion["differences"]["rmse"]
    quantiles = difference["quantiles"]
    return [
        package,
        _number("Champion's RMSE", champion["regression_metrics"]["rmse"]["value"], "rings, on the same rows"),
        _number(
            "Difference in RMSE",
            difference["value"],
            f"rings, this model minus the champion on the same rows: below zero this one is better; 90 % interval "
            f"{quantiles['0.05']:.4f} to {quantiles['0.95']:.4f} from a paired bootstrap",
        ),
    ]


def model_card(
    contract: Contract,
    evaluation: Mapping[str, Any],
    settings: Mapping[str, Any],
    summary: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The card's content.

    `settings` are the training's; `summary` is what `process` reported about the data set, if available.
    """
    interval, groups = evaluation["interval"], evaluation["groups"]
    scored = [
        _number(METRIC_WORDS[name][0], metric["value"], metric_notes(metric, METRIC_WORDS[name][1]))
        for name, metric in evaluation["regression_metrics"].items()
    ]
    covered = [
        _number(
            "Coverage",
            interval["coverage"],
            f"share of the rings inside their interval, meant to be {interval['confidence']:g}; 90 % interval "
            f"{interval['coverage_low']:.3f} to {interval['coverage_high']:.3f}",
        ),
        _number("Mean width of the interval", interval["mean_width"], "rings"),
        *(_bars(f"Coverage by {group_word(kind)}", members, "coverage", "share") for kind, members in groups.items()),
    ]
    errors = [
        _bars(f"Mean error by {group_word(kind)}", members, "mean_error", "rings") for kind, members in groups.items()
    ]
    origins = (summary or {}).get("origins", {})
    return {
        "model_overview": {"model_creator": f"Training job {evaluation['model']} of ACME's model image"[:LONGEST_NOTE]},
        "intended_uses": {
            "purpose_of_model": PURPOSE,
            "intended_uses": INTENDED,
            "factors_affecting_model_efficiency": FACTORS,
            "risk_rating": "Low",
            "explanations_for_risk_rating": RISK,
        },
        "business_details": {
            "business_problem": PROBLEM,
            "business_stakeholders": "Fishermen who use the website, and people who survey the stock",
            "line_of_business": "Fishing",
        },
        "training_details": {
            "objective_function": {
                "function": {"function": "Minimize", "facet": "Loss"},
                "notes": "Squared error of the logarithm of the rings, averaged over an ensemble of small networks",
            },
            "training_observations": rows_in_words(evaluation, summary)[:LONGEST_NOTE],
            "training_job_details": {
                "hyper_parameters": [{"name": name, "value": str(value)} for name, value in settings.items()],
            },
        },
        "evaluation_details": [
            {
                "name": "Held-out rows",
                "evaluation_observation": f"{evaluation['rows']} rows that no model has learnt from, the same for "
                "every model: errors, intervals, and the champion beside this one.",
                "metric_groups": [
                    {"name": "Errors", "metric_data": scored + errors},
                    {"name": "Intervals", "metric_data": covered},
                    {"name": "Champion", "metric_data": _champion_metrics(evaluation["champion"])},
                ],
            }
        ],
        "additional_information": {
            "ethical_considerations": ETHICS,
            "caveats_and_recommendations": " ".join(limits(contract, evaluation, origins))[:LONGEST_TEXT],
            "custom_details": {
                "features": ", ".join(contract.feature_names)[:LONGEST_NOTE],
                **{
                    f"data: {name}": f"{count} rows. {ORIGINS[name].description}. Licence: {ORIGINS[name].licence}"[
                        :LONGEST_NOTE
                    ]
                    for name, count in origins.items()
                },
            },
        },
    }
