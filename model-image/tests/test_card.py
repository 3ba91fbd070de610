"""The model card as JSON and as a page. Its schema is SageMaker's: the registry's tests hold it to that."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone.card import limits, model_card
from abalone.evaluation import Scored, evaluation_of
from abalone.page import page
from abalone.plots import MOST_POINTS, Axis, Bar, axis, scatter, shares
from abalone.predictor import Predictor
from tests.commands import command, pack_model
from tests.surveys import CONTRACT, data_set, survey, write_data_set

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-ml-workflow-abalone/7"
SUMMARY: dict[str, Any] = {
    "rows": {"train": 1400, "validation": 200, "test": 300},
    "surveyed": {"oldest": "1995-12-01T00:00:00.000Z", "newest": "2026-03-01T09:30:00.000Z"},
    "origins": {"uci": 1500, "simulated": 300, "own": 100},
    "rejected": 2,
    "survey": {"points": [[91.5, 10.5]], "bands": []},
}
SETTINGS = {"seed": 20250131, "learning_rate": 0.002}


@pytest.fixture(scope="module")
def scored(trained: Path) -> Scored:
    predictor = Predictor(CONTRACT, trained / "model/model.onnx")
    return Scored(predictor, predictor.predict(data_set(survey(300, seed=21)).features))


def worse(scored: Scored) -> Scored:
    predictions = scored.predictions
    return replace(scored, predictions=replace(predictions, rings=predictions.rings * np.float32(0.9)))


def evaluation(scored: Scored, champion: Scored | str | None = None) -> dict[str, Any]:
    return evaluation_of(CONTRACT, data_set(survey(300, seed=21)), scored, PACKAGE, champion)


def html(scored: Scored, champion: Scored | str | None = None, summary: dict[str, Any] | None = SUMMARY) -> str:
    report = evaluation(scored, champion)
    rows = data_set(survey(300, seed=21))
    return page(CONTRACT, model_card(CONTRACT, report, SETTINGS, summary), report, summary, rows, scored.predictions)


class Checked(HTMLParser):
    """Counts elements, gathers text, and finds out whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        # Nothing is loaded from anywhere, and nothing runs.
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick", "style"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def metrics_of(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {m["name"]: m for group in card["evaluation_details"][0]["metric_groups"] for m in group["metric_data"]}


def test_the_card_has_the_numbers_of_the_evaluation(scored: Scored):
    report = evaluation(scored, worse(scored))
    card = model_card(CONTRACT, report, SETTINGS, SUMMARY)

    metrics = metrics_of(card)
    rmse = report["regression_metrics"]["rmse"]
    assert metrics["RMSE"]["value"] == rmse["value"]
    assert f"90 % interval {rmse['low']:.3f} to {rmse['high']:.3f}" in metrics["RMSE"]["notes"]
    assert metrics["Coverage"]["value"] == report["interval"]["coverage"]
    for name, kind in (("Coverage by sex", "sex"), ("Coverage by age", "rings"), ("Coverage by estimate", "predicted")):
        assert metrics[name]["value"] == [group["coverage"] for group in report["groups"][kind]]
        assert len(metrics[name]["x_axis_name"]) == len(metrics[name]["value"])
    assert metrics["Champion"]["value"] == "version 7"
    assert metrics["Champion's RMSE"]["value"] == report["champion"]["regression_metrics"]["rmse"]["value"]
    assert metrics["Difference in RMSE"]["value"] == report["champion"]["rmse_difference"]["value"]
    job = card["training_details"]["training_job_details"]
    assert job["hyper_parameters"] == [
        {"name": "seed", "value": "20250131"},
        {"name": "learning_rate", "value": "0.002"},
    ]


def test_the_purpose_does_not_promise_that_the_animal_lives(scored: Scored):
    card = model_card(CONTRACT, evaluation(scored), SETTINGS, SUMMARY)

    purpose = card["intended_uses"]["purpose_of_model"]
    assert "without counting the rings under a microscope" in purpose
    assert "the animal has been opened" in purpose
    assert "killing" not in html(scored)


