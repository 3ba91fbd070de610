"""The feature contract, read from `survey/features.json`, which the whole platform shares."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CONTRACT_FILE = Path(__file__).resolve().parents[2] / "survey" / "features.json"


@dataclass(frozen=True)
class Measure:
    """A numeric feature with its unit (mm or g) and its allowed range."""

    name: str
    unit: str
    minimum: float
    maximum: float
    # Whether a row may lack it.
    optional: bool


@dataclass(frozen=True)
class Label:
    """What the model predicts, with the range that a survey may have, in rings."""

    name: str
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Contract:
    """Names and order of the columns that surveys, feature store, model and API share."""

    record_identifier: str
    event_time: str
    category: str
    categories: tuple[str, ...]
    measures: tuple[Measure, ...]
    feature_names: tuple[str, ...]
    label: Label
    # Age in years minus number of rings.
    years_beyond_rings: float

    @property
    def measure_names(self) -> tuple[str, ...]:
        """The numeric features in contract order."""
        return tuple(measure.name for measure in self.measures)

    @property
    def optional_names(self) -> frozenset[str]:
        """The measures that a row may lack."""
        return frozenset(measure.name for measure in self.measures if measure.optional)

    @property
    def dataset_columns(self) -> tuple[str, ...]:
        """The header of a data set: identifier, features in contract order, label, and when the animal was measured."""
        return (self.record_identifier, *self.feature_names, self.label.name, self.event_time)


@cache
def load_contract(file: Path = CONTRACT_FILE) -> Contract:
    """Reads the feature contract.

    Raises:
        ValueError: the file does not have exactly one category: the model's input takes one.
    """
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    categories = [feature for feature in document["features"] if feature["type"] == "category"]
    if len(categories) != 1:
        names = ", ".join(feature["name"] for feature in categories) or "none"
        raise ValueError(f"{file}: expected exactly one feature of type category, found {names}: the model takes one.")
    label = document["label"]
    return Contract(
        record_identifier=document["recordIdentifier"]["name"],
        event_time=document["eventTime"]["name"],
        category=categories[0]["name"],
        categories=tuple(categories[0]["categories"]),
        measures=tuple(
            Measure(
                feature["name"],
                feature["unit"],
                float(feature["minimum"]),
                float(feature["maximum"]),
                feature.get("optional", False),
            )
            for feature in document["features"]
            if feature["type"] == "number"
        ),
        feature_names=tuple(feature["name"] for feature in document["features"]),
        label=Label(label["name"], float(label["minimum"]), float(label["maximum"])),
        years_beyond_rings=float(document["yearsBeyondRings"]),
    )
