"""`evaluate`: challenger and champion scored on the same rows, which neither has seen."""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from abalone.archive import extract_artefact
from abalone.arguments import CommandLine
from abalone.aws import client
from abalone.contract import Contract, load_contract
from abalone.errors import JobError
from abalone.folders import Folders
from abalone.metrics import METRICS, bootstrap, coverage
from abalone.predictor import Predictions, Predictor
from abalone.rows import DataSet, read_data_set, write_rows

logger = logging.getLogger("abalone")

NONE = "none"
# Fixed: the same rows and models always give the same judgement.
SEED = 20250131


def arguments(command_line: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = CommandLine(prog="evaluate", description=__doc__)
    parser.add_argument(
        "--champion-model-data-url", default=NONE, help="S3 URI of the champion's model.tar.gz, or none"
    )
    parser.add_argument("--champion-model-package", default=NONE, help="ARN of the champion's model package, or none")
    return parser.parse_args(command_line)


def _scored(contract: Contract, archive: Path, rows: DataSet, owner: str) -> tuple[Predictor, Predictions]:
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor(contract, extract_artefact(archive, Path(folder)))
    predictions = predictor.predict(rows.features)
    bad = np.flatnonzero(~np.isfinite(np.stack([predictions.rings, predictions.low, predictions.high])).all(axis=0))
    if len(bad):
        raise JobError(
            f"The {owner} predicts values that are not finite for {len(bad)} of {len(rows)} rows, the first is "
            f"{rows.record_ids[int(bad[0])]!r}: do not serve it; look at the training job's log."
        )
    return predictor, predictions


def _is_missing(error: ClientError, s3: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - as in `client`
    if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
        return True
    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
        return False
    # Only who may list the whole bucket is told that an object is missing, all others are refused. The job's role may
    # list its prefixes, so it can look there.
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return all(item["Key"] != key for item in listed)


def _download(url: str, folder: Path) -> Path | None:
    """The archive, or None when there is no such object.

    Raises:
        JobError: whether there is one, or what is in it, cannot be told.
    """
    location = urlparse(url)
    bucket, key = location.netloc, location.path.lstrip("/")
    if location.scheme != "s3" or not bucket or not key.strip("/"):
        raise JobError(f"The champion's model data URL {url!r} is no S3 URI of an object: correct its model package.")
    archive = folder / "model.tar.gz"
    s3 = client("s3")
    try:
        try:
            s3.download_file(bucket, key, str(archive))
        except ClientError as error:
            if not _is_missing(error, s3, bucket, key):
                raise
            return None
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise JobError(
            f"The champion {url} cannot be read: {error}. The challenger is not judged without it: try again, "
            "and see that the job's role may read the object and use its key."
        ) from error
    return archive


def _champion(contract: Contract, url: str, rows: DataSet) -> Predictions | str:
    """The champion's predictions, or why it has none and never will: it is gone or damaged.

    Raises:
        JobError: it cannot be read at present; judged alone, a worse challenger could take its place.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = _download(url, Path(folder))
        if archive is None:
            return f"{url} does not exist."
        try:
            return _scored(contract, archive, rows, "champion")[1]
        except JobError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno:
                raise  # the disk's fault, not the archive's
            return str(error)


def _statistics(
    predictions: NDArray[np.float64], labels: NDArray[np.float64], resampled: dict[str, Any]
) -> dict[str, Any]:
    return {
        name: {"value": metric(predictions, labels), "standard_deviation": float(resampled[name].std(ddof=1))}
        for name, metric in METRICS.items()
    }


def evaluation_of(
    rows: DataSet,
    challenger: Predictions,
    confidence: float,
    champion_package: str,
    champion: Predictions | str | None,
) -> dict[str, Any]:
    """The content of `evaluation.json`, in the shape of SageMaker's model-quality statistics.

    `champion` is its predictions, or why there are none although there is a champion.
    """
    estimates = challenger.rings.astype(np.float64)
    models = [estimates]
    if isinstance(champion, Predictions):
        models.append(champion.rings.astype(np.float64))
    resampled = bootstrap(models, rows.labels, SEED)
    evaluation: dict[str, Any] = {
        "regression_metrics": _statistics(estimates, rows.labels, resampled[0]),
        "rows": len(rows),
        "interval": {
            "confidence": confidence,
            "coverage": coverage(challenger.low, challenger.high, rows.labels),
            "mean_width": float(np.mean(challenger.high - challenger.low)),
        },
        "champion": None,
    }
    if isinstance(champion, str):
        evaluation["champion"] = {"model_package": champion_package, "error": champion}
    elif champion is not None:
        differences = resampled[0]["rmse"] - resampled[1]["rmse"]
        statistics = _statistics(models[1], rows.labels, resampled[1])
        value = evaluation["regression_metrics"]["rmse"]["value"] - statistics["rmse"]["value"]
        low, high = (float(end) for end in np.quantile(differences, [0.05, 0.95]))
        evaluation["champion"] = {
            "model_package": champion_package,
            "regression_metrics": statistics,
            # Challenger minus champion, in rings, on the same resamples: below zero the challenger is better.
            "rmse_difference": {
                "value": value,
                "standard_deviation": float(differences.std(ddof=1)),
                "low": low,
                "high": high,
                "confidence": 0.9,
                "share_at_most_zero": float(np.mean(differences <= 0)),
            },
        }
    return evaluation


def evaluate(folders: Folders) -> None:
    """Writes `evaluation.json` and `baseline.csv`. A champion that is gone or damaged is recorded and stops nothing."""
    options = arguments()
    contract = load_contract()
    rows = read_data_set(contract, folders.processing_input / "test")
    archive = folders.processing_input / "model" / "model.tar.gz"
    predictor, challenger = _scored(contract, archive, rows, "challenger")

    champion: Predictions | str | None = None
    if options.champion_model_data_url != NONE:
        champion = _champion(contract, options.champion_model_data_url, rows)
        if isinstance(champion, str):
            logger.warning("The champion cannot be scored: %s", champion)

    package = options.champion_model_package
    evaluation = evaluation_of(rows, challenger, predictor.confidence, package, champion)
    folder = folders.processing_output / "evaluation"
    pairs = zip(challenger.rings, rows.labels, strict=True)
    write_rows(folder / "baseline.csv", ["prediction", "label"], [[f"{p:.4f}", f"{label:g}"] for p, label in pairs])
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    logger.info("Rows: %d; challenger %s", len(rows), json.dumps(evaluation["regression_metrics"]["rmse"]))
    logger.info("Champion: %s", json.dumps(evaluation["champion"]))
