import csv
import errno
import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import onnx
import pytest
import scipy.stats
from onnx import numpy_helper

from abalone import evaluation
from abalone.errors import JobError
from abalone.evaluation import Scored, evaluation_of
from abalone.feature_contract import load_contract
from abalone.groups import scores_by_group
from abalone.metrics import METRICS, RESAMPLES, bootstrap, coverage, mae, mse, r2, rmse, share_interval
from abalone.predictor import Predictions, Predictor
from abalone.rows import DataSet, Features
from tests.commands import command, pack_model
from tests.surveys import CONTRACT, data_set, survey, write_data_set, write_training_job

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-ml-workflow-abalone/1"
URL = "s3://acme-data/runs/one/model.tar.gz"
UNSEEN = survey(300, seed=11)
# How a scorer comes to the champion: from the rows, the challenger and the champion that was loaded.
ChampionOf = Callable[[DataSet, Scored, Scored], Scored]


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


def predictor_of(model: Path) -> Predictor:
    return Predictor(CONTRACT, model / "model.onnx")


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


def test_champion_and_challenger_are_scored_on_the_same_rows(tmp_path: Path, trained: Path, weak: Path, bucket: Bucket):
    evaluation = champion_and_challenger(bucket, tmp_path, trained / "model", weak)

    champion = evaluation["champion"]
    expected = predictor_of(weak).predict(data_set(UNSEEN).features)
    assert champion["model_package"] == PACKAGE
    value = champion["regression_metrics"]["rmse"]["value"]
    assert value == pytest.approx(rmse(expected.rings.astype(float), data_set(UNSEEN).labels))
    difference = champion["rmse_difference"]
    assert difference["value"] == pytest.approx(evaluation["regression_metrics"]["rmse"]["value"] - value)
    assert difference["low"] < difference["value"] < difference["high"] < 0
    assert difference["share_at_most_zero"] == 1


def champion_and_challenger(bucket: Bucket, base: Path, challenger: Path, champion: Path) -> dict[str, Any]:
    """The evaluation of one model as challenger against another as champion."""
    pack_model(champion, base / "champion.tar.gz")
    bucket.objects["/acme-data/runs/one/model.tar.gz"] = (base / "champion.tar.gz").read_bytes()
    return evaluate(job(base, challenger.parent), bucket)


@pytest.fixture(scope="session")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of a training job that has learnt little."""
    base = tmp_path_factory.mktemp("weak")
    records = [replace(record, surveyed_at="2025-01-01T00:00:00Z") for record in survey(200, seed=9)]
    write_training_job(base, records, {"networks": "2", "epochs": "1"})
    assert command("train", base).returncode == 0
    return base / "model"


def check_that_each_is_scored_by_its_own_artefact(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two evaluations in which challenger and champion have changed places must mirror one another."""
    assert one["regression_metrics"] == other["champion"]["regression_metrics"]
    assert other["regression_metrics"] == one["champion"]["regression_metrics"]
    assert one["regression_metrics"] != other["regression_metrics"]
    assert one["training"] == other["champion"]["training"] != other["training"]
    for name in METRICS:
        there, back = one["champion"]["differences"][name], other["champion"]["differences"][name]
        assert there["value"] == -back["value"] != 0
        assert there["standard_deviation"] == pytest.approx(back["standard_deviation"]) != 0
        for level, value in there["quantiles"].items():
            assert value == pytest.approx(-back["quantiles"][f"{1 - float(level):g}"])


def test_who_changes_places_changes_scores(tmp_path: Path, trained: Path, weak: Path, bucket: Bucket):
    one = champion_and_challenger(bucket, tmp_path / "one", trained / "model", weak)
    other = champion_and_challenger(bucket, tmp_path / "other", weak, trained / "model")

    check_that_each_is_scored_by_its_own_artefact(one, other)
    assert one["champion"]["differences"]["rmse"]["quantiles"]["0.99"] < 0
    assert one["champion"]["differences"]["r2"]["quantiles"]["0.01"] > 0


