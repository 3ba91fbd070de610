"""`monitor` as Model Monitor starts it: traffic of the same animals is quiet, that of others is not."""

import base64
import json
import re
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone.monitoring import robust_distance
from abalone.statistics import RowStatistics, write_baseline
from tests.commands import command
from tests.surveys import CONTRACT, Record, survey

START, END = "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"
MOMENT = "2026-03-01T10:30:00Z"


class CloudWatch:
    """Takes what is put, as CloudWatch's query protocol spells it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                bodies.append(body)
                answer = b"{}" if "json" in self.headers.get("content-type", "") else b"<PutMetricDataResponse/>"
                self.send_response(200)
                self.send_header("content-type", self.headers.get("content-type", "text/xml"))
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def text(self) -> str:
        return b"".join(self.bodies).decode(errors="replace")


@pytest.fixture
def cloudwatch() -> Iterator[CloudWatch]:
    service = CloudWatch()
    yield service
    service.server.shutdown()
    service.server.server_close()


def captured(
    body: str, content_type: str = "application/json", moment: str = MOMENT, encoding: str | None = None
) -> str:
    encodings = {"application/json": "JSON", "text/csv": "CSV"}
    document = {
        "captureData": {
            "endpointInput": {
                "observedContentType": content_type,
                "mode": "INPUT",
                "data": base64.b64encode(body.encode()).decode() if encoding == "BASE64" else body,
                "encoding": encoding or encodings[content_type],
            }
        },
        "eventMetadata": {"eventId": "1", "inferenceTime": moment},
        "eventVersion": "0",
    }
    return json.dumps(document)


def asked(records: Sequence[Record], **changes: Any) -> list[str]:
    return [captured(json.dumps({"instances": [record.instance | changes]})) for record in records]


def bigger(records: Sequence[Record], factor: float) -> list[Record]:
    return [
        Record(
            r.record_id,
            r.sex,
            tuple(
                value * (factor if measure.unit == "mm" else factor**3)
                for value, measure in zip(r.measures, CONTRACT.measures, strict=True)
            ),
            r.rings,
        )
        for r in records
    ]


def prepare(base: Path, lines: Sequence[str], training: Sequence[Record]) -> None:
    statistics = RowStatistics(CONTRACT)
    for record in training:
        statistics.add(record.sex, record.measures)
    write_baseline(CONTRACT, statistics, base / "processing/baseline")
    folder = base / "processing/input/traffic/abalone/champion/2026/03/01/10"
    folder.mkdir(parents=True)
    half = len(lines) // 2
    (folder / "00-00-000-a.jsonl").write_text("\n".join(lines[:half]) + "\n")
    (folder / "30-00-000-b.jsonl").write_text("\n".join(lines[half:]))


def run(base: Path, cloudwatch: CloudWatch | None = None, **changes: str):
    variables = {
        "dataset_format": '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
        "dataset_source": "/opt/ml/processing/input/traffic",
        "output_path": "/opt/ml/processing/output/monitoring",
        "baseline_statistics": "/opt/ml/processing/baseline/statistics.json",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints.json",
        "start_time": START,
        "end_time": END,
        "sagemaker_endpoint_name": "abalone",
        "sagemaker_monitoring_schedule_name": "abalone-data",
        "publish_cloudwatch_metrics": "Enabled" if cloudwatch else "Disabled",
    } | changes
    if cloudwatch:
        variables["AWS_ENDPOINT_URL"] = cloudwatch.address
    return command("monitor", base, **variables)


def violations(base: Path) -> list[tuple[str, str]]:
    document = json.loads((base / "processing/output/monitoring/constraint_violations.json").read_text())
    return [(each["feature_name"], each["constraint_check_type"]) for each in document["violations"]]


def message(base: Path) -> str:
    return (base / "output/message").read_text()


@pytest.mark.parametrize("rows", [100, 400, 3000])
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_the_same_kind_of_animals_breaks_nothing(tmp_path: Path, rows: int, seed: int):
    prepare(tmp_path, asked(survey(rows, seed)), survey(2500))
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout
    assert violations(tmp_path) == []
    assert message(tmp_path) == "Completed: Job completed successfully with no violations."


def test_a_shifted_population_is_drift_and_cloudwatch_hears_of_it(tmp_path: Path, cloudwatch: CloudWatch):
    prepare(tmp_path, asked(bigger(survey(300, 11), 1.2)), survey(2500))
    result = run(tmp_path, cloudwatch)
    assert result.returncode == 0, result.stdout
    found = violations(tmp_path)
    assert ("length", "baseline_drift_check") in found
    assert ("whole_weight", "baseline_drift_check") in found
    assert "sex" not in [feature for feature, _ in found]
    assert message(tmp_path).startswith(
        f"CompletedWithViolations: Job completed successfully with {len(found)} violations."
    )
    for word in (
        "drifted_features",
        "feature_baseline_drift_length",
        "feature_data_length",
        "MonitoringSchedule",
        "abalone-data",
    ):
        assert word in cloudwatch.text
    assert "/aws/sagemaker/Endpoints/data-metrics" in cloudwatch.text.replace("%2F", "/")


def test_too_few_rows_say_nothing_of_drift(tmp_path: Path, cloudwatch: CloudWatch):
    prepare(tmp_path, asked(bigger(survey(99, 11), 1.4)), survey(2500))
    assert run(tmp_path, cloudwatch, minimum_rows="100").returncode == 0
    assert violations(tmp_path) == []
    assert message(tmp_path).endswith("Drift is judged from 100 rows on; the period has 99.")
    assert "drifted_features" not in cloudwatch.text


def test_other_shares_of_the_sexes_are_drift(tmp_path: Path):
    prepare(tmp_path, asked(survey(400, 11), sex="M"), survey(2500))
    assert run(tmp_path).returncode == 0
    assert ("sex", "baseline_drift_check") in violations(tmp_path)


def test_rows_outside_of_the_period_do_not_count(tmp_path: Path):
    before = [line.replace(MOMENT, "2026-03-01T09:59:59.999Z") for line in asked(survey(300, 11))]
    at_the_end = [line.replace(MOMENT, END) for line in asked(survey(300, 12))]
    prepare(tmp_path, [*before, *asked(survey(7, 13)), *at_the_end], survey(500))
    assert run(tmp_path).returncode == 0
    statistics = json.loads((tmp_path / "processing/output/monitoring/statistics.json").read_text())
    assert statistics["dataset"]["item_count"] == 7


def test_what_breaks_the_contract_is_named_with_its_check(tmp_path: Path):
    good = survey(50, 11)
    lines = [
        *asked(good),
        *asked(good[:1], length=251.0),
        *asked(good[:1], height=-3),
        *asked(good[:2], diameter="wide"),
        *asked(good[:3], whole_weight=None),
        *asked(good[:1], sex="X"),
        *asked(good[:1], colour="red"),
    ]
    prepare(tmp_path, lines, survey(500))
    assert run(tmp_path).returncode == 0
    assert violations(tmp_path) == [
        ("sex", "categorical_values_check"),
        ("length", "range_check"),
        ("diameter", "data_type_check"),
        ("height", "range_check"),
        ("whole_weight", "completeness_check"),
        ("colour", "extra_column_check"),
    ]


def test_csv_many_rows_and_base64_are_read(tmp_path: Path):
    records = survey(40, 11)
    body = "\n".join(",".join(record.features) for record in records)
    many = json.dumps({"instances": [record.instance for record in records]})
    lines = [captured(body, "text/csv"), captured(many), captured(many, encoding="BASE64")]
    prepare(tmp_path, lines, survey(500))
    assert run(tmp_path, minimum_rows="10").returncode == 0
    statistics = json.loads((tmp_path / "processing/output/monitoring/statistics.json").read_text())
    assert statistics["dataset"]["item_count"] == 120
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    "nonsense", ["{", "[]", "null", '{"captureData": 1}', captured("no json"), captured('{"instances": [1]}')]
)
def test_a_line_that_is_no_capture_is_left_out_and_only_such_lines_are_a_failure(tmp_path: Path, nonsense: str):
    (tmp_path / "one").mkdir()
    prepare(tmp_path / "one", [*asked(survey(5, 11)), nonsense], survey(500))
    result = run(tmp_path / "one")
    assert result.returncode == 0
    assert "5 read, 1 unreadable" in result.stdout

    (tmp_path / "all").mkdir()
    prepare(tmp_path / "all", [nonsense, nonsense], survey(500))
    assert run(tmp_path / "all").returncode == 1
    assert "None of the 2 captured invocations can be read" in message(tmp_path / "all")


def test_a_period_without_traffic_is_complete(tmp_path: Path, cloudwatch: CloudWatch):
    prepare(tmp_path, [], survey(500))
    assert run(tmp_path, cloudwatch).returncode == 0
    assert message(tmp_path).startswith("Completed: ")
    assert "drifted_features" not in cloudwatch.text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("start_time", "", "no start_time"),
        ("end_time", "noon", "end_time is 'noon'"),
        ("dataset_source", "/etc", "a path below /opt/ml was expected"),
        ("dataset_format", '{"parquet": {}}', "only captured traffic"),
        ("minimum_rows", "0", "minimum_rows is '0'"),
        ("baseline_statistics", "/opt/ml/processing/gone.json", "name the champion's baseline"),
    ],
)
def test_a_wrong_environment_fails_with_the_variable_s_name(tmp_path: Path, name: str, value: str, expected: str):
    prepare(tmp_path, asked(survey(5)), survey(500))
    assert run(tmp_path, **{name: value}).returncode == 1
    assert expected in message(tmp_path)


def failures(cloudwatch: CloudWatch) -> list[str]:
    """The values of the metric of failures, in the order in which they were put."""
    text = cloudwatch.text.replace("%2F", "/")
    return re.findall(r"failed_comparisons(?:(?!MetricName).)*?Value\W+([\d.]+)", text)


def test_a_comparison_that_fails_is_counted_and_the_next_one_counts_it_out(tmp_path: Path, cloudwatch: CloudWatch):
    prepare(tmp_path, asked(survey(5)), survey(500))
    constraints = tmp_path / "processing/baseline/constraints.json"
    good = constraints.read_text()
    constraints.write_text('{"features"')
    assert run(tmp_path, cloudwatch).returncode == 1
    assert [float(value) for value in failures(cloudwatch)] == [1]
    for dimension in ("Endpoint", "MonitoringSchedule", "abalone-data"):
        assert dimension in cloudwatch.text

    constraints.write_text(good)
    assert run(tmp_path, cloudwatch).returncode == 0
    assert [float(value) for value in failures(cloudwatch)] == [1, 0]


def test_a_failure_that_nobody_can_be_told_of_keeps_its_reason(tmp_path: Path):
    prepare(tmp_path, asked(survey(5)), survey(500))
    (tmp_path / "processing/baseline/constraints.json").write_text('{"features"')
    result = run(tmp_path, publish_cloudwatch_metrics="Enabled", AWS_MAX_ATTEMPTS="1")
    assert result.returncode == 1
    assert "The metric of the failure could not be put into CloudWatch" in result.stdout
    assert "is not a baseline of `process`" in message(tmp_path)


def test_a_damaged_baseline_fails(tmp_path: Path):
    prepare(tmp_path, asked(survey(5)), survey(500))
    (tmp_path / "processing/baseline/constraints.json").write_text('{"features"')
    assert run(tmp_path).returncode == 1
    assert "constraints.json is not a baseline of `process`" in message(tmp_path)


def test_the_robust_distance_leaves_out_what_chance_makes():
    assert robust_distance(0.2, 10, 10) == 0
    assert robust_distance(0.5, 1000, 1000) == pytest.approx(0.5 - 1.8 * np.sqrt(0.002))


def test_statistics_are_those_of_numpy(tmp_path: Path):
    records = survey(9000)
    statistics = RowStatistics(CONTRACT)
    for record in records:
        statistics.add(record.sex, record.measures)
    by_name = {feature["name"]: feature for feature in statistics.document()["features"]}
    for index, name in enumerate(CONTRACT.measure_names):
        values = np.array([record.measures[index] for record in records])
        numbers = by_name[name]["numerical_statistics"]
        assert numbers["mean"] == pytest.approx(values.mean())
        assert numbers["std_dev"] == pytest.approx(values.std())
        assert (numbers["min"], numbers["max"]) == (values.min(), values.max())
        buckets = numbers["distribution"]["kll"]["buckets"]
        exact = [int(np.sum(values <= bucket["upper_bound"])) for bucket in buckets]
        assert np.cumsum([bucket["count"] for bucket in buckets]) == pytest.approx(exact, abs=30)
    shares = by_name["sex"]["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert sum(bucket["count"] for bucket in shares) == 9000
