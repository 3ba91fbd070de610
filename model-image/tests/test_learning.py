import hashlib
import json
import os
import random
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from abalone.features import compute_features
from abalone.groups import scores_by_group
from abalone.learning import ROWS_AT_A_TIME, Network, Settings, conformal_ends, export, learn
from abalone.metrics import coverage, rmse
from abalone.predictor import Predictions, Predictor
from abalone.rows import DataSet, Features, features_of, read_data_set
from tests.surveys import CONTRACT, Record, data_set, survey, write_data_set

METADATA = {
    "name": "job-1",
    "confidence": "0.9",
    "features": json.dumps(CONTRACT.feature_names),
    "optional": json.dumps(sorted(CONTRACT.optional_names)),
    "training_rows": "200",
}
QUICK = Settings(networks=2, epochs=2)


def artefact(training: DataSet, validation: DataSet, settings: Settings) -> bytes:
    return export(CONTRACT, learn(CONTRACT, training, validation, settings), METADATA)


def predictor_of(content: bytes, folder: Path) -> Predictor:
    file = folder / "model.onnx"
    file.write_bytes(content)
    return Predictor(CONTRACT, file)


def test_the_same_rows_and_seed_give_the_same_artefact():
    training, validation = data_set(survey(200, seed=2)), data_set(survey(60, seed=3))

    first = artefact(training, validation, QUICK)

    assert artefact(training, validation, QUICK) == first
    assert artefact(training, validation, Settings(networks=2, epochs=2, seed=1)) != first


def test_neither_files_nor_line_order_change_the_rows(tmp_path: Path):
    records = survey(50)
    write_data_set(tmp_path / "one" / "data.csv", records)
    shuffled = random.Random(1).sample(records, len(records))
    write_data_set(tmp_path / "two" / "a.csv", shuffled[:20])
    write_data_set(tmp_path / "two" / "b.csv", shuffled[20:])

    one, two = read_data_set(CONTRACT, tmp_path / "one"), read_data_set(CONTRACT, tmp_path / "two")

    assert one.record_ids == two.record_ids
    assert one.features.category == two.features.category
    assert (one.features.measures == two.features.measures).all()
    assert (one.labels == two.labels).all()