def test_the_card_tells_data_rows_split_and_licences(scored: Scored):
    card = model_card(CONTRACT, evaluation(scored), SETTINGS, SUMMARY)

    told = card["training_details"]["training_observations"]
    for words in (
        "1400 rows",
        "300 others",
        "from 1995-12-01 to 2026-03-01",
        "2 rows that break",
        "of 100 rows: 75 train",
    ):
        assert words in told
    data = card["additional_information"]["custom_details"]
    assert "CC BY 4.0" in data["data: uci"]
    assert data["data: uci"].startswith("1500 rows. ")
    assert "nobody has measured" in data["data: simulated"]
    assert "no licence to others is implied" in data["data: own"]
    assert "16 of 100 of its rows are simulated" in card["additional_information"]["caveats_and_recommendations"]


def test_what_a_model_did_not_learn_from_is_not_told(scored: Scored):
    card = json.dumps(model_card(CONTRACT, evaluation(scored), SETTINGS, {**SUMMARY, "origins": {"own": 1900}}))

    assert "UCI" not in card
    assert "imulat" not in card


def test_the_limits_are_those_of_this_model(scored: Scored):
    report = evaluation(scored)
    oldest = report["groups"]["rings"][-1]

    told = " ".join(limits(CONTRACT, report, {}))

    assert f"{oldest['rows']} rows) the estimate is {-oldest['mean_error']:.1f} rings too low" in told
    assert f"the interval holds the rings of {100 * oldest['coverage']:.0f} of 100" in told
    oldest["mean_error"] = 0.5
    assert "0.5 rings too high" in " ".join(limits(CONTRACT, report, {}))


@pytest.mark.parametrize(
    ("champion", "expected"),
    [
        (None, "There was no champion"),
        ("s3://acme-data/x does not exist.", f"The champion {PACKAGE} could not be scored"),
    ],
)
def test_no_comparison_is_told_as_such(scored: Scored, champion: str | None, expected: str):
    metrics = metrics_of(model_card(CONTRACT, evaluation(scored, champion), SETTINGS, SUMMARY))

    assert "Difference in RMSE" not in metrics
    assert (metrics["Comparison"]["notes"] if champion else metrics["Champion"]["value"]) in (
        champion,
        "none: this is the first model",
    )
    text = Checked(html(scored, champion)).text
    assert expected in text
    assert "difference" not in text


def test_the_page_is_whole_and_shows_what_the_card_says(scored: Scored):
    champion = worse(scored)
    report = evaluation(scored, champion)
    checked = Checked(html(scored, champion))

    assert checked.tags.count("svg") == 2 + len(report["groups"])
    assert not {"script", "link", "img", "iframe"} & set(checked.tags)
    for name in ("rmse", "r2"):
        assert f"{report['regression_metrics'][name]['value']:.3f}" in checked.text
        assert f"{report['champion']['differences'][name]['value']:+.4f}" in checked.text
    for groups in report["groups"].values():
        for group in groups:
            assert group["name"] in checked.text
            assert f"{100 * group['coverage']:.1f} %" in checked.text
    assert "CC BY 4.0" in checked.text
    assert PACKAGE in checked.text


def test_on_a_phone_each_number_stands_beside_its_columns_name(scored: Scored):
    text = html(scored, worse(scored))

    cells = re.findall(r"<td[^>]*>", text)
    assert cells
    assert all(re.search(r'data-column="[^"]+"', cell) for cell in cells)
    assert 'data-column="difference"' in text
    assert "@media (max-width: 40rem)" in text


def test_a_page_without_a_summary_tells_what_the_model_itself_knows(scored: Scored):
    text = Checked(html(scored, summary=None)).text

    assert "Learnt from 1400 rows, the last surveyed on 2026-03-01" in text
    assert "licence" not in text


def test_names_and_reasons_are_text_whatever_they_say(scored: Scored):
    report = evaluation(scored, "<script>alert(1)</script>")
    report["model"] = '"><img src=x onerror=alert(1)>'
    rows = data_set(survey(300, seed=21))

    text = page(CONTRACT, model_card(CONTRACT, report, SETTINGS, SUMMARY), report, SUMMARY, rows, scored.predictions)

    assert not {"script", "img"} & set(Checked(text).tags)
    assert "default-src 'none'" in text


