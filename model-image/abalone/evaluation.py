"""`evaluate`: scores challenger and champion on the same rows, which neither has seen."""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from abalone.archive import extract_artefact
from abalone.arguments import CommandLine
from abalone.aws import client
from abalone.card import model_card
from abalone.errors import JobError
from abalone.feature_contract import Contract, load_contract
from abalone.figures import public_figures
from abalone.folders import Folders
from abalone.groups import scores_by_group
from abalone.metrics import METRICS, Vector, bootstrap, coverage, share_interval
from abalone.page import page
from abalone.predictor import Predictions, Predictor
from abalone.rows import DataSet, read_data_set, write_rows

logger = logging.getLogger("abalone")

NONE = "none"
# Fixed: the same rows and models always give the same judgement.
SEED = 20250131
# The ends of a metric's interval, in evaluations and on model cards: five percent are left out on each side.
LOW, HIGH = 0.05, 0.95
# Quantiles of a difference's distribution: the gate takes the one for its confidence.
LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.975, 0.99)


@dataclass(frozen=True)
class Scored:
    """A model with its predictions for the rows on which models are compared."""

    predictor: Predictor
    predictions: Predictions

    @property
    def estimates(self) -> Vector:
        """The rings, in double precision."""
        return self.predictions.rings.astype(np.float64)

    @property
    def training(self) -> dict[str, Any]:
        """What the model learnt from, as an evaluation reports it."""
        return asdict(self.predictor.training)


