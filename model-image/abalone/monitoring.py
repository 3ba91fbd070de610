"""`monitor`: compares an endpoint's requests with the rows on which its model was trained.

It is a container for SageMaker Model Monitor (SageMaker Developer Guide, "Support for Your Own Containers With Amazon
SageMaker Model Monitor"): the environment names the places of the captured traffic and of the baseline, and three files
have the result. It needs one more setting: `minimum_rows`, the number of rows below which drift is not judged.

The distance of two distributions is the one of Model Monitor's prebuilt container with `comparison_method` "Robust",
which comes from the library Deequ: the largest distance of the two distribution functions (for a category: of the two
shares), less 1.8 * sqrt((n + m) / (n * m)), the distance that n and m values from one population have by chance.
"""

import base64
import binascii
import csv
import io
import json
import logging
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from abalone.aws import client
from abalone.errors import JobError, RowError
from abalone.feature_contract import Contract, load_contract
from abalone.folders import Folders
from abalone.rows import is_missing, number_of
from abalone.sketch import QuantileSketch
from abalone.statistics import CONSTRAINTS_FILE, STATISTICS_FILE, RowStatistics

logger = logging.getLogger("abalone")

VIOLATIONS_FILE = "constraint_violations.json"
# The namespace of Model Monitor's data metrics for an endpoint. The developer guide has two spellings, on "CloudWatch
# Metrics" and on "CloudWatch Metrics for Bring Your Own Containers", and an alarm on the wrong one never goes off. So
# the container puts its metrics itself, and the alarm uses the same name.
METRICS_NAMESPACE = "/aws/sagemaker/Endpoints/data-metrics"
FAILURES_METRIC = "failed_comparisons"
CHANCE = 1.8
CONTAINER_BASE = "/opt/ml"
DEFAULT_MINIMUM_ROWS = 100


@dataclass(frozen=True)
class Request:
    """What Model Monitor asks for in one execution."""

    traffic: Path
    output: Path
    baseline_statistics: Path
    baseline_constraints: Path
    start: datetime
    end: datetime
    endpoint: str
    schedule: str
    publishes_metrics: bool
    minimum_rows: int


def read_request(environment: Mapping[str, str], folders: Folders) -> Request:
    """Reads the variables that Model Monitor sets in the environment.

    Raises:
        JobError: naming the variable that is missing or wrong.
    """

    def text(name: str) -> str:
        value = environment.get(name, "")
        if not value:
            raise JobError(f"The environment has no {name}: start `monitor` by a monitoring schedule, which sets it.")
        return value

    def path(name: str) -> Path:
        value = text(name).removeprefix("file://")
        if not (value == CONTAINER_BASE or value.startswith(f"{CONTAINER_BASE}/")):
            raise JobError(f"{name} is {value!r}: a path below {CONTAINER_BASE} was expected.")
        return folders.base / value.removeprefix(CONTAINER_BASE).lstrip("/")

    def time(name: str) -> datetime:
        value = text(name)
        try:
            moment = datetime.fromisoformat(value.replace(" ", ""))
        except ValueError as error:
            raise JobError(f"{name} is {value!r}: a time such as 2026-03-01T10:00:00Z was expected.") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    if "sagemakercapturejson" not in text("dataset_format").lower():
        raise JobError(
            f"dataset_format is {text('dataset_format')!r}: only captured traffic (sagemakerCaptureJson) is known."
        )
    minimum = environment.get("minimum_rows", str(DEFAULT_MINIMUM_ROWS))
    if not minimum.isascii() or not minimum.isdigit() or int(minimum) < 1:
        raise JobError(f"minimum_rows is {minimum!r}: a whole number from 1 was expected.")
    return Request(
        traffic=path("dataset_source"),
        output=path("output_path"),
        baseline_statistics=path("baseline_statistics"),
        baseline_constraints=path("baseline_constraints"),
        start=time("start_time"),
        end=time("end_time"),
        endpoint=text("sagemaker_endpoint_name"),
        schedule=text("sagemaker_monitoring_schedule_name"),
        publishes_metrics=environment.get("publish_cloudwatch_metrics", "Disabled").lower() == "enabled",
        minimum_rows=int(minimum),
    )


class UnreadableError(ValueError):
    """A captured invocation that can't be read."""


