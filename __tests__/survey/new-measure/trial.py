"""Trains, evaluates, monitors and serves a model of a simulated survey, under the feature contract of one checkout.

    trial.py CHECKOUT SURVEY FOLDER PROBE…

It works in FOLDER, and writes there what it found, as `trial.json`. While the model is served, it runs the command PROBE
with the server's port as its last argument. NEW_MEASURE names the measure that the contract has in addition.
"""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

checkout, survey, base = (Path(argument) for argument in sys.argv[1:4])
new_measure = os.environ["NEW_MEASURE"]
sys.path[:0] = [str(checkout / "model-image")]

from abalone.feature_contract import load_contract  # noqa: E402
from abalone.features import fit_features  # noqa: E402
from abalone.monitoring import Traffic, contract_violations  # noqa: E402
from abalone.predictor import Predictor  # noqa: E402
from abalone.processing import write_data_sets  # noqa: E402
from abalone.rows import feature_values, features_of, read_data_set  # noqa: E402
from abalone.statistics import CONSTRAINTS_FILE, RowStatistics, write_baseline  # noqa: E402
from tests.commands import command, pack_model, serving  # noqa: E402

contract = load_contract()
with survey.open(newline="") as stream:
    animals = list(csv.DictReader(stream))
statistics = RowStatistics(contract)
records = ([animal[column] or None for column in contract.dataset_columns] for animal in animals)
summary = write_data_sets(contract, records, base / "input/data", statistics)
write_baseline(contract, statistics, base / "baseline")

(base / "input/config").mkdir(parents=True)
(base / "input/config/hyperparameters.json").write_text('{"networks": "2", "epochs": "8"}')
trained = command("train", base, TRAINING_JOB_NAME="trial-train")
assert trained.returncode == 0, trained.stdout + trained.stderr

shutil.copytree(base / "input/data/test", base / "processing/input/test")
(base / "processing/input/summary").mkdir()
(base / "processing/input/summary/summary.json").write_text(json.dumps(summary))
pack_model(base / "model", base / "processing/input/model/model.tar.gz")
evaluated = command("evaluate", base)
assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr

constraints = json.loads((base / "baseline" / CONSTRAINTS_FILE).read_text())
traffic = Traffic(contract, {feature["name"]: feature for feature in constraints["features"]})
instances = [
    {name: value if name == contract.category else float(value) for name, value in animal.items() if value}
    for animal in ({name: animal[name] for name in contract.feature_names} for animal in animals[:200])
]
for instance in instances:
    traffic.add(instance)

training = read_data_set(contract, base / "input/data/train")
predictor = Predictor(contract, base / "model/model.onnx")


def rings(changes: dict[str, float]) -> float:
    """The estimate for one animal; NaN leaves a measure out."""
    complete = next(instance for instance in instances if instance.keys() == set(contract.feature_names))
    row = {name: None if value != value else value for name, value in (complete | changes).items()}
    return float(predictor.predict(features_of(contract, [feature_values(contract, row)])).rings[0])


thick = {"thin": 0.7, "thick": 2.8} | ({"missing": math.nan} if new_measure in contract.optional_names else {})
with serving(base) as (_, port):
    probe = subprocess.run([*sys.argv[4:], str(port)], cwd=checkout, capture_output=True, text=True, check=False)
    assert probe.returncode == 0, probe.stdout + probe.stderr
found = {
    "rows": summary["rows"],
    "rejected": summary["rejected"],
    "imputations": sorted(fit_features(contract, training.features).imputations),
    "violations": contract_violations(traffic, constraints),
    "completeness": {feature["name"]: feature["completeness"] for feature in constraints["features"]},
    "present": {feature["name"]: feature for feature in statistics.document()["features"]}[new_measure][
        "numerical_statistics"
    ]["common"],
    "rings": {name: rings({new_measure: value}) for name, value in thick.items()},
}
(base / "trial.json").write_text(json.dumps(found))
