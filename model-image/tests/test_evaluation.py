import csv
import http.server
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from abalone.contract import load_contract
from abalone.evaluation import evaluation_of
from abalone.metrics import METRICS, bootstrap, coverage, mae, mse, r2, rmse
from abalone.predictor import Predictions, Predictor
from tests.commands import command, pack_model
from tests.surveys import data_set, survey, write_data_set, write_training_job

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-abalone/1"
URL = "s3://acme-data/runs/one/model.tar.gz"
UNSEEN = survey(300, seed=11)


@pytest.fixture
def bucket() -> Iterator[dict[str, bytes]]:
    """Objects by path, behind an address that speaks as much S3 as a download needs. Fill it, then read the address."""
    objects: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self, with_body: bool) -> None:
            content = objects.get(self.path.partition("?")[0])
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("ETag", '"1"')
            self.end_headers()
            if with_body and content is not None:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    objects["address"] = f"http://127.0.0.1:{server.server_port}".encode()
    yield objects
    server.shutdown()
    thread.join()
    server.server_close()


def job(base: Path, trained: Path) -> Path:
    write_data_set(base / "processing/input/test/data.csv", UNSEEN)
    pack_model(trained / "model", base / "processing/input/model/model.tar.gz")
    return base


def evaluate(base: Path, bucket: dict[str, bytes]) -> dict[str, Any]:
    result = command(
        "evaluate",
        base,
        "--champion-model-data-url",
        URL,
        "--champion-model-package",
        PACKAGE,
        AWS_ENDPOINT_URL=bucket["address"].decode(),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((base / "processing/output/evaluation/evaluation.json").read_text())


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


def test_champion_and_challenger_are_scored_on_the_same_rows(tmp_path: Path, trained: Path, bucket: dict[str, bytes]):
    weak = tmp_path / "weak"
    write_training_job(weak, survey(200, seed=9), {"networks": "2", "epochs": "1"})
    assert command("train", weak).returncode == 0
    pack_model(weak / "model", tmp_path / "champion.tar.gz")
    bucket["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "champion.tar.gz").read_bytes()

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


def test_a_model_against_itself_differs_by_nothing(tmp_path: Path, trained: Path, bucket: dict[str, bytes]):
    job(tmp_path, trained)
    bucket["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "processing/input/model/model.tar.gz").read_bytes()

    evaluation = evaluate(tmp_path, bucket)

    assert evaluation["champion"]["regression_metrics"] == evaluation["regression_metrics"]
    assert evaluation["champion"]["rmse_difference"]["standard_deviation"] == 0
    assert evaluation["champion"]["rmse_difference"]["share_at_most_zero"] == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, f"{URL} cannot be read: An error occurred (404)"),
        (b"no archive", "model.tar.gz cannot be unpacked: not a gzip file"),
        (archive_of(model__h5=b"1"), "holds no model.onnx: it was not made by this image's `train`"),
        (archive_of(model__onnx=b"no model"), "is not an ONNX model that this image can run"),
    ],
)
def test_a_champion_that_cannot_be_read_is_recorded_and_stops_nothing(
    tmp_path: Path, trained: Path, bucket: dict[str, bytes], content: bytes | None, expected: str
):
    if content is not None:
        bucket["/acme-data/runs/one/model.tar.gz"] = content

    evaluation = evaluate(job(tmp_path, trained), bucket)

    assert set(evaluation["champion"]) == {"model_package", "error"}
    assert evaluation["champion"]["model_package"] == PACKAGE
    assert expected in evaluation["champion"]["error"]
    assert evaluation["regression_metrics"]["rmse"]["value"] > 0


def test_an_address_that_is_no_s3_uri_is_recorded(tmp_path: Path, trained: Path):
    result = command("evaluate", job(tmp_path, trained), "--champion-model-data-url", "http://example.com/model")

    assert result.returncode == 0, result.stdout
    evaluation = json.loads((tmp_path / "processing/output/evaluation/evaluation.json").read_text())
    assert "is no S3 URI of an object" in evaluation["champion"]["error"]


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