def _decoded(captured: Mapping[str, Any]) -> str:
    data = captured["data"]
    return base64.b64decode(data, validate=True).decode() if captured.get("encoding") == "BASE64" else data


def rows_of(contract: Contract, line: str) -> tuple[datetime, list[dict[str, Any]]]:
    """When an invocation was answered, and its rows as they were sent.

    Raises:
        UnreadableError: SageMaker does not capture such a line, or the model image does not accept such a request.
    """
    try:
        document = json.loads(line)
        moment = datetime.fromisoformat(document["eventMetadata"]["inferenceTime"])
        captured = document["captureData"]["endpointInput"]
        text = _decoded(captured)
        if captured.get("observedContentType", "").partition(";")[0].strip().lower() == "text/csv":
            names = contract.feature_names
            rows = [
                {
                    **dict(zip(names, values, strict=False)),
                    **{f"column {n + 1}": values[n] for n in range(len(names), len(values))},
                }
                for values in csv.reader(io.StringIO(text, newline=""), strict=True)
                if values
            ]
        else:
            rows = json.loads(text)["instances"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error, csv.Error) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableError("instances is not a list of objects")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)), rows


def _signed_number(name: str, value: object) -> float:
    """A number; it may be below zero, which breaks another constraint than the type's."""
    text = str(value).strip()
    return -number_of(name, text[1:]) if text.startswith("-") else number_of(name, value)


