"""The sketch against the values themselves, and against scipy's two-sample Kolmogorov-Smirnov statistic."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from abalone.sketch import SIZE, QuantileSketch


def sketch_of(values: np.ndarray, batch: int = 5000) -> QuantileSketch:
    sketch = QuantileSketch()
    for start in range(0, values.size, batch):
        sketch.add(values[start : start + batch])
    return sketch


def test_few_values_are_kept_as_they_are():
    values = np.random.default_rng(1).normal(size=SIZE)
    sketch = sketch_of(values)
    points = np.linspace(-3, 3, 50)
    exact = [np.mean(values <= point) for point in points]
    assert sketch.shares_up_to(points) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("batch", [1, 999, 5000, 1_000_000])
def test_many_values_keep_their_ranks_and_their_number_in_little_room(batch: int):
    values = np.random.default_rng(2).lognormal(size=1_000_000 if batch > 1 else 20_000)
    sketch = sketch_of(values, batch)
    points = np.quantile(values, np.linspace(0.01, 0.99, 99))
    assert sketch.count == values.size
    assert sum(len(level) for level in sketch.levels) < 4 * SIZE
    assert sketch.shares_up_to(points) == pytest.approx(np.linspace(0.01, 0.99, 99), abs=0.003)


@pytest.mark.parametrize(("count", "shift"), [(150, 0.0), (3000, 0.3), (40_000, 0.0), (40_000, 0.2)])
def test_the_distance_is_that_of_kolmogorov_and_smirnov(count: int, shift: float):
    generator = np.random.default_rng(3)
    # Ties, as instruments that read to half a millimetre make them.
    before = np.round(generator.normal(100, 20, 2500) * 2) / 2
    now = np.round(generator.normal(100 + 20 * shift, 20, count) * 2) / 2
    exact = ks_2samp(before, now).statistic
    assert sketch_of(now).distance(sketch_of(before)) == pytest.approx(exact, abs=0.004)


def test_it_survives_being_written_and_read():
    values = np.random.default_rng(4).normal(size=30_000)
    sketch = sketch_of(values)
    copy = QuantileSketch(sketch.levels)
    assert (copy.count, copy.distance(sketch)) == (30_000, 0.0)
    assert QuantileSketch([]).count == 0


def test_the_same_values_make_the_same_sketch():
    values = np.random.default_rng(5).normal(size=100_000)
    assert sketch_of(values).levels == sketch_of(values).levels
