"""`train`: from data sets to the artefact `model.onnx`, with the metrics that SageMaker reads from the log."""

import json
import logging
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from abalone.errors import JobError, quote
from abalone.feature_contract import load_contract
from abalone.folders import Folders
from abalone.learning import FEWEST_TRAINING_ROWS, FEWEST_VALIDATION_ROWS, Settings, export, learn
from abalone.metrics import coverage, mae, rmse
from abalone.predictor import ARTEFACT, Predictor
from abalone.rows import DataSet, read_data_set

logger = logging.getLogger("abalone")

# Lowest and highest value that makes sense.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31),
    "networks": (2, 50),
    "hidden_units": (1, 256),
    "epochs": (1, 1000),
    "batch_size": (1, 100_000),
    "learning_rate": (1e-6, 1),
    "regularisation": (0, 100),
    "confidence": (0.5, 0.99),
}


def read_settings(file: Path) -> Settings:
    """Reads the hyperparameters, which SageMaker passes as text. Settings that are not given keep their default.

    Raises:
        JobError: a name is unknown, or a value is not a number or out of its range.
    """
    try:
        given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise JobError(f"{file} is not JSON: {error}.") from error
    types = {field.name: type(field.default) for field in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        # SageMaker's SDK adds its own settings with this prefix.
        if name.startswith("sagemaker_"):
            continue
        if name not in types:
            raise JobError(f"The hyperparameter {quote(name)} is unknown: expected one of {', '.join(types)}.")
        lowest, highest = RANGES[name]
        kind = "a whole number" if types[name] is int else "a number"
        try:
            values[name] = types[name](value)
        except (TypeError, ValueError) as error:
            raise JobError(f"The hyperparameter {name} is {quote(value)}: expected {kind}.") from error
        if not lowest <= values[name] <= highest:
            raise JobError(
                f"The hyperparameter {name} is {quote(value)}: expected {kind} from {lowest:g} to {highest:g}."
            )
    return Settings(**values)


def _at_least(rows: DataSet, fewest: int, channel: str) -> None:
    if len(rows) < fewest:
        raise JobError(
            f"The channel {channel} has {len(rows)} rows, at least {fewest} are needed: ingest a larger survey."
        )


def train(folders: Folders) -> None:
    """Trains a model and scores the written artefact, as it will be served."""
    contract = load_contract()
    settings = read_settings(folders.hyperparameters)
    training = read_data_set(contract, folders.channel("train"))
    validation = read_data_set(contract, folders.channel("validation"))
    _at_least(training, FEWEST_TRAINING_ROWS, "train")
    _at_least(validation, FEWEST_VALIDATION_ROWS, "validation")
    logger.info("Rows: train %d, validation %d; %s", len(training), len(validation), settings)

    ensemble = learn(contract, training, validation, settings)
    metadata = {
        "name": os.environ.get("TRAINING_JOB_NAME", "untitled"),
        "confidence": f"{settings.confidence:g}",
        "features": json.dumps(contract.feature_names),
        **({"optional": json.dumps(sorted(contract.optional_names))} if contract.optional_names else {}),
        "training_rows": str(len(training)),
        "newest_event": training.newest_event,
        "settings": json.dumps({field.name: getattr(settings, field.name) for field in fields(settings)}),
    }
    folders.model.mkdir(parents=True, exist_ok=True)
    artefact = folders.model / ARTEFACT
    # A job that is killed here must not leave half a model.
    partial = artefact.with_suffix(".partial")
    partial.write_bytes(export(contract, ensemble, metadata))

    predictor = Predictor(contract, partial)
    for name, rows in (("train", training), ("validation", validation)):
        predictions = predictor.predict(rows.features)
        if not np.isfinite(predictions.rings).all():
            raise JobError("The model predicts values that are not finite: lower the learning_rate.")
        estimates = predictions.rings.astype(np.float64)
        logger.info("%s:rmse=%.4f;", name, rmse(estimates, rows.labels))
        if name == "validation":
            logger.info("validation:mae=%.4f;", mae(estimates, rows.labels))
            logger.info("validation:coverage=%.4f;", coverage(predictions.low, predictions.high, rows.labels))
    partial.replace(artefact)
    logger.info("Wrote %s, %d bytes", artefact, artefact.stat().st_size)
