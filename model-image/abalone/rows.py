"""Rows: from text or JSON values to numbers, checked against the feature contract."""

import csv
import hashlib
import heapq
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from abalone.errors import JobError, RowError, quote
from abalone.feature_contract import Contract, Measure

logger = logging.getLogger("abalone")

# Maximum for a channel: more rows don't make the model better (docs/measurements.md, growth), but need memory.
MOST_ROWS = 250_000
SAMPLE_NAME = "rows-1"

# float() accepts more ("nan", "1_000", digits of other scripts), but nobody writes a measure like that.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Feature Store accepts two forms of a time in UTC: with and without milliseconds.
EVENT_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{3})?Z", re.ASCII)
# The artefact computes in single precision, whose largest number this is.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Features:
    """Rows of features: one category and the measures in contract order, in mm and g; NaN where one is missing."""

    category: list[str]
    measures: NDArray[np.float32]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.category)


@dataclass(frozen=True)
class DataSet:
    """Features with their labels in rings, sorted by record identifier, and when the last animal was measured."""

    record_ids: list[str]
    features: Features
    labels: NDArray[np.float64]
    newest_event: str

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.record_ids)


def number_of(column: str, value: object) -> float:
    """The finite number, zero or above, in `value`: text of a CSV file or a number of a JSON document.

    Raises:
        RowError: the value is not such a number.
    """
    if isinstance(value, str):
        text = value.strip()
        if not text:
            raise RowError(column, "is empty, a number was expected")
        if not NUMBER.fullmatch(text):
            raise RowError(column, f"{quote(value)} is not a number")
        number = float(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        raise RowError(column, f"{quote(value)} is not a number")
    if not math.isfinite(number) or abs(number) > LARGEST:
        raise RowError(column, f"{quote(value)} is not a finite number")
    if number < 0:
        raise RowError(column, f"{quote(value)} is negative, zero or more was expected")
    return number


def category_of(contract: Contract, value: object) -> str:
    """The category in `value`.

    Raises:
        RowError: the contract does not have the category.
    """
    text = value.strip() if isinstance(value, str) else value
    if not isinstance(text, str) or text not in contract.categories:
        raise RowError(contract.category, f"{quote(value)} is not one of {', '.join(contract.categories)}")
    return text


def is_missing(value: object) -> bool:
    """Whether there is no value: nothing in a JSON document, an empty field of a CSV file."""
    return value is None or (isinstance(value, str) and not value.strip())


def measure_of(measure: Measure, value: object) -> float:
    """The number in `value`; NaN where an optional measure is missing.

    Raises:
        RowError: it is not a number, or a required measure is missing.
    """
    return math.nan if measure.optional and is_missing(value) else number_of(measure.name, value)


def feature_values(contract: Contract, values: Mapping[str, object]) -> tuple[str, list[float]]:
    """The category and the measures, in contract order, of a row that has every required column.

    Raises:
        RowError: a value breaks the contract.
    """
    category = category_of(contract, values[contract.category])
    return category, [measure_of(measure, values.get(measure.name)) for measure in contract.measures]


def label_of(contract: Contract, value: object) -> float:
    """The label in rings.

    Raises:
        RowError: it is not a number, or outside the label's range.
    """
    label = contract.label
    rings = number_of(label.name, value)
    if not label.minimum <= rings <= label.maximum:
        expected = f"{label.minimum:g} to {label.maximum:g} rings"
        raise RowError(label.name, f"{quote(value)} is out of range, {expected} were expected")
    return rings


def event_time_of(contract: Contract, value: object) -> str:
    """The moment in UTC, always with milliseconds, so that times sort correctly as text.

    Raises:
        RowError: the feature group does not accept such a time.
    """
    match = EVENT_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise RowError(contract.event_time, f"{quote(value)} is not a time such as 2026-03-01T09:30:00Z")
    return f"{match[1]}{match[2] or '.000'}Z"


def features_of(contract: Contract, rows: Sequence[tuple[str, list[float]]]) -> Features:
    """Packs checked rows for the model."""
    measures = np.array([measures for _, measures in rows], dtype=np.float32)
    return Features([category for category, _ in rows], measures.reshape(len(rows), len(contract.measures)))


def _lines(contract: Contract, file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        known = {*header, *contract.optional_names}
        missing = [column for column in contract.dataset_columns if column not in known]
        if missing:
            raise JobError(
                f"{file.name}: the header has no column {', '.join(missing)}: run `process` to make the file."
            )
        for values in reader:
            if values and len(values) != len(header):
                raise JobError(
                    f"{file.name}: line {reader.line_num} has {len(values)} values, the header has {len(header)}."
                )
            if values:
                yield reader.line_num, dict(zip(header, values, strict=True))


def _rank(record_id: str) -> int:
    digest = hashlib.sha256(f"{SAMPLE_NAME}:{record_id}".encode()).digest()
    return int.from_bytes(digest[:8])


def read_data_set(contract: Contract, folder: Path, most_rows: int = MOST_ROWS) -> DataSet:
    """Reads every CSV file of a channel. Neither the files' names nor the order of their lines change the result.

    Of more than `most_rows` rows it keeps those whose identifiers have the smallest hashes, so that memory is limited
    for surveys of any size. The newest event is that of all rows.

    Raises:
        JobError: there is no file, no row, or a row that breaks the contract.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise JobError(f"{folder} has no CSV file: check the S3 URI of the channel {folder.name!r}.")
    # By hash; the largest comes first, and is dropped first.
    kept: list[tuple[int, str, tuple[str, list[float]], float]] = []
    newest = ""
    there = 0
    for file in files:
        for line, values in _lines(contract, file):
            try:
                label = label_of(contract, values[contract.label.name])
                record_id = values[contract.record_identifier]
                entry = (-_rank(record_id), record_id, feature_values(contract, values), label)
                newest = max(newest, event_time_of(contract, values[contract.event_time]))
            except RowError as error:
                raise JobError(f"{file.name}: line {line}: {error}") from error
            there += 1
            if len(kept) < most_rows:
                heapq.heappush(kept, entry)
            else:
                heapq.heappushpop(kept, entry)
    if not kept:
        raise JobError(f"{folder} has no rows: ingest more surveys, so that each part of the split gets some.")
    if there > len(kept):
        logger.info("%s: %d of %d rows are used, chosen by their identifiers", folder.name, len(kept), there)
    rows = sorted((record_id, features, label) for _, record_id, features, label in kept)
    return DataSet(
        [record_id for record_id, _, _ in rows],
        features_of(contract, [features for _, features, _ in rows]),
        np.array([label for _, _, label in rows]),
        newest,
    )


def write_rows(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file with `\\n` line ends; folders are made as needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