class Traffic:
    """An endpoint's requests in a period: statistics, and how often a value broke the baseline's constraints."""

    def __init__(self, contract: Contract, constraints: Mapping[str, Mapping[str, Any]]) -> None:
        """Starts without rows. The constraints are those of `constraints.json`, by feature."""
        self._contract = contract
        self._constraints = constraints
        self.statistics = RowStatistics(contract)
        self.wrong_type: Counter[str] = Counter()
        self.out_of_range: Counter[str] = Counter()
        self.extra_columns: Counter[str] = Counter()
        self.absent_columns: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a row as it was sent."""
        contract = self._contract
        self.extra_columns.update(name for name in row if name not in contract.feature_names)
        self.absent_columns.update(name for name in contract.feature_names if name not in row)
        category = row.get(contract.category)
        if not is_missing(category) and not isinstance(category, str):
            self.wrong_type[contract.category] += 1
            category = None
        self.statistics.add(
            None if is_missing(category) else str(category).strip(),
            [self._measure(name, row.get(name)) for name in contract.measure_names],
        )

    def _measure(self, name: str, value: object) -> float:
        if is_missing(value):
            return math.nan
        limits = self._constraints.get(name, {}).get("num_constraints", {})
        try:
            number = _signed_number(name, value)
        except RowError:
            self.wrong_type[name] += 1
            return math.nan
        least = max(limits.get("minimum", -math.inf), 0.0 if limits.get("is_non_negative") else -math.inf)
        if not least <= number <= limits.get("maximum", math.inf):
            self.out_of_range[name] += 1
        return number


def read_traffic(contract: Contract, request: Request, constraints: Mapping[str, Mapping[str, Any]]) -> Traffic:
    """Reads the invocations of the period, line by line.

    Raises:
        JobError: none of them can be read.
    """
    traffic = Traffic(contract, constraints)
    unreadable = read = 0
    for line in _lines(request.traffic):
        try:
            moment, rows = rows_of(contract, line)
        except UnreadableError as error:
            unreadable += 1
            if unreadable == 1:
                logger.warning("An invocation can't be read, and is left out: %s", error)
            continue
        read += 1
        # Whole hours are downloaded, so invocations before and after the period are here as well.
        if request.start <= moment < request.end:
            for row in rows:
                traffic.add(row)
    if unreadable and not read:
        raise JobError(
            f"None of the {unreadable} captured invocations can be read: check the objects under data-capture/ "
            "and at the content types that the endpoint configuration captures as JSON and CSV."
        )
    logger.info(
        "Invocations: %d read, %d unreadable; rows of the period: %d", read, unreadable, traffic.statistics.rows
    )
    return traffic


def _lines(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*.jsonl")):
        with file.open(encoding="utf-8", errors="replace") as stream:
            yield from (line for line in stream if line.strip())


def robust_distance(distance: float, count: int, baseline_count: int) -> float:
    """A distance of two distributions less the distance by chance, at least 0."""
    return max(0.0, distance - CHANCE * math.sqrt((count + baseline_count) / (count * baseline_count)))


def _shares(buckets: Mapping[str, int]) -> dict[str, float]:
    total = sum(buckets.values())
    return {value: count / total for value, count in buckets.items()}


def distances(traffic: Traffic, baseline: Mapping[str, Any]) -> dict[str, float]:
    """How far each feature has moved from the baseline, 0 to 1; features without values on one side are left out."""
    statistics = traffic.statistics
    result: dict[str, float] = {}
    for feature in baseline["features"]:
        name = feature["name"]
        if "string_statistics" in feature:
            buckets = feature["string_statistics"]["distribution"]["categorical"]["buckets"]
            before, now = {bucket["value"]: bucket["count"] for bucket in buckets}, statistics.categories
            if before and now:
                old, new = _shares(before), _shares(now)
                distance = max(abs(old.get(value, 0.0) - new.get(value, 0.0)) for value in old.keys() | new.keys())
                result[name] = robust_distance(distance, sum(now.values()), sum(before.values()))
        elif name in statistics.measures and "distribution" in feature["numerical_statistics"]:
            sketch = QuantileSketch(feature["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"])
            current = statistics.measures[name].sketch
            if sketch.count and current.count:
                result[name] = robust_distance(current.distance(sketch), current.count, sketch.count)
    return result


def _violation(feature: str, check: str, description: str) -> dict[str, str]:
    return {"feature_name": feature, "constraint_check_type": check, "description": description}


def contract_violations(traffic: Traffic, constraints: Mapping[str, Any]) -> list[dict[str, str]]:
    """The constraints that rows of the period break, apart from drift."""
    statistics, settings = traffic.statistics, constraints["monitoring_config"]
    rows = statistics.rows
    violations: list[dict[str, str]] = []
    for feature in constraints["features"]:
        name = feature["name"]
        if traffic.absent_columns[name] == rows and feature["completeness"] > 0:
            violations.append(_violation(name, "missing_column_check", "The feature is in no row."))
            continue
        if "string_constraints" in feature:
            categories, missing = statistics.categories, statistics.missing_categories
            present = sum(categories.values())
            domain = feature["string_constraints"]["domains"]
            known = sum(categories.get(value, 0) for value in domain)
            if present and known / present < settings["domain_content_threshold"]:
                described = f"{known} of {present} values are among {', '.join(domain)}; all were expected to be."
                violations.append(_violation(name, "categorical_values_check", described))
        else:
            present, missing = statistics.measures[name].present, statistics.measures[name].missing
            if outside := traffic.out_of_range[name]:
                limits = feature["num_constraints"]
                described = (
                    f"{outside} of {present} values are not between {limits['minimum']:g} and {limits['maximum']:g}."
                )
                violations.append(_violation(name, "range_check", described))
        wrong = traffic.wrong_type[name]
        if wrong and 1 - wrong / (present + wrong) < settings["datatype_check_threshold"]:
            described = f"{wrong} of {present + wrong} values are not of the type {feature['inferred_type']}."
            violations.append(_violation(name, "data_type_check", described))
        completeness = (present + wrong) / (present + missing)
        if completeness < feature["completeness"]:
            described = f"{missing - wrong} of {present + missing} values are missing."
            violations.append(_violation(name, "completeness_check", described))
    for name, count in sorted(traffic.extra_columns.items()):
        violations.append(
            _violation(name, "extra_column_check", f"{count} of {rows} rows have it; the baseline does not.")
        )
    return violations


def drift_violations(moved: Mapping[str, float], limit: float) -> list[dict[str, str]]:
    """The features that moved further than the limit."""
    return [
        _violation(
            name, "baseline_drift_check", f"The distance {distance:.3f} to the baseline is above the limit {limit:g}."
        )
        for name, distance in moved.items()
        if distance > limit
    ]


def metrics_of(
    traffic: Traffic, moved: Mapping[str, float] | None, violations: Sequence[Mapping[str, str]], limit: float
) -> list[dict[str, Any]]:
    """CloudWatch metrics without their dimensions: those of the prebuilt container, and sums for alarms."""
    statistics = traffic.statistics
    metrics: list[dict[str, Any]] = [
        {"MetricName": "rows", "Value": float(statistics.rows), "Unit": "Count"},
        {"MetricName": "contract_violations", "Value": float(len(violations)), "Unit": "Count"},
        {"MetricName": FAILURES_METRIC, "Value": 0.0, "Unit": "Count"},
    ]
    for name, measure in statistics.measures.items():
        metrics.append({"MetricName": f"feature_non_null_{name}", "Value": float(measure.present), "Unit": "Count"})
        if measure.present:
            values = {
                "SampleCount": float(measure.present),
                "Sum": measure.sum,
                "Minimum": measure.minimum,
                "Maximum": measure.maximum,
            }
            metrics.append({"MetricName": f"feature_data_{name}", "StatisticValues": values})
    if moved is not None:
        drifted = sum(distance > limit for distance in moved.values())
        metrics.append({"MetricName": "drifted_features", "Value": float(drifted), "Unit": "Count"})
        metrics.extend(
            {"MetricName": f"feature_baseline_drift_{name}", "Value": distance} for name, distance in moved.items()
        )
    return metrics


def publish(request: Request, metrics: Sequence[Mapping[str, Any]]) -> None:
    """Puts metrics into CloudWatch, with the dimensions `Endpoint` and `MonitoringSchedule`."""
    dimensions = [
        {"Name": "Endpoint", "Value": request.endpoint},
        {"Name": "MonitoringSchedule", "Value": request.schedule},
    ]
    now = datetime.now(UTC)
    client("cloudwatch").put_metric_data(
        Namespace=METRICS_NAMESPACE,
        MetricData=[{**metric, "Dimensions": dimensions, "Timestamp": now} for metric in metrics],
    )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document["features"], list):
            raise TypeError("features is not a list")
    except FileNotFoundError as error:
        raise JobError(
            f"{file.name} does not exist: name the champion's baseline in the monitoring schedule."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(f"{file.name} is not a baseline of `process`: {error}. Run the workflow again.") from error
    return document


def _write(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def monitor(folders: Folders) -> None:
    """Compares the period's traffic with the baseline, writes the result, and puts its metrics into CloudWatch."""
    request = read_request(os.environ, folders)
    try:
        _compare(request, folders)
    except Exception:
        if request.publishes_metrics:
            _publish_failure(request)
        raise