def test_the_same_evaluation_gives_the_same_page(scored: Scored):
    assert html(scored) == html(scored)


def plot_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own text


def test_a_dot_stands_where_its_numbers_say():
    square = Axis("x", 0, 10)
    text = scatter("t", "d", square, square, (np.array([0.0, 10.0]), np.array([0.0, 10.0])), [(0, 0), (10, 10)])

    dots = re.search(r'class="dots" d="M([\d.]+) ([\d.]+)h0M([\d.]+) ([\d.]+)h0"', text)
    line = re.search(r'class="reference" d="M([\d.]+) ([\d.]+) L([\d.]+) ([\d.]+)"', text)
    assert dots.groups() == line.groups()
    left, bottom, right, top = (float(value) for value in dots.groups())
    assert left < right
    assert top < bottom  # SVG counts from above
    assert plot_of(text).find("title").text == "t"


@pytest.mark.parametrize("rows", [1, MOST_POINTS, MOST_POINTS + 1, 100_000])
def test_a_plot_stays_small_however_many_rows_there_are(rows: int):
    values = np.linspace(1, 20, rows)
    across = axis("x", values, 0.5)

    text = scatter("t", "d", across, across, (values, values), [(1, 1), (20, 20)])

    assert min(rows, MOST_POINTS // 2) <= text.count("h0") <= MOST_POINTS
    assert len(text) < 30_000


@pytest.mark.parametrize(("lowest", "highest"), [(0, 1), (2.7, 29.5), (-11, 8), (0.5, 0.5000001), (0, 100_000)])
def test_ticks_are_round_and_few_and_within(lowest: float, highest: float):
    ticks = Axis("x", lowest, highest).ticks()

    assert len(ticks) <= 7
    assert all(lowest - 1e-6 <= tick <= highest + 1e-6 for tick in ticks)
    assert ticks == sorted(ticks)


def test_values_that_are_all_the_same_still_have_an_axis():
    assert axis("x", np.array([3.0, 3.0])).highest > 3


def test_a_share_stands_between_its_ends_and_no_promise_is_left_out():
    plot = plot_of(shares("t", "d", [Bar("<b>old</b>", 0.4, 0.2, 0.6)], 0.9))

    circle = plot.find("circle")
    whisker = next(path.get("d") for path in plot.findall("path") if path.get("class") == "whisker")
    reference = next(path.get("d") for path in plot.findall("path") if path.get("class") == "reference")
    low, high = (float(end.split()[0]) for end in whisker.removeprefix("M").split(" L"))
    assert low < float(circle.get("cx")) < high < float(reference.removeprefix("M").split()[0])
    assert "<b>old</b>" in [text.text for text in plot.findall("text")]


def test_the_job_writes_the_card_beside_the_evaluation(tmp_path: Path, trained: Path):
    write_data_set(tmp_path / "processing/input/test/data.csv", survey(300, seed=21))
    pack_model(trained / "model", tmp_path / "processing/input/model/model.tar.gz")
    summary = tmp_path / "processing/input/summary/summary.json"
    summary.parent.mkdir(parents=True)
    summary.write_text(json.dumps({**SUMMARY, "problems": [], "feature_group": "surveys"}))

    assert command("evaluate", tmp_path).returncode == 0

    folder = tmp_path / "processing/output/evaluation"
    card = json.loads((folder / "model-card.json").read_text())
    assert "CC BY 4.0" in card["additional_information"]["custom_details"]["data: uci"]
    assert {"name": "networks", "value": "5"} in card["training_details"]["training_job_details"]["hyper_parameters"]
    assert "Model card: job-1" in Checked((folder / "model-card.html").read_text()).text


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": {}}'])
def test_a_summary_that_is_none_fails_the_job(tmp_path: Path, trained: Path, content: str):
    write_data_set(tmp_path / "processing/input/test/data.csv", survey(50, seed=21))
    pack_model(trained / "model", tmp_path / "processing/input/model/model.tar.gz")
    summary = tmp_path / "processing/input/summary/summary.json"
    summary.parent.mkdir(parents=True)
    summary.write_text(content)

    assert command("evaluate", tmp_path).returncode == 1
    assert "summary.json was not written by this image's `process`" in (tmp_path / "output/message").read_text()