def test_of_more_rows_than_fit_the_same_are_kept_whatever_their_order(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    records = survey(50)
    write_data_set(tmp_path / "one" / "data.csv", records)
    shuffled = random.Random(1).sample(records, len(records))
    write_data_set(tmp_path / "two" / "a.csv", shuffled[:20])
    write_data_set(tmp_path / "two" / "b.csv", shuffled[20:])
    whole = read_data_set(CONTRACT, tmp_path / "one")

    with caplog.at_level("INFO", logger="abalone"):
        one = read_data_set(CONTRACT, tmp_path / "one", most_rows=30)
        two = read_data_set(CONTRACT, tmp_path / "two", most_rows=30)
    fewer = read_data_set(CONTRACT, tmp_path / "one", most_rows=20)

    assert len(one) == 30
    assert one.record_ids == two.record_ids
    assert (one.labels == two.labels).all()
    assert one.record_ids != whole.record_ids[:30]
    assert set(fewer.record_ids) < set(one.record_ids) < set(whole.record_ids)
    places = [whole.record_ids.index(record_id) for record_id in one.record_ids]
    assert (one.features.measures == whole.features.measures[places]).all()
    assert one.newest_event == whole.newest_event
    assert "one: 30 of 50 rows are used" in caplog.text


def test_the_artefact_computes_what_the_networks_learnt(tmp_path: Path):
    training = data_set(survey(200, seed=2))
    ensemble = learn(CONTRACT, training, data_set(survey(60, seed=3)), QUICK)
    unseen = data_set(survey(50, seed=4)).features

    served = predictor_of(export(CONTRACT, ensemble, METADATA), tmp_path).predict(unseen)

    features = compute_features(CONTRACT, unseen, ensemble.pipeline)
    logarithm = np.mean([network.predict(features) for network in ensemble.networks], axis=0) + ensemble.correction
    spread = np.maximum(ensemble.spread.predict(features), 0.02)
    assert served.rings == pytest.approx(np.exp(logarithm), rel=1e-4)
    assert served.low == pytest.approx(np.maximum(np.exp(logarithm + ensemble.below * spread), 1), rel=1e-4)
    assert served.high == pytest.approx(np.minimum(np.exp(logarithm + ensemble.above * spread), 60), rel=1e-4)


def test_it_learns_what_there_is_to_learn(trained: Path):
    unseen = data_set(survey(1500, seed=5))
    predictions = Predictor(CONTRACT, trained / "model/model.onnx").predict(unseen.features)
    mean_only = float(unseen.labels.std())

    error = rmse(predictions.rings.astype(float), unseen.labels)

    # Knowing nothing but the mean leaves an error of about 3 rings; the survey's own noise one of about 1.1.
    assert error < 1.3 < 2.5 < mean_only
    assert abs(float(np.mean(predictions.rings - unseen.labels))) < 0.1


def test_the_interval_holds_nine_of_ten_and_follows_the_animal(trained: Path):
    unseen = data_set(survey(3000, seed=6))
    predictions = Predictor(CONTRACT, trained / "model/model.onnx").predict(unseen.features)
    width = predictions.high - predictions.low

    assert 0.85 <= coverage(predictions.low, predictions.high, unseen.labels) <= 0.95
    assert (predictions.low <= predictions.rings).all()
    assert (predictions.rings <= predictions.high).all()
    assert width[unseen.labels > 14].mean() > 1.5 * width[unseen.labels < 6].mean()


def test_row_by_row_equals_the_batch(trained: Path):
    predictor = Predictor(CONTRACT, trained / "model/model.onnx")
    rows = data_set(survey(300, seed=7)).features
    batch = predictor.predict(rows)

    for index in range(len(rows)):
        one = predictor.predict(Features(rows.category[index : index + 1], rows.measures[index : index + 1]))
        expected = (batch.rings[index], batch.low[index], batch.high[index])
        assert (one.rings[0], one.low[0], one.high[0]) == pytest.approx(expected, rel=1e-5)


def test_more_rows_than_one_run_takes_come_back_in_order(trained: Path):
    predictor = Predictor(CONTRACT, trained / "model/model.onnx")
    rows = data_set(survey(100, seed=8)).features
    many = predictor.predict(Features(rows.category * 400, np.tile(rows.measures, (400, 1))))

    assert len(many.rings) == 40_000
    assert many.high.reshape(400, 100) == pytest.approx(np.tile(predictor.predict(rows).high, (400, 1)), rel=1e-5)


def test_a_network_asked_about_many_rows_holds_few_of_them_at_a_time():
    random_numbers = np.random.default_rng(1)
    sizes = (8, 64, 64, 1)
    weights = [random_numbers.normal(size=shape) for shape in pairwise(sizes)]
    network = Network(weights, [np.zeros(size) for size in sizes[1:]])
    features = random_numbers.normal(size=(5 * ROWS_AT_A_TIME + 7, 8)).astype(np.float32)

    tracemalloc.start()
    many = network.predict(features)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    ends = np.concatenate([network.predict(features[:3]), network.predict(features[-3:])])
    assert many[[0, 1, 2, -3, -2, -1]] == pytest.approx(ends)
    assert len(many) == len(features)
    # Some layers of 64 numbers of eight bytes, of those rows alone; of all rows it would be five times as much.
    assert peak < 4 * ROWS_AT_A_TIME * 64 * 8


def test_the_artefact_is_small(trained: Path):
    assert (trained / "model/model.onnx").stat().st_size < 1_000_000


def test_the_ends_leave_out_half_of_the_rest_on_each_side():
    scores = np.arange(-50.0, 49.0)  # 99 scores, so (n + 1) · 0.95 is the 95th of them

    assert conformal_ends(scores, 0.9) == (-46.0, 44.0)
    assert conformal_ends(np.random.default_rng(1).permutation(scores), 0.9) == (-46.0, 44.0)


def test_too_few_scores_give_the_outermost_and_never_an_empty_interval():
    assert conformal_ends(np.array([-1.0, 2.0, 3.0]), 0.9) == (-1.0, 3.0)
    assert conformal_ends(np.array([2.0, 3.0]), 0.9) == (0.0, 3.0)


def uci_records() -> list[Record]:
    """UCI's animals, in mm and g."""
    records = []
    for number, line in enumerate(Path(os.environ["SURVEY_DATA"]).read_text().split()):
        sex, *measures, rings = line.split(",")
        values = tuple(round(float(value) * 200, 4) for value in measures)
        records.append(Record(f"uci-{number}", sex, values, int(rings)))
    return records


@pytest.mark.skipif("SURVEY_DATA" not in os.environ, reason="set SURVEY_DATA to UCI's abalone.data")
def test_ten_folds_of_real_rows_keep_what_the_model_promises(tmp_path: Path):
    records = uci_records()
    folds = [hashlib.sha256(record.record_id.encode()).digest()[0] % 10 for record in records]
    kept_out: list[Record] = []
    parts: list[Predictions] = []
    for fold in range(10):
        rest = [record for record, f in zip(records, folds, strict=True) if f != fold]
        unseen = sorted(
            (record for record, f in zip(records, folds, strict=True) if f == fold), key=lambda record: record.record_id
        )
        training = data_set([record for index, record in enumerate(rest) if index % 8])
        content = artefact(training, data_set(rest[::8]), Settings())
        assert len(content) < 1_000_000
        parts.append(predictor_of(content, tmp_path).predict(data_set(unseen).features))
        kept_out += unseen
    predictions = Predictions(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("rings", "low", "high"))
    )
    features = features_of(CONTRACT, [(record.sex, list(record.measures)) for record in kept_out])
    labels = np.array([float(record.rings) for record in kept_out])
    rows = DataSet([record.record_id for record in kept_out], features, labels, kept_out[0].surveyed_at)

    error = rmse(predictions.rings.astype(float), labels)
    covered = coverage(predictions.low, predictions.high, labels)
    groups = scores_by_group(CONTRACT, rows, predictions)
    print(f"10-fold: rmse {error:.3f} rings, coverage {covered:.3f}, {json.dumps(groups)}")
    assert error <= 2.05
    assert 0.88 <= covered <= 0.92
    # What can be known before an animal is opened, its sex and the estimate, leaves the promise as it is.
    for group in [*groups["predicted"], *groups["sex"]]:
        assert 0.88 <= group["coverage"] <= 0.93, group
    # Its age cannot: that the old are estimated too low, and covered too seldom, stands in docs/model.md.
    assert groups["rings"][-1]["mean_error"] < -3
    assert groups["rings"][-1]["coverage"] < 0.8
