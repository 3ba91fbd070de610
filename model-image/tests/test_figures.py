"""The public figures: what the website shows of a model, and of the animals from which it learnt."""

import json
import math
import random
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone import animals_by_length
from abalone.animals_by_length import BAND_WIDTH, LEAST_BAND_ROWS, MOST_POINTS, AnimalsByLength
from abalone.evaluation import Scored, evaluation_of
from abalone.figures import public_figures
from abalone.predictor import Predictor
from tests.commands import command, pack_model
from tests.surveys import CONTRACT, Record, data_set, survey, write_data_set

SUMMARY: dict[str, Any] = {
    "rows": {"train": 1400, "validation": 200, "test": 300},
    "surveyed": {"oldest": "1995-12-01T00:00:00.000Z", "newest": "2026-03-01T09:30:00.000Z"},
    "origins": {"uci": 1500, "own": 400},
    "rejected": 2,
    "survey": {"points": [[91.5, 10.5]], "bands": []},
}
LARGEST = 40 * 1024


def content(records: Iterable[Record]) -> dict[str, Any]:
    animals = AnimalsByLength(CONTRACT)
    for record in records:
        animals.add(record.record_id, list(record.measures), record.rings)
    return animals.content


def animal(number: int, length: float, rings: int) -> Record:
    return Record(f"a-{number}", "F", (length, *survey(1)[0].measures[1:]), rings)


def figures(trained: Path, summary: dict[str, Any] = SUMMARY) -> tuple[dict[str, Any], dict[str, Any]]:
    predictor = Predictor(CONTRACT, trained / "model/model.onnx")
    rows = data_set(survey(300, seed=21))
    report = evaluation_of(CONTRACT, rows, Scored(predictor, predictor.predict(rows.features)), "none", None)
    at = datetime(2026, 11, 22, 22, 5, 7, 123456, UTC)
    return public_figures(CONTRACT, report, summary, at, 0.9), report


def test_few_animals_are_all_shown_with_length_and_age_and_nothing_else():
    records = survey(50)

    points = content(records)["points"]

    assert sorted(points) == points
    assert points == sorted([record.measures[0], record.rings + 1.5] for record in records)


def test_of_many_a_sample_is_shown_that_neither_order_nor_process_changes():
    records = survey(3000)
    shuffled = random.Random(3).sample(records, len(records))

    shown = content(records)

    assert len(shown["points"]) == MOST_POINTS
    assert content(shuffled) == shown
    # It is like the whole: the mean of 600 strays by a tenth of a standard deviation in one of a hundred draws.
    ages = np.array([record.rings + 1.5 for record in records])
    assert abs(np.mean([age for _, age in shown["points"]]) - ages.mean()) < 0.15 * ages.std()


def test_new_animals_take_their_share_of_the_sample_and_no_more():
    old, new = survey(3000, seed=1), survey(300, seed=2)
    before = [tuple(point) for point in content(old)["points"]]
    after = [tuple(point) for point in content(old + new)["points"]]

    assert len(set(before) & set(after)) > 0.8 * len(set(before))


def test_however_many_animals_come_no_more_is_kept_than_is_shown():
    animals = AnimalsByLength(CONTRACT)
    generator = random.Random(1)
    for number in range(20_000):
        animals.add(str(number), [generator.uniform(0, 400)] + [1.0] * 6, generator.randint(1, 60))

    assert len(animals._sample) == MOST_POINTS
    assert sum(len(counts) for counts in animals._counts.values()) <= 26 * 60
    assert len(json.dumps(animals.content)) < LARGEST / 2


@pytest.mark.parametrize("length", [0, 9.9, 250.5, 1e30])
def test_an_animal_of_an_impossible_length_would_only_spoil_the_picture(length: float):
    assert content([animal(1, length, 9)]) == {"points": [], "bands": []}


def test_bands_hold_every_animal_once_and_enough_of_them():
    records = survey(2000)

    bands = content(records)["bands"]

    assert sum(band["rows"] for band in bands) == len(records)
    assert all(band["rows"] >= LEAST_BAND_ROWS for band in bands)
    for band, following in zip(bands, [*bands[1:], None], strict=True):
        members = [r.rings + 1.5 for r in records if band["from"] <= r.measures[0] < band["to"]]
        assert len(members) == band["rows"]
        ends = np.quantile(members, [0.05, 0.5, 0.95], method="inverted_cdf")
        assert [band["low"], band["median"], band["high"]] == ends.tolist()
        assert following is None or band["to"] <= following["from"]


def test_few_at_the_end_go_to_their_neighbours():
    records = [animal(n, 52 if n < 25 else 61 if n < 28 else 85, 5 + n % 3) for n in range(30)]

    bands = content(records)["bands"]

    assert [(band["from"], band["to"], band["rows"]) for band in bands] == [(50, 90, 30)]
    alone = content([animal(1, 57, 7)])["bands"]
    assert alone == [{"from": 50, "to": 50 + BAND_WIDTH, "rows": 1, "low": 8.5, "median": 8.5, "high": 8.5}]
    assert content([])["bands"] == []


def test_a_contract_without_a_length_is_refused():
    without = replace(CONTRACT, measures=tuple(m for m in CONTRACT.measures if m.name != "length"))
    with pytest.raises(ValueError, match="no feature length in mm"):
        AnimalsByLength(without)


