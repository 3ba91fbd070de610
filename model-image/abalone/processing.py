"""`process`: from the feature group to data sets for training, validation and test, and the baseline of the first."""

import argparse
import csv
import hashlib
import json
import logging
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from abalone.animals_by_length import AnimalsByLength
from abalone.arguments import CommandLine
from abalone.athena import find_offline_store, latest_records_query, query
from abalone.aws import client
from abalone.errors import JobError, RowError
from abalone.feature_contract import Contract, load_contract
from abalone.folders import Folders
from abalone.origins import ORIGINS, origin_of
from abalone.rows import event_time_of, feature_values, label_of
from abalone.statistics import RowStatistics, write_baseline

logger = logging.getLogger("abalone")

# Buckets of a hundred that a split takes, in this order.
SPLITS = {"train": 75, "validation": 10, "test": 15}
MOST_PROBLEMS = 20


def split_of(record_id: str) -> str:
    """The split of a record. Only the identifier decides, so no row ever moves from test to train."""
    digest = hashlib.md5(record_id.encode(), usedforsecurity=False).hexdigest()
    bucket = int(digest[:8], 16) % 100
    for name, share in SPLITS.items():
        if bucket < share:
            return name
        bucket -= share
    raise AssertionError("the splits' shares add up to 100")


def write_data_sets(
    contract: Contract,
    records: Iterable[Sequence[str | None]],
    folder: Path,
    training_statistics: RowStatistics | None = None,
) -> dict[str, Any]:
    """Writes `<split>/data.csv` for every split, row by row, and returns the summary.

    Records that break the contract are left out and counted; the summary has the reasons of the first twenty. The rows
    of the split `train` are added to the statistics, if given.

    Raises:
        JobError: a split got no row.
    """
    rows = dict.fromkeys(SPLITS, 0)
    origins = dict.fromkeys(ORIGINS, 0)
    oldest, newest = "", ""
    rejected = 0
    surveyed = AnimalsByLength(contract)
    problems: list[dict[str, str | None]] = []
    with ExitStack() as stack:
        writers = {}
        for split in SPLITS:
            file = folder / split / "data.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(file.open("w", encoding="utf-8", newline=""))
            writers[split] = csv.writer(stream, lineterminator="\n")
            writers[split].writerow(contract.dataset_columns)
        for record in records:
            values = {name: value or "" for name, value in zip(contract.dataset_columns, record, strict=True)}
            record_id = values[contract.record_identifier]
            try:
                category, measures = feature_values(contract, values)
                rings = label_of(contract, values[contract.label.name])
                event = event_time_of(contract, values[contract.event_time])
            except RowError as error:
                rejected += 1
                if len(problems) < MOST_PROBLEMS:
                    problems.append({"record_id": record_id, "column": error.column, "problem": error.problem})
                continue
            written = ["" if math.isnan(measure) else measure for measure in measures]
            by_name = {contract.category: category, **dict(zip(contract.measure_names, written, strict=True))}
            features = [by_name[name] for name in contract.feature_names]
            split = split_of(record_id)
            writers[split].writerow([record_id, *features, f"{rings:g}", event])
            rows[split] += 1
            origins[origin_of(record_id)] += 1
            surveyed.add(record_id, measures, rings)
            oldest, newest = min(oldest or event, event), max(newest, event)
            if split == "train" and training_statistics is not None:
                training_statistics.add(category, measures)
    total = sum(rows.values())
    if total == 0:
        raise JobError(
            f"The feature group has no usable record ({rejected} broke the contract"
            f"{', the first: ' + json.dumps(problems[0]) if problems else ''}): ingest a survey first; records reach "
            "the offline store some minutes after they were put."
        )
    empty = [name for name, count in rows.items() if count == 0]
    if empty:
        raise JobError(
            f"{total} records are too few: the split left {' and '.join(empty)} empty. Ingest a larger survey, several "
            "hundred records at least."
        )
    return {
        "rows": rows,
        "surveyed": {"oldest": oldest, "newest": newest},
        "origins": {name: count for name, count in origins.items() if count},
        "rejected": rejected,
        "problems": problems,
        "survey": surveyed.content,
    }


def arguments(command_line: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = CommandLine(prog="process", description=__doc__)
    parser.add_argument("--feature-group", required=True, help="name of the feature group")
    parser.add_argument("--workgroup", required=True, help="Athena workgroup that runs the query")
    parser.add_argument("--query-output", required=True, help="S3 URI under which Athena keeps the query's result")
    return parser.parse_args(command_line)


def process(folders: Folders) -> None:
    """Queries the offline store and writes the data sets with their `summary.json`, and the baseline for monitoring."""
    options = arguments()
    contract = load_contract()
    store = find_offline_store(client("sagemaker"), options.feature_group)
    sql = latest_records_query(contract, store)
    records = query(client("athena"), sql, store, options.workgroup, options.query_output)
    folder = folders.processing_output / "dataset"
    training = RowStatistics(contract)
    summary = {"feature_group": options.feature_group, **write_data_sets(contract, records, folder, training)}
    write_baseline(contract, training, folders.processing_output / "baseline")
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    counts = ", ".join(f"{name} {count}" for name, count in summary["rows"].items())
    logger.info("Rows: %s; left out: %d", counts, summary["rejected"])
    for problem in summary["problems"]:
        logger.warning("Left out: %s", json.dumps(problem))