def both_ways(trained: Path, weak: Path, champion_of: ChampionOf) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluations with the places changed, the champion loaded and scored by the function given."""
    rows = data_set(UNSEEN)
    models = [Scored(p, p.predict(rows.features)) for p in (predictor_of(trained / "model"), predictor_of(weak))]
    strong, poor = models
    return (
        evaluation_of(CONTRACT, rows, strong, PACKAGE, champion_of(rows, strong, poor)),
        evaluation_of(CONTRACT, rows, poor, PACKAGE, champion_of(rows, poor, strong)),
    )


def same_predictions(rows: DataSet, challenger: Scored, champion: Scored) -> Scored:
    return replace(champion, predictions=challenger.predictions)


def same_model(rows: DataSet, challenger: Scored, champion: Scored) -> Scored:
    return challenger


def other_rows(rows: DataSet, challenger: Scored, champion: Scored) -> Scored:
    shuffled = Features(rows.features.category, rows.features.measures[::-1])
    return replace(champion, predictions=champion.predictor.predict(shuffled))


@pytest.mark.parametrize("planted", [same_predictions, same_model, other_rows])
def test_a_scorer_that_takes_the_champions_score_from_elsewhere_is_caught(
    trained: Path, weak: Path, planted: ChampionOf
):
    check_that_each_is_scored_by_its_own_artefact(*both_ways(trained, weak, lambda _, __, champion: champion))

    with pytest.raises(AssertionError):
        check_that_each_is_scored_by_its_own_artefact(*both_ways(trained, weak, planted))


def test_a_model_against_itself_differs_by_nothing(tmp_path: Path, trained: Path, bucket: Bucket):
    job(tmp_path, trained)
    bucket.objects["/acme-data/runs/one/model.tar.gz"] = (tmp_path / "processing/input/model/model.tar.gz").read_bytes()

    evaluation = evaluate(tmp_path, bucket)

    assert evaluation["champion"]["regression_metrics"] == evaluation["regression_metrics"]
    assert evaluation["champion"]["training"] == evaluation["training"]
    for difference in evaluation["champion"]["differences"].values():
        assert {difference["value"], difference["standard_deviation"], *difference["quantiles"].values()} == {0}
    assert evaluation["champion"]["rmse_difference"]["share_at_most_zero"] == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, f"{URL} does not exist"),
        (b"no archive", "model.tar.gz cannot be unpacked: not a gzip file"),
        (archive_of(model__onnx=bytes(range(256)) * 64)[:-40], "model.tar.gz cannot be unpacked: "),
        (archive_of(model__h5=b"1"), "has no model.onnx: it was not made by this image's `train`"),
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


def test_a_champion_that_predicts_no_numbers_is_damaged(tmp_path: Path, trained: Path, bucket: Bucket):
    evaluation = champion_and_challenger(bucket, tmp_path, trained / "model", without_numbers(trained, tmp_path))

    assert set(evaluation["champion"]) == {"model_package", "error"}
    assert "The champion predicts values that are not finite for 300 of 300 rows" in evaluation["champion"]["error"]


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
    assert "The challenger is not judged without it. Check that" in reason
    # What may pass is asked for again, what is refused is not.
    assert (bucket.requests.count("GET") > 1) == ("SlowDown" in expected)


def test_a_champion_behind_no_connection_fails_the_job(tmp_path: Path, trained: Path):
    assert "Could not connect to the endpoint" in refuse(job(tmp_path, trained), "http://127.0.0.1:9")


def test_a_disk_that_fails_is_no_damaged_champion(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pack_model(trained / "model", tmp_path / "model.tar.gz")
    monkeypatch.setattr(evaluation, "_download", lambda *_: tmp_path / "model.tar.gz")
    monkeypatch.setattr(Path, "write_bytes", full)

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

    assert "'http://example.com/model' is not an S3 URI of an object: correct its model package" in reason


def without_numbers(trained: Path, base: Path) -> Path:
    """A model folder as after a training that ran away: a layer of NaN."""
    model = onnx.load(trained / "model/model.onnx")
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.shape == (64, 64):
            constant.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), constant.name))
    broken = base / "broken"
    broken.mkdir()
    onnx.save(model, broken / "model.onnx")
    return broken


def test_a_challenger_that_predicts_no_numbers_fails_the_job(tmp_path: Path, trained: Path):
    job(tmp_path, trained)
    pack_model(without_numbers(trained, tmp_path), tmp_path / "processing/input/model/model.tar.gz")

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
    assert "has no CSV file: check the S3 URI" in (tmp_path / "output/message").read_text()


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


def test_every_resample_is_scored_as_the_metrics_score_its_rows():
    generator = np.random.default_rng(3)
    labels = generator.integers(1, 29, 80).astype(float)
    models = [labels + generator.normal(0, 2, 80), labels + generator.normal(1, 3, 80)]

    values = bootstrap(models, labels, seed=4)

    draws = np.random.default_rng(4)
    for resample in range(RESAMPLES):
        rows = draws.integers(80, size=80)
        for predictions, columns in zip(models, values, strict=True):
            for name, metric in METRICS.items():
                assert columns[name][resample] == pytest.approx(metric.of(predictions[rows], labels[rows]), abs=1e-9)


def test_labels_that_do_not_vary_explain_nothing_in_any_resample():
    labels = np.full(50, 9.1)

    [values] = bootstrap([labels + np.random.default_rng(1).normal(0, 1, 50)], labels, seed=1)

    assert (values["r2"] == 0).all()


@pytest.mark.parametrize("name", METRICS)
def test_the_distribution_of_a_difference_is_what_scipy_finds(name: str):
    generator = np.random.default_rng(5)
    labels = generator.lognormal(2.25, 0.3, 400)
    champion = labels + generator.normal(0, 2.1, 400)
    challenger = champion + generator.normal(0, 0.5, 400)
    metric = METRICS[name]

    def difference(one: np.ndarray, other: np.ndarray, truth: np.ndarray) -> float:
        return metric.of(one, truth) - metric.of(other, truth)

    reference = scipy.stats.bootstrap(
        (challenger, champion, labels),
        difference,
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        confidence_level=0.9,
        rng=np.random.default_rng(6),
    )

    [ours, theirs] = bootstrap([challenger, champion], labels, seed=7)
    differences = ours[name] - theirs[name]
    error = float(reference.standard_error)
    # The ends of 2,000 and of 4,000 resamples wander by about a twentieth of the standard error.
    assert differences.std(ddof=1) == pytest.approx(error, rel=0.08)
    interval = reference.confidence_interval
    assert np.quantile(differences, [0.05, 0.95]) == pytest.approx([interval.low, interval.high], abs=0.2 * error)


def test_the_distribution_of_a_difference_is_known_where_theory_knows_it():
    # Two models whose absolute errors differ by a normal amount: the mean of n of them deviates by 1 / sqrt(n).
    generator = np.random.default_rng(8)
    labels = np.full(4000, 100.0)
    champion, challenger = labels + 50, labels + 50 + generator.normal(0.1, 1, 4000)

    [ours, theirs] = bootstrap([challenger, champion], labels, seed=9)

    differences = ours["mae"] - theirs["mae"]
    expected = scipy.stats.norm(np.mean(challenger - champion), np.std(challenger - champion) / 4000**0.5)
    levels = [0.01, 0.05, 0.5, 0.95, 0.99]
    assert np.quantile(differences, levels) == pytest.approx(expected.ppf(levels), abs=0.003)


@pytest.mark.parametrize(("covered", "rows"), [(0, 7), (7, 7), (45, 50), (463, 516)])
def test_a_shares_interval_is_wilsons(covered: int, rows: int):
    expected = scipy.stats.binomtest(covered, rows).proportion_ci(0.9, method="wilson")

    assert share_interval(covered / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_groups_take_every_row_once_and_show_who_is_served_worse(trained: Path):
    rows = data_set(survey(900, seed=12))
    predictions = predictor_of(trained / "model").predict(rows.features)

    groups = scores_by_group(CONTRACT, rows, predictions)

    assert list(groups) == ["predicted", "sex", "rings", *sorted(CONTRACT.optional_names)]
    assert [group["rows"] for group in groups["predicted"]] == [300, 300, 300]
    for kind in groups.values():
        assert sum(group["rows"] for group in kind) == 900
        assert sum(group["rows"] * group["coverage"] for group in kind) == pytest.approx(
            900 * coverage(predictions.low, predictions.high, rows.labels)
        )
        for group in kind:
            assert 0 <= group["coverage_low"] <= group["coverage"] <= group["coverage_high"] <= 1
    # An old animal looks like a younger one: in hindsight the old are estimated too low.
    assert groups["rings"][0]["name"] == "1 to 6 rings"
    assert groups["rings"][-1]["mean_error"] < 0
    males = np.array([sex == "M" for sex in rows.features.category])
    of_males = rmse(predictions.rings[males].astype(float), rows.labels[males])
    assert next(group for group in groups["sex"] if group["name"] == "M")["rmse"] == of_males


def test_a_group_without_a_row_is_no_group(trained: Path):
    rows = data_set([record for record in survey(200) if record.sex == "F" and record.rings < 10])

    groups = scores_by_group(CONTRACT, rows, predictor_of(trained / "model").predict(rows.features))

    assert [group["name"] for group in groups["sex"]] == ["F"]
    assert "16 rings and more" not in [group["name"] for group in groups["rings"]]


def test_an_evaluation_repeats_to_the_last_digit(trained: Path):
    rows = data_set(survey(100))
    rings = rows.labels.astype(np.float32) + 1
    model = Scored(predictor_of(trained / "model"), Predictions(rings, rings - 2, rings + 2))

    first = evaluation_of(CONTRACT, rows, model, PACKAGE, model)

    assert evaluation_of(CONTRACT, rows, model, PACKAGE, model) == first
    exact = {"value": 1.0, "standard_deviation": 0.0, "low": 1.0, "high": 1.0}
    assert first["regression_metrics"]["rmse"] == exact