def _publish_failure(request: Request) -> None:
    """Puts a metric of a failed comparison, which would otherwise look like an hour without requests."""
    try:
        publish(request, [{"MetricName": FAILURES_METRIC, "Value": 1.0, "Unit": "Count"}])
    except (BotoCoreError, ClientError) as error:
        # The comparison's own failure is what the job reports.
        logger.error("The metric of the failure could not be put into CloudWatch: %s", error)


def _compare(request: Request, folders: Folders) -> None:
    contract = load_contract()
    baseline, constraints = _read_json(request.baseline_statistics), _read_json(request.baseline_constraints)
    by_name = {feature["name"]: feature for feature in constraints["features"]}
    traffic = read_traffic(contract, request, by_name)
    rows = traffic.statistics.rows
    broken = contract_violations(traffic, constraints) if rows else []
    limit = constraints["monitoring_config"]["distribution_constraints"]["comparison_threshold"]
    moved = distances(traffic, baseline) if rows >= request.minimum_rows else None
    violations = [*broken, *drift_violations(moved or {}, limit)]

    request.output.mkdir(parents=True, exist_ok=True)
    _write(request.output, STATISTICS_FILE, traffic.statistics.document())
    _write(request.output, CONSTRAINTS_FILE, constraints)
    _write(request.output, VIOLATIONS_FILE, {"violations": violations})
    if request.publishes_metrics:
        publish(request, metrics_of(traffic, moved, broken, limit))
    for violation in violations:
        logger.warning("%(feature_name)s: %(constraint_check_type)s: %(description)s", violation)

    # The exit message decides on an execution's status.
    said = f"{len(violations)} violation{'s' if len(violations) != 1 else ''}"
    too_few = (
        "" if moved is not None else f" Drift is judged from {request.minimum_rows} rows on; the period has {rows}."
    )
    status = "CompletedWithViolations" if violations else "Completed"
    folders.output.mkdir(parents=True, exist_ok=True)
    message = f"{status}: Job completed successfully with {said if violations else 'no violations'}.{too_few}"
    (folders.output / "message").write_text(message, encoding="utf-8")
    logger.info(message)
