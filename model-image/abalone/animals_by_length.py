"""What the surveyed animals look like, small enough for a web page: some of them, and their ages by length."""

import hashlib
import heapq
from collections import defaultdict
from typing import Any

from abalone.feature_contract import Contract

# Every animal that fits is drawn; of more, as many as a plot on a small screen can show apart.
MOST_POINTS = 600
# Of fewer animals the outermost twentieths are less than one.
LEAST_BAND_ROWS = 20
# In millimetres: an abalone grows by about as much in a year before it is full-grown.
BAND_WIDTH = 10
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95
SAMPLE_NAME = "survey-sample-1"


class AnimalsByLength:
    """Takes animals one by one, and keeps no more than the sample and the counts, however many come.

    The sample is that of the smallest hashes of the identifiers: neither the order of the animals nor the machine
    decides, and a new survey replaces no more of the sample than its share.
    """

    def __init__(self, contract: Contract) -> None:
        """Without an animal.

        Raises:
            ValueError: the contract has no length in mm.
        """
        self._length = next((m for m in contract.measures if m.name == "length" and m.unit == "mm"), None)
        if self._length is None:
            raise ValueError("survey/features.json has no feature length in mm, by which the animals are shown.")
        self._position = contract.measure_names.index("length")
        self._years_beyond_rings = contract.years_beyond_rings
        # The largest hash comes first: it is the first to go.
        self._sample: list[tuple[int, float, float]] = []
        # How many animals of a band have so many rings.
        self._counts: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, record_id: str, measures: list[float], rings: float) -> None:
        """Adds an animal with its measures in contract order; one of an impossible length is not shown."""
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
        """Neighbours are put together until they have rows enough; what is left at the end goes to the last one."""
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