def test_the_figures_are_those_of_the_evaluation_in_years(trained: Path):
    shown, report = figures(trained)

    rmse = report["regression_metrics"]["rmse"]
    assert shown["quality"]["rmse"] == {
        "value": pytest.approx(rmse["value"], abs=0.0005),
        "low": pytest.approx(rmse["low"], abs=0.0005),
        "high": pytest.approx(rmse["high"], abs=0.0005),
        "confidence": 0.9,
    }
    coverage = shown["quality"]["coverage"]
    assert coverage["overall"] == pytest.approx(report["interval"]["coverage"], abs=0.00005)
    assert set(coverage["bySex"]) == {group["name"] for group in report["groups"]["sex"]}
    assert sum(group["rows"] for group in coverage["bySex"].values()) == 300
    thirds = coverage["byThird"]
    assert [third["rows"] for third in thirds] == [100, 100, 100]
    assert all(third["from"] <= third["to"] for third in thirds)
    assert thirds[0]["to"] <= thirds[1]["from"]
    predicted = report["groups"]["predicted"]
    assert f"({predicted[0]['lowest_estimate']:.1f} to" in predicted[0]["name"]
    assert thirds[0]["from"] == pytest.approx(predicted[0]["lowest_estimate"] + 1.5, abs=0.051)
    assert shown["data"]["rows"] == 1900
    assert shown["data"]["heldOutRows"] == 300
    assert shown["data"]["trainingRows"] == report["training"]["rows"]
    assert shown["model"] == {"name": "job-1", "run": "job-1", "trainedAt": "2026-11-22T22:05:07Z"}


def test_the_limits_are_told_to_fishermen_in_years(trained: Path):
    shown, report = figures(trained)
    oldest, told = report["groups"]["rings"][-1], " ".join(shown["limits"])

    assert oldest["name"] == "16 rings and more"
    error = f"{abs(oldest['mean_error']):.1f}\u00a0years too {'low' if oldest['mean_error'] < 0 else 'high'}"
    assert f"The age of animals of 17.5\u00a0years and more ({oldest['rows']} were tested) is estimated {error}" in told
    assert f"true age of {100 * oldest['coverage']:.0f} of 100" in told
    assert f"held that of {100 * report['interval']['coverage']:.1f} of 100" in told
    # The card's words, which the rest of the website doesn't use.
    assert not {"rings", "rows", "interval"} & set(re.findall(r"\w+", told))
    assert "imulat" not in told
    simulated = figures(trained, {**SUMMARY, "origins": {"uci": 1500, "simulated": 300}})[0]["limits"]
    assert "17 of 100 animals that it learnt from are simulated" in simulated[-1]


def test_each_origin_is_told_with_its_rows_its_licence_and_whether_it_is_simulated(trained: Path):
    uci, own = figures(trained)[0]["data"]["origins"]
    assert (uci["rows"], uci["simulated"], own["rows"], own["simulated"]) == (1500, False, 400, False)
    assert "10.24432/C55C7W" in uci["source"]
    assert "CC BY 4.0" in uci["licence"]
    assert "UCI" not in own["source"]
    assert "no licence to others is implied" in own["licence"]
    (simulated,) = figures(trained, {**SUMMARY, "origins": {"simulated": 1900}})[0]["data"]["origins"]
    assert (simulated["rows"], simulated["simulated"]) == (1900, True)
    assert "CC BY" not in simulated["licence"]


def test_the_document_stays_small_whatever_the_survey(trained: Path, monkeypatch: pytest.MonkeyPatch):
    generator = random.Random(5)
    monkeypatch.setattr(animals_by_length, "LEAST_BAND_ROWS", 1)  # as many bands as there can be
    records = [animal(n, generator.uniform(100, 249.9), generator.randint(10, 60)) for n in range(5000)]
    largest = {**SUMMARY, "origins": {"uci": 1, "simulated": 1, "own": 1}, "survey": content(records)}

    text = json.dumps(figures(trained, largest)[0], ensure_ascii=False, allow_nan=False)

    assert len(text.encode()) < LARGEST


def finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(finite(member) for member in value.values())
    if isinstance(value, list):
        return all(finite(member) for member in value)
    return not isinstance(value, float) or math.isfinite(value)


def evaluate(base: Path, trained: Path, summary: dict[str, Any] | None) -> Path:
    write_data_set(base / "processing/input/test/data.csv", survey(300, seed=21))
    pack_model(trained / "model", base / "processing/input/model/model.tar.gz")
    if summary is not None:
        file = base / "processing/input/summary/summary.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(summary))
    result = command("evaluate", base)
    assert result.returncode == 0, result.stdout
    return base / "processing/output/evaluation/public-figures.json"


def test_the_job_writes_the_figures_with_the_time_at_which_the_model_was_trained(tmp_path: Path, trained: Path):
    summary = {**SUMMARY, "problems": [], "feature_group": "surveys", "survey": content(survey(1000))}

    text = evaluate(tmp_path, trained, summary).read_text(encoding="utf-8")

    shown = json.loads(text)
    assert finite(shown)
    assert len(text.encode()) < LARGEST
    assert len(shown["survey"]["points"]) == MOST_POINTS
    written = datetime.fromtimestamp(int((trained / "model/model.onnx").stat().st_mtime), UTC)
    assert shown["model"]["trainedAt"] == written.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_who_evaluates_by_hand_without_a_summary_gets_no_figures(tmp_path: Path, trained: Path):
    assert not evaluate(tmp_path, trained, None).exists()
