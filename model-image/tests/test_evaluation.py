import csv
import errno
import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from abalone import evaluation
from abalone.contract import load_contract
from abalone.errors import JobError
from abalone.evaluation import evaluation_of
from abalone.metrics import METRICS, bootstrap, coverage, mae, mse, r2, rmse
from abalone.predictor import Predictions, Predictor
from tests.commands import command, pack_model
from tests.surveys import data_set, survey, write_data_set, write_training_job

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-abalone/1"
URL = "s3://acme-data/runs/one/model.tar.gz"
UNSEEN = survey(300, seed=11)


@dataclass
class Bucket:
    """S3 with one bucket. `refusals` has the status and the code that answer "HEAD", "GET" or "LIST"."""

    objects: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, operation: str, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if operation in self.refusals:
            status, code = self.refusals[operation]
            return status, f"<Error><Code>{code}</Code><Message>As the test wants it</Message></Error>".encode()
        if operation == "LIST":
            [prefix] = query["prefix"]
            keys = [path.removeprefix("/acme-data/") for path in self.objects]
            found = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in sorted(keys) if key.startswith(prefix))
            return 200, f"<ListBucketResult>{found}</ListBucketResult>".encode()
        content = self.objects.get(path)
        return (404, b"") if content is None else (200, content)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A bucket behind an address that speaks as much S3 as a download needs."""
    bucket = Bucket()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self, operation: str, with_body: bool = True) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            operation = "LIST" if "list-type" in query else operation
            bucket.requests.append(operation)
            status, content = bucket.answer(operation, url.path, query)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer("GET")

        def do_HEAD(self) -> None:
            self._answer("HEAD", with_body=False)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    bucket.address = f"http://127.0.0.1:{server.server_port}"
    yield bucket
    server.shutdown()
    thread.join()
    server.server_close()


def job(base: Path, trained: Path) -> Path:
    write_data_set(base / "processing/input/test/data.csv", UNSEEN)
    pack_model(trained / "model", base / "processing/input/model/model.tar.gz")
    return base


def start(base: Path, address: str, url: str = URL) -> subprocess.CompletedProcess[str]:
    options = ["--champion-model-data-url", url, "--champion-model-package", PACKAGE]
    return command("evaluate", base, *options, AWS_ENDPOINT_URL=address)


def evaluate(base: Path, bucket: Bucket) -> dict[str, Any]:
    result = start(base, bucket.address)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((base / "processing/output/evaluation/evaluation.json").read_text())


def refuse(base: Path, address: str, url: str = URL) -> str:
    """The reason for which the job fails; it leaves no evaluation that could be judged."""
    result = start(base, address, url)
    assert result.returncode == 1, result.stdout
    assert not (base / "processing/output/evaluation").exists()
    return (base / "output/message").read_text()


def archive_of(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_without_a_champion_the_challenger_stands_alone(tmp_path: Path, trained: Path):
    result = command("evaluate", job(tmp_path, trained))

    assert result.returncode == 0, result.stdout + result.stderr
    folder = tmp_path / "processing/output/evaluation"
    evaluation = json.loads((folder / "evaluation.json").read_text())
    rows = data_set(UNSEEN)
    predictions = Predictor(load_contract(), trained / "model/model.onnx").predict(rows.features)
    metrics = evaluation["regression_metrics"]
    assert set(metrics) == {"mae", "mse", "rmse", "r2"}
    assert metrics["rmse"]["value"] == pytest.approx(rmse(predictions.rings.astype(float), rows.labels))
    assert 0 < metrics["rmse"]["standard_deviation"] < metrics["rmse"]["value"] / 4
    assert evaluation["rows"] == 300
    assert evaluation["interval"]["confidence"] == 0.9
    assert evaluation["interval"]["coverage"] == coverage(predictions.low, predictions.high, rows.labels)
    assert evaluation["champion"] is None
    with (folder / "baseline.csv").open(newline="") as stream:
        header, *lines = csv.reader(stream)
    assert header == ["prediction", "label"]
    assert [float(line[1]) for line in lines] == rows.labels.tolist()
    assert [float(line[0]) for line in lines] == pytest.approx(predictions.rings.tolist(), abs=1e-3)


def test_champion_and_challenger_are_scored_on_the_same_rows(tmp_path: Path, trained: Path, bucket: Bucket):
    weak = tmp_path / "weak"
    write_training_job(weak, survey(200, seed=9), {"networks": "2", "epochs": "1"})
    assert command("train", weak).returncode == 0
    pack_model(weak / "model", tmp_path / "champion.tar.gz")
    bucket.objects["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "champion.tar.gz").read_bytes()

    evaluation = evaluate(job(tmp_path, trained), bucket)

    champion = evaluation["champion"]
    expected = Predictor(load_contract(), weak / "model/model.onnx").predict(data_set(UNSEEN).features)
    assert champion["model_package"] == PACKAGE
    value = champion["regression_metrics"]["rmse"]["value"]
    assert value == pytest.approx(rmse(expected.rings.astype(float), data_set(UNSEEN).labels))
    difference = champion["rmse_difference"]
    assert difference["value"] == pytest.approx(evaluation["regression_metrics"]["rmse"]["value"] - value)
    assert difference["low"] < difference["value"] < difference["high"] < 0
    assert difference["share_at_most_zero"] == 1


def test_a_model_against_itself_differs_by_nothing(tmp_path: Path, trained: Path, bucket: Bucket):
    job(tmp_path, trained)
    bucket.objects["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "processing/input/model/model.tar.gz").read_bytes()

    evaluation = evaluate(tmp_path, bucket)

    assert evaluation["champion"]["regression_metrics"] == evaluation["regression_metrics"]
    assert evaluation["champion"]["rmse_difference"]["standard_deviation"] == 0
    assert evaluation["champion"]["rmse_difference"]["share_at_most_zero"] == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, f"{URL} does not exist"),
        (b"no archive", "model.tar.gz cannot be unpacked: not a gzip file"),
        (archive_of(model__onnx=bytes(range(256)) * 64)[:-40], "model.tar.gz cannot be unpacked: "),
        (archive_of(model__h5=b"1"), "holds no model.onnx: it was not made by this image's `train`"),
        (archive_of(model__onnx=b"no model"), "is not an ONNX model that this image can run"),
    ],
)
def test_a_champion_that_is_gone_or_damaged_is_recorded_and_stops_nothing(
    tmp_path: Path, trained: Path, bucket: Bucket, content: bytes | None, expected: str
):
    if content is not None:
        bucket.objects["/acme-data/runs/one/model.tar.gz"] = content

    evaluation = evaluate(job(tmp_path, trained), bucket)

    assert set(evaluation["champion"]) == {"model_package", "error"}
    assert evaluation["champion"]["model_package"] == PACKAGE
    assert expected in evaluation["champion"]["error"]
    assert evaluation["regression_metrics"]["rmse"]["value"] > 0


@pytest.mark.parametrize(
    ("refusals", "expected"),
    [
        ({"HEAD": (403, "Forbidden")}, "(403)"),
        ({"GET": (403, "AccessDenied")}, "(AccessDenied)"),
        ({"HEAD": (403, "Forbidden"), "LIST": (403, "AccessDenied")}, "(AccessDenied)"),
        ({"GET": (400, "KMS.DisabledException")}, "(KMS.DisabledException)"),
        ({"GET": (503, "SlowDown")}, "(SlowDown)"),
    ],
)
def test_a_champion_that_cannot_be_read_at_present_fails_the_job(
    tmp_path: Path, trained: Path, bucket: Bucket, refusals: dict[str, tuple[int, str]], expected: str
):
    job(tmp_path, trained)
    bucket.objects["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "processing/input/model/model.tar.gz").read_bytes()
    bucket.refusals = refusals

    reason = refuse(tmp_path, bucket.address)

    assert reason.startswith(f"The champion {URL} cannot be read: ")
    assert expected in reason
    assert "The challenger is not judged without it: try again" in reason
    # What may pass is asked for again, what is refused is not.
    assert (bucket.requests.count("GET") > 1) == ("SlowDown" in expected)


def test_a_champion_behind_no_connection_fails_the_job(tmp_path: Path, trained: Path):
    assert "Could not connect to the endpoint" in refuse(job(tmp_path, trained), "http://127.0.0.1:9")


def test_a_disk_that_fails_is_no_damaged_champion(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pack_model(trained / "model", tmp_path / "model.tar.gz")
    monkeypatch.setattr(evaluation, "_download", lambda *_: tmp_path / "model.tar.gz")
    monkeypatch.setattr(tarfile.TarFile, "makefile", full)

    with pytest.raises(JobError, match="No space left on device"):
        evaluation._champion(load_contract(), URL, data_set(UNSEEN))


def test_a_missing_champion_is_found_missing_by_a_role_that_lists_its_prefix_alone(
    tmp_path: Path, trained: Path, bucket: Bucket
):
    bucket.objects["/acme-data/runs/one/model.tar.gz.old"] = b"1"
    bucket.refusals = {"HEAD": (403, "Forbidden")}

    evaluation = evaluate(job(tmp_path, trained), bucket)

    assert evaluation["champion"] == {"model_package": PACKAGE, "error": f"{URL} does not exist."}


def test_an_address_that_is_no_s3_uri_fails_the_job(tmp_path: Path, trained: Path):
    reason = refuse(job(tmp_path, trained), "http://127.0.0.1:9", "http://example.com/model")

    assert "'http://example.com/model' is no S3 URI of an object: correct its model package" in reason


def test_a_challenger_that_predicts_no_numbers_fails_the_job(tmp_path: Path, trained: Path):
    job(tmp_path, trained)
    model = onnx.load(trained / "model/model.onnx")
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.shape == (64, 64):
            constant.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), constant.name))
    broken = tmp_path / "broken"
    broken.mkdir()
    onnx.save(model, broken / "model.onnx")
    pack_model(broken, tmp_path / "processing/input/model/model.tar.gz")

    assert command("evaluate", tmp_path).returncode == 1

    message = (tmp_path / "output/message").read_text()
    assert (
        "The challenger predicts values that are not finite for 300 of 300 rows, the first is 'animal-11-0'" in message
    )
    assert not (tmp_path / "processing/output/evaluation").exists()


def test_a_missing_challenger_and_missing_rows_are_named(tmp_path: Path, trained: Path):
    job(tmp_path, trained)
    (tmp_path / "processing/input/model/model.tar.gz").unlink()
    assert command("evaluate", tmp_path).returncode == 1
    assert "model.tar.gz cannot be unpacked: [Errno 2]" in (tmp_path / "output/message").read_text()

    shutil.rmtree(tmp_path / "processing/input/test")
    assert command("evaluate", tmp_path).returncode == 1
    assert "holds no CSV file: check the S3 URI" in (tmp_path / "output/message").read_text()


def test_metrics_are_what_they_are_called():
    predictions, labels = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 8.0])

    assert mae(predictions, labels) == 1
    assert mse(predictions, labels) == pytest.approx(5 / 3)
    assert rmse(predictions, labels) == pytest.approx((5 / 3) ** 0.5)
    assert r2(predictions, labels) == pytest.approx(1 - 5 / 24)
    assert r2(predictions, np.full(3, 2.0)) == 0
    assert coverage(np.array([1.0, 3.0]), np.array([2.0, 4.0]), np.array([2.0, 2.0])) == 0.5


def test_the_bootstraps_deviation_is_that_of_the_mean():
    generator = np.random.default_rng(1)
    labels = generator.normal(10, 3, 2000)
    errors = generator.normal(0, 1, 2000)

    [values] = bootstrap([labels + errors], labels, seed=2)

    assert set(values) == set(METRICS)
    assert values["mae"].std() == pytest.approx(np.abs(errors).std() / 2000**0.5, rel=0.15)


def test_an_evaluation_repeats_to_the_last_digit():
    rows = data_set(survey(100))
    rings = rows.labels.astype(np.float32) + 1
    predictions = Predictions(rings, rings - 2, rings + 2)

    first = evaluation_of(rows, predictions, 0.9, PACKAGE, predictions)

    assert evaluation_of(rows, predictions, 0.9, PACKAGE, predictions) == first
    assert first["regression_metrics"]["rmse"] == {"value": 1.0, "standard_deviation": 0.0}