def arguments(command_line: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = CommandLine(prog="evaluate", description=__doc__)
    parser.add_argument(
        "--champion-model-data-url", default=NONE, help="S3 URI of the champion's model.tar.gz, or none"
    )
    parser.add_argument("--champion-model-package", default=NONE, help="ARN of the champion's model package, or none")
    return parser.parse_args(command_line)


def _scored(contract: Contract, archive: Path, rows: DataSet, owner: str) -> Scored:
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor(contract, extract_artefact(archive, Path(folder)))
    predictions = predictor.predict(rows.features)
    bad = np.flatnonzero(~np.isfinite(np.stack([predictions.rings, predictions.low, predictions.high])).all(axis=0))
    if len(bad):
        raise JobError(
            f"The {owner} predicts values that are not finite for {len(bad)} of {len(rows)} rows, the first is "
            f"{rows.record_ids[int(bad[0])]!r}: do not serve it. See the training job's log."
        )
    return Scored(predictor, predictions)


def _is_missing(error: ClientError, s3: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - as in `client`
    if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
        return True
    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
        return False
    # S3 answers 404 for a missing object only to roles that may list the whole bucket, and 403 to all others. The job's
    # role may list its prefixes, so the object is listed.
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return all(item["Key"] != key for item in listed)


def _download(url: str, folder: Path) -> Path | None:
    """The archive, or None when there is no such object.

    Raises:
        JobError: the object cannot be listed or read.
    """
    location = urlparse(url)
    bucket, key = location.netloc, location.path.lstrip("/")
    if location.scheme != "s3" or not bucket or not key.strip("/"):
        raise JobError(
            f"The champion's model data URL {url!r} is not an S3 URI of an object: correct its model package."
        )
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
            f"The champion {url} cannot be read: {error}. The challenger is not judged without it. Check that "
            "the job's role may read the object and use its key, then try again."
        ) from error
    return archive


def _champion(contract: Contract, url: str, rows: DataSet) -> Scored | str:
    """The champion with its predictions, or why it can't have any: it is gone or damaged.

    Raises:
        JobError: it cannot be read at the moment; without it, a worse challenger could replace it.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = _download(url, Path(folder))
        if archive is None:
            return f"{url} does not exist."
        try:
            return _scored(contract, archive, rows, "champion")
        except JobError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno:
                raise  # a fault of the disk, not of the archive
            return str(error)


def _statistics(estimates: Vector, labels: Vector, resampled: dict[str, Vector]) -> dict[str, Any]:
    statistics = {}
    for name, metric in METRICS.items():
        low, high = (float(end) for end in np.quantile(resampled[name], [LOW, HIGH]))
        statistics[name] = {
            "value": metric.of(estimates, labels),
            "standard_deviation": float(resampled[name].std(ddof=1)),
            "low": low,
            "high": high,
        }
    return statistics


def _difference(value: float, lower_is_better: bool, resampled: Vector) -> dict[str, Any]:
    """Challenger minus champion on the same resamples, with its distribution."""
    quantiles = np.quantile(resampled, LEVELS)
    return {
        "lower_is_better": lower_is_better,
        "value": value,
        "standard_deviation": float(resampled.std(ddof=1)),
        "quantiles": {f"{level:g}": float(quantile) for level, quantile in zip(LEVELS, quantiles, strict=True)},
    }


def _comparison(
    package: str, champion: Scored, challenger: dict[str, Any], labels: Vector, resampled: list[dict[str, Vector]]
) -> dict[str, Any]:
    statistics = _statistics(champion.estimates, labels, resampled[1])
    differences = {
        name: _difference(
            challenger[name]["value"] - statistics[name]["value"],
            metric.lower_is_better,
            resampled[0][name] - resampled[1][name],
        )
        for name, metric in METRICS.items()
    }
    rings = differences["rmse"]
    return {
        "model_package": package,
        "training": champion.training,
        "regression_metrics": statistics,
        "differences": differences,
        # Challenger minus champion, in rings: below zero, the challenger is better.
        "rmse_difference": {
            "value": rings["value"],
            "standard_deviation": rings["standard_deviation"],
            "low": rings["quantiles"][f"{LOW:g}"],
            "high": rings["quantiles"][f"{HIGH:g}"],
            "confidence": round(HIGH - LOW, 4),
            "share_at_most_zero": float(np.mean(resampled[0]["rmse"] <= resampled[1]["rmse"])),
        },
    }


def evaluation_of(
    contract: Contract, rows: DataSet, challenger: Scored, champion_package: str, champion: Scored | str | None
) -> dict[str, Any]:
    """The content of `evaluation.json`, in the shape of SageMaker's model-quality statistics.

    It has numbers and no verdict: the gate has the settings for that. `champion` is the champion's predictions, or why
    there are none although there is a champion.
    """
    predictions = challenger.predictions
    models = [challenger.estimates, *([champion.estimates] if isinstance(champion, Scored) else [])]
    resampled = bootstrap(models, rows.labels, SEED)
    covered = coverage(predictions.low, predictions.high, rows.labels)
    covered_low, covered_high = share_interval(covered, len(rows))
    evaluation: dict[str, Any] = {
        "model": challenger.predictor.name,
        "training": challenger.training,
        "regression_metrics": _statistics(challenger.estimates, rows.labels, resampled[0]),
        "rows": len(rows),
        "interval": {
            "confidence": challenger.predictor.confidence,
            "coverage": covered,
            "coverage_low": covered_low,
            "coverage_high": covered_high,
            "mean_width": float(np.mean(predictions.high - predictions.low)),
        },
        "groups": scores_by_group(contract, rows, predictions),
        "champion": None,
    }
    if isinstance(champion, str):
        evaluation["champion"] = {"model_package": champion_package, "error": champion}
    elif champion is not None:
        metrics = evaluation["regression_metrics"]
        evaluation["champion"] = _comparison(champion_package, champion, metrics, rows.labels, resampled)
    return evaluation


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _read_summary(file: Path) -> dict[str, Any] | None:
    """What `process` reported about the data set. An evaluation by hand may not have it.

    Raises:
        JobError: the file exists, but is not a summary.
    """
    if not file.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {name: summary[name] for name in ("rows", "surveyed", "origins", "rejected", "survey")}
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(f"{file.name} was not written by this image's `process`: {error!r}.") from error


def evaluate(folders: Folders) -> None:
    """Writes `evaluation.json`, `baseline.csv`, the model card, as JSON and as a page, and the public figures.

    A champion that is gone or damaged is recorded, and the evaluation continues.
    """
    options = arguments()
    contract = load_contract()
    rows = read_data_set(contract, folders.processing_input / "test")
    summary = _read_summary(folders.processing_input / "summary" / "summary.json")
    archive = folders.processing_input / "model" / "model.tar.gz"
    challenger = _scored(contract, archive, rows, "challenger")

    champion: Scored | str | None = None
    if options.champion_model_data_url != NONE:
        champion = _champion(contract, options.champion_model_data_url, rows)
        if isinstance(champion, str):
            logger.warning("The champion cannot be scored: %s", champion)

    evaluation = evaluation_of(contract, rows, challenger, options.champion_model_package, champion)
    folder = folders.processing_output / "evaluation"
    pairs = zip(challenger.predictions.rings, rows.labels, strict=True)
    write_rows(folder / "baseline.csv", ["prediction", "label"], [[f"{p:.4f}", f"{label:g}"] for p, label in pairs])
    _write_json(folder / "evaluation.json", evaluation)
    card = model_card(contract, evaluation, challenger.predictor.settings, summary)
    _write_json(folder / "model-card.json", card)
    text = page(contract, card, evaluation, summary, rows, challenger.predictions)
    (folder / "model-card.html").write_text(text, encoding="utf-8")
    if summary is not None:
        figures = public_figures(contract, evaluation, summary, challenger.predictor.trained_at, round(HIGH - LOW, 4))
        content = json.dumps(figures, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        (folder / "public-figures.json").write_text(content + "\n", encoding="utf-8")
    logger.info("Rows: %d; challenger %s", len(rows), json.dumps(evaluation["regression_metrics"]["rmse"]))
    logger.info("Champion: %s", json.dumps(evaluation["champion"]))
