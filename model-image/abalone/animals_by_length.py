"""Data about the surveyed animals, small enough for a web page: a sample of them, and their ages by length."""

import hashlib
import heapq
from collections import defaultdict
from typing import Any

from abalone.feature_contract import Contract

# The size of the sample: as many animals as a plot on a small screen can show apart.
MOST_POINTS = 600
# Below this, a twentieth of the animals is less than one.
LEAST_BAND_ROWS = 20
# In millimetres: an abalone grows by about as much in a year before it is full-grown.
BAND_WIDTH = 10
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95
SAMPLE_NAME = "survey-sample-1"


class AnimalsByLength:
    """Takes animals one by one, and stores only the sample and the counts, however many there are.

    The sample has the smallest hashes of the identifiers: it depends neither on the order of the animals nor on the
    machine, and a new survey replaces only its share of the sample.
    """

    def __init__(self, contract: Contract) -> None:
        """Starts without animals.

        Raises:
            ValueError: the contract has no length in mm.
        """
        self._length = next((m for m in contract.measures if m.name == "length" and m.unit == "mm"), None)
        if self._length is None:
            raise ValueError("survey/features.json has no feature length in mm, which the plot of the animals needs.")
        self._position = contract.measure_names.index("length")
        self._years_beyond_rings = contract.years_beyond_rings
        # The largest hash comes first, and is dropped first.
        self._sample: list[tuple[int, float, float]] = []
        # For each band: how many animals have how many rings.
        self._counts: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, record_id: str, measures: list[float], rings: float) -> None:
        """Adds an animal with its measures in contract order; an impossible length is left out."""
        length = measures[self._position]
        if self._length is None or not self._length.minimum <= length <= self._length.maximum:
            return
        self._counts[int(length // BAND_WIDTH)][round(rings)] += 1
        digest = hashlib.sha256(f"{SAMPLE_NAME}:{record_id}".encode()).digest()
        entry = (-int.from_bytes(digest[:8]), length, rings)
        if len(self._sample) < MOST_POINTS:
            heapq.heappush(self._sample, entry)
        else:
            heapq.heappushpop(self._sample, entry)

    @property
    def content(self) -> dict[str, Any]:
        """Points of length (mm) and age (years), sorted, so that their order identifies no animal; ages by length."""
        points = sorted((round(length, 1), self._years(rings)) for _, length, rings in self._sample)
        return {"points": [list(point) for point in points], "bands": [self._band(*band) for band in self._bands()]}

    def _years(self, rings: float) -> float:
        return round(rings + self._years_beyond_rings, 1)

    def _bands(self) -> list[tuple[int, int, dict[int, int]]]:
        """Joins neighbouring bands until they have enough rows; the rest goes to the last one."""
        bands: list[tuple[int, int, dict[int, int]]] = []
        first: int | None = None
        gathered: dict[int, int] = {}
        for number in sorted(self._counts):
            first = number if first is None else first
            for rings, count in self._counts[number].items():
                gathered[rings] = gathered.get(rings, 0) + count
            if sum(gathered.values()) >= LEAST_BAND_ROWS:
                bands.append((first, number + 1, gathered))
                first, gathered = None, {}
        if first is not None:
            last = max(self._counts) + 1
            if bands:
                first, _, before = bands.pop()
                for rings, count in before.items():
                    gathered[rings] = gathered.get(rings, 0) + count
            bands.append((first, last, gathered))
        return bands

    def _band(self, first: int, end: int, counts: dict[int, int]) -> dict[str, Any]:
        rows = sum(counts.values())
        low, median, high = (self._years(_quantile(counts, share * rows)) for share in (LOW, MIDDLE, HIGH))
        span = {"from": first * BAND_WIDTH, "to": end * BAND_WIDTH}
        return {**span, "rows": rows, "low": low, "median": median, "high": high}


def _quantile(counts: dict[int, int], rank: float) -> int:
    """The smallest number of rings that at least `rank` animals do not exceed."""
    seen = 0
    for rings in sorted(counts):
        seen += counts[rings]
        if seen >= rank:
            return rings
    return max(counts)
