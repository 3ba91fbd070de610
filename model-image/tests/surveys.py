"""A small seeded survey for tests: animals grow, weigh by the cube of their length, and are measured with errors.

A measure that this file does not know follows from the others as its entry in the contract says.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abalone.feature_contract import CONTRACT_FILE, load_contract
from abalone.rows import DataSet, features_of

CONTRACT = load_contract()
ENTRIES = json.loads(CONTRACT_FILE.read_text())["features"]
# The grown animal of the contract, by the features' names.
EXAMPLE = {entry["name"]: entry["example"] for entry in ENTRIES}


def csv_row(**changes: object) -> str:
    """The contract's example as a CSV line of the endpoint."""
    return ",".join(str(value) for value in (EXAMPLE | changes).values())


@dataclass(frozen=True)
class Record:
    """One animal, measures in contract order (mm and g)."""

    record_id: str
    sex: str
    measures: tuple[float, ...]
    rings: int
    surveyed_at: str = "2026-03-01T09:30:00.000Z"

    @property
    def values(self) -> list[str]:
        """The columns of a data set, as text."""
        return [self.record_id, self.sex, *(f"{value:g}" for value in self.measures), str(self.rings), self.surveyed_at]

    @property
    def features(self) -> list[str]:
        """A row for the endpoint, as text."""
        return self.values[1:-2]

    @property
    def instance(self) -> dict[str, str | float]:
        """A row for the endpoint, as JSON."""
        return dict(zip(CONTRACT.feature_names, [self.sex, *self.measures], strict=True))


def survey(rows: int, seed: int = 1) -> list[Record]:
    """As many animals as wanted; the same seed gives the same ones."""
    generator = np.random.default_rng(seed)
    records = []
    for number in range(rows):
        rings = int(np.clip(round(generator.lognormal(2.25, 0.3)), 2, 28))
        length = 140 * (1 - np.exp(-0.16 * (rings + 0.5))) * generator.lognormal(0, 0.06)
        whole = 1.35e-4 * length**3 * generator.lognormal(0, 0.08)
        noise = generator.lognormal(0, 0.05, 5)
        measures = {
            "length": length,
            "diameter": 0.79 * length * noise[0],
            "height": 0.265 * length * noise[1],
            "whole_weight": whole,
            "shucked_weight": whole * (0.47 - 0.006 * rings) * noise[2],
            "viscera_weight": whole * 0.22 * noise[3],
            "shell_weight": whole * (0.2 + 0.006 * rings) * noise[4],
        }
        sex = "I" if rings < 7 else ("F", "M")[int(generator.integers(2))]
        for entry in ENTRIES:
            if entry["name"] not in measures and entry["type"] == "number":
                simulation = entry["simulation"]
                logs = {name: np.log(value) for name, value in {**measures, "rings": rings}.items()}
                logs["infant"] = float(sex == "I")
                sums = sum(power * logs[other] for other, power in simulation["powers"].items())
                measures[entry["name"]] = np.exp(simulation["intercept"] + sums)
        values = tuple(round(float(measures[name]), 1) for name in CONTRACT.measure_names)
        records.append(Record(f"animal-{seed}-{number}", sex, values, rings))
    return records


def data_set(records: Sequence[Record]) -> DataSet:
    """What `read_data_set` makes of these records."""
    ordered = sorted(records, key=lambda record: record.record_id)
    features = features_of(CONTRACT, [(record.sex, list(record.measures)) for record in ordered])
    newest = max(record.surveyed_at for record in ordered)
    labels = np.array([float(record.rings) for record in ordered])
    return DataSet([record.record_id for record in ordered], features, labels, newest)


def write_data_set(file: Path, records: Sequence[Record]) -> None:
    """Writes a channel's CSV file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(CONTRACT.dataset_columns)
        writer.writerows(record.values for record in records)


def write_training_job(base: Path, records: Sequence[Record], hyperparameters: dict[str, str] | None = None) -> None:
    """Lays out `/opt/ml` for a training job: of eight rows seven to train and one to validate."""
    write_data_set(base / "input/data/train/data.csv", [r for i, r in enumerate(records) if i % 8])
    write_data_set(base / "input/data/validation/data.csv", [r for i, r in enumerate(records) if i % 8 == 0])
    file = base / "input/config/hyperparameters.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(hyperparameters or {}))
