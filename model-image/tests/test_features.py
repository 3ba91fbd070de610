from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from abalone.feature_contract import Measure
from abalone.features import CLIP, FEWEST_MEASURED, RATIOS, compute_features, fit_features
from abalone.rows import Features, features_of
from tests.surveys import CONTRACT, EXAMPLE, data_set, survey

PIPELINE = fit_features(CONTRACT, data_set(survey(400)).features)
ANIMAL = ("M", [24.0 if name == "height" else float(EXAMPLE[name]) for name in CONTRACT.measure_names])
HEIGHT = CONTRACT.measure_names.index("height")


def computed(*rows: tuple[str, Sequence[float]]) -> np.ndarray:
    features = features_of(CONTRACT, [(sex, list(measures)) for sex, measures in rows])
    return compute_features(CONTRACT, features, PIPELINE)


def with_height(height: float) -> tuple[str, list[float]]:
    measures = list(ANIMAL[1])
    measures[HEIGHT] = height
    return ANIMAL[0], measures


def test_logarithms_and_ratios_are_what_they_say():
    raw = compute_features(CONTRACT, features_of(CONTRACT, [ANIMAL]), replace(PIPELINE, scaling=None))[0]
    by_name = dict(zip(CONTRACT.measure_names, ANIMAL[1], strict=True))

    expected = list(np.log(ANIMAL[1]))
    for numerator, denominators in RATIOS:
        expected.append(np.log(by_name[numerator] / np.prod([by_name[name] for name in denominators])))
    assert raw == pytest.approx(expected, abs=1e-5)


def test_training_rows_come_out_standardised():
    features = compute_features(CONTRACT, data_set(survey(400)).features, PIPELINE)
    continuous = features[:, : -len(CONTRACT.categories)]

    assert continuous.mean(axis=0) == pytest.approx(0, abs=0.02)
    assert continuous.std(axis=0) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("height", [0.0, 0.01, 300.0])
def test_an_impossible_height_is_replaced_by_what_length_and_diameter_tell(height: float):
    allometry = PIPELINE.height
    length, diameter = ANIMAL[1][0], ANIMAL[1][1]
    expected = np.exp(allometry.intercept) * length**allometry.length * diameter**allometry.diameter

    assert computed(with_height(height))[0] == pytest.approx(computed(with_height(float(expected)))[0], abs=1e-3)


def test_a_plausible_height_is_kept():
    assert abs(computed(with_height(24.0)) - computed(with_height(27.0))).max() > 0.1


def test_a_few_impossible_heights_do_not_move_the_repair():
    rows = data_set(survey(400)).features
    measures = rows.measures.copy()
    measures[:5, HEIGHT] = [0, 0, 500, 400, 0.1]
    repaired = fit_features(CONTRACT, Features(rows.category, measures)).height

    length, diameter = 100.0, 79.0
    heights = [
        np.exp(model.intercept) * length**model.length * diameter**model.diameter
        for model in (PIPELINE.height, repaired)
    ]
    assert heights[1] == pytest.approx(heights[0], rel=0.01)


def test_sexes_are_one_hot_in_contract_order():
    one_hot = computed(*((sex, ANIMAL[1]) for sex in CONTRACT.categories))[:, -len(CONTRACT.categories) :]

    assert one_hot.tolist() == np.eye(len(CONTRACT.categories)).tolist()


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30])
def test_absurd_measures_stay_within_what_the_networks_know(value: float):
    features = computed(("F", [value] * len(CONTRACT.measures)))

    assert np.isfinite(features).all()
    assert abs(features).max() <= CLIP


def test_a_measure_that_never_varies_does_no_harm():
    rows = data_set(survey(100)).features
    measures = rows.measures.copy()
    measures[:] = measures[0]
    same = Features(rows.category, measures)
    pipeline = fit_features(CONTRACT, same)

    assert np.isfinite(compute_features(CONTRACT, same, pipeline)).all()


THICKNESS = Measure("thickness", "mm", 0.1, 20, optional=True)
WITH_THICKNESS = replace(
    CONTRACT,
    measures=(*CONTRACT.measures, THICKNESS),
    feature_names=(*CONTRACT.feature_names, THICKNESS.name),
)


def with_thickness(measured: int) -> Features:
    """Rows of which so many have a thickness, a fiftieth of the length to the power of 1.2; the others have none."""
    rows = data_set(survey(200)).features
    thickness = 0.02 * rows.measures[:, :1] ** 1.2
    thickness[measured:] = np.nan
    return Features(rows.category, np.hstack([rows.measures, thickness]))


def test_a_missing_measure_is_what_the_length_predicts():
    rows = with_thickness(FEWEST_MEASURED)
    pipeline = fit_features(WITH_THICKNESS, rows)
    complete = fit_features(WITH_THICKNESS, with_thickness(200))

    features = compute_features(WITH_THICKNESS, rows, replace(pipeline, scaling=None))
    expected = compute_features(WITH_THICKNESS, with_thickness(200), replace(complete, scaling=None))
    assert features == pytest.approx(expected, abs=1e-3)


def test_a_measure_that_too_few_rows_have_changes_nothing():
    rows = with_thickness(FEWEST_MEASURED - 1)
    pipeline = fit_features(WITH_THICKNESS, rows)

    assert "thickness" not in pipeline.imputations
    features = compute_features(WITH_THICKNESS, rows, pipeline)
    assert np.isfinite(features).all()
    without = Features(rows.category, rows.measures[:, :-1])
    assert features.tolist() == compute_features(CONTRACT, without, fit_features(CONTRACT, without)).tolist()
