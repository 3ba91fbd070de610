import csv
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from abalone import athena, processing
from abalone.athena import OfflineStore, find_offline_store, latest_records_query, query
from abalone.errors import JobError
from abalone.folders import Folders
from abalone.job import run
from abalone.processing import SPLITS, split_of, write_data_sets
from abalone.rows import read_data_set
from abalone.statistics import RowStatistics, write_baseline
from tests.surveys import CONTRACT, Record, survey

STORE = OfflineStore("AwsDataCatalog", "sagemaker_featurestore", "acme_local_surveys_1")
OUTPUT = "s3://acme-data/athena/"
GOOD = survey(1)[0].values


def stubbed(service: str) -> tuple[Any, Stubber]:
    client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="1", aws_secret_access_key="test")  # noqa: S106
    return client, Stubber(client)


def page(rows: list[list[str | None]]) -> dict[str, Any]:
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    return {"ResultSet": {"Rows": data}}


def started(stubber: Stubber) -> None:
    parameters = {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Catalog": STORE.catalog, "Database": STORE.database},
        "WorkGroup": "acme",
        "ResultConfiguration": {"OutputLocation": OUTPUT},
    }
    stubber.add_response("start_query_execution", {"QueryExecutionId": "q-1"}, parameters)


def status(stubber: Stubber, state: str, reason: str | None = None) -> None:
    answer = {"State": state, **({"StateChangeReason": reason} if reason else {})}
    stubber.add_response("get_query_execution", {"QueryExecution": {"Status": answer}}, {"QueryExecutionId": "q-1"})


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(athena.time, "sleep", lambda _seconds: None)


@pytest.fixture
def offline_store() -> Iterator[sqlite3.Connection]:
    """A table as SageMaker makes it, in a database that knows window functions and, by our help, `rpad`."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("rpad", 3, lambda text, size, fill: (text + fill * size)[:size])
    connection.execute(f"ATTACH ':memory:' AS {STORE.database}")
    columns = ", ".join([*CONTRACT.dataset_columns, "write_time", "api_invocation_time", "is_deleted"])
    connection.execute(f"CREATE TABLE {STORE.database}.{STORE.table} ({columns})")
    yield connection
    connection.close()


def put(store: sqlite3.Connection, record_id: str, rings: int, event: str, invoked: int, deleted: bool = False) -> None:
    measures = [None] * len(CONTRACT.measures) if deleted else [1.0] * len(CONTRACT.measures)
    row = [record_id, "M", *measures, rings, event, invoked, invoked, deleted]
    store.execute(f"INSERT INTO {STORE.database}.{STORE.table} VALUES ({','.join('?' * len(row))})", row)  # noqa: S608


def latest(store: sqlite3.Connection) -> list[tuple[str, int]]:
    return [(row[0], row[-2]) for row in store.execute(latest_records_query(CONTRACT, STORE))]


def test_the_later_event_wins_whenever_it_was_put(offline_store: sqlite3.Connection):
    put(offline_store, "a", 9, "2026-03-02T00:00:00Z", invoked=1)
    put(offline_store, "a", 5, "2026-03-01T00:00:00Z", invoked=2)

    assert latest(offline_store) == [("a", 9)]


def test_of_one_event_the_version_that_was_put_later_wins(offline_store: sqlite3.Connection):
    put(offline_store, "a", 5, "2026-03-01T00:00:00Z", invoked=1)
    put(offline_store, "a", 9, "2026-03-01T00:00:00.000Z", invoked=2)
    put(offline_store, "a", 7, "2026-03-01T00:00:00Z", invoked=1)

    assert latest(offline_store) == [("a", 9)]


def test_milliseconds_count(offline_store: sqlite3.Connection):
    put(offline_store, "a", 9, "2026-03-01T00:00:00.500Z", invoked=1)
    put(offline_store, "a", 5, "2026-03-01T00:00:00Z", invoked=2)

    assert latest(offline_store) == [("a", 9)]


def test_a_deleted_record_is_gone_until_it_is_put_again(offline_store: sqlite3.Connection):
    put(offline_store, "gone", 5, "2026-03-01T00:00:00Z", invoked=1)
    put(offline_store, "gone", 5, "2026-03-02T00:00:00Z", invoked=2, deleted=True)
    put(offline_store, "back", 5, "2026-03-01T00:00:00Z", invoked=1, deleted=True)
    put(offline_store, "back", 6, "2026-03-02T00:00:00Z", invoked=2)

    assert latest(offline_store) == [("back", 6)]


def test_records_come_sorted_by_identifier(offline_store: sqlite3.Connection):
    for record_id in ("b", "c", "a", "B"):
        put(offline_store, record_id, 5, "2026-03-01T00:00:00Z", invoked=1)

    assert [record_id for record_id, _ in latest(offline_store)] == ["B", "a", "b", "c"]


def test_the_split_is_the_hash_of_the_identifier():
    for number in range(500):
        record_id = f"uci-{number}"
        bucket = int(hashlib.md5(record_id.encode()).hexdigest()[:8], 16) % 100  # noqa: S324
        assert split_of(record_id) == ("train" if bucket < 75 else "validation" if bucket < 85 else "test")
    assert sum(SPLITS.values()) == 100


def test_data_sets_hold_every_row_once_and_the_summary_counts_them(tmp_path: Path):
    records = sorted(survey(400), key=lambda record: record.record_id)

    summary = write_data_sets(CONTRACT, (record.values for record in records), tmp_path)

    seen: list[list[str]] = []
    for split in SPLITS:
        with (tmp_path / split / "data.csv").open(newline="") as stream:
            header, *rows = csv.reader(stream)
        assert header == list(CONTRACT.dataset_columns)
        assert rows == sorted(rows)
        assert len(rows) == summary["rows"][split]
        assert {split_of(row[0]) for row in rows} == {split}
        seen.extend(rows)
    assert summary["rejected"] == 0
    assert {row[-1] for row in seen} == {records[0].surveyed_at}
    assert {row[0]: [float(value) for value in row[2:-1]] for row in seen} == {
        record.record_id: [*record.measures, record.rings] for record in records
    }


def test_new_surveys_move_no_old_row(tmp_path: Path):
    old, new = survey(300, seed=1), survey(300, seed=2)
    write_data_sets(CONTRACT, (r.values for r in old), tmp_path / "before")
    write_data_sets(CONTRACT, (r.values for r in old + new), tmp_path / "after")

    for split in SPLITS:
        before = (tmp_path / "before" / split / "data.csv").read_text().splitlines()
        after = (tmp_path / "after" / split / "data.csv").read_text().splitlines()
        assert set(before) <= set(after)
        assert len(after) > len(before)


def test_records_that_break_the_contract_are_left_out_and_explained(tmp_path: Path):
    records: list[list[str | None]] = [list(record.values) for record in survey(200)]
    for row, column, value in ((3, "height", None), (7, "sex", "X"), (9, "surveyed_at", "yesterday")):
        records[row][CONTRACT.dataset_columns.index(column)] = value

    summary = write_data_sets(CONTRACT, records, tmp_path)

    assert summary["rejected"] == 3
    assert sum(summary["rows"].values()) == 197
    assert summary["problems"] == [
        {"record_id": "animal-1-3", "column": "height", "problem": "is empty, a number was expected"},
        {"record_id": "animal-1-7", "column": "sex", "problem": "'X' is not one of F, M, I"},
        {
            "record_id": "animal-1-9",
            "column": "surveyed_at",
            "problem": "'yesterday' is not a time such as 2026-03-01T09:30:00Z",
        },
    ]


def test_no_records_and_too_few_records_say_what_to_do(tmp_path: Path):
    with pytest.raises(JobError, match=r"no usable record .* ingest a survey first"):
        write_data_sets(CONTRACT, [], tmp_path)
    with pytest.raises(JobError, match=r"1 records are too few: the split left .* empty\. Ingest a larger survey"):
        write_data_sets(CONTRACT, [GOOD], tmp_path)


def test_every_page_of_a_result_is_read_and_null_is_none():
    client, stubber = stubbed("athena")
    started(stubber)
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        status(stubber, state)
    first = page([["record_id", "height"], ["a", "1"]])
    stubber.add_response("get_query_results", {**first, "NextToken": "2"}, {"QueryExecutionId": "q-1"})
    stubber.add_response("get_query_results", page([["b", None]]), {"QueryExecutionId": "q-1", "NextToken": "2"})

    with stubber:
        assert list(query(client, "SELECT 1", STORE, "acme", OUTPUT)) == [["a", "1"], ["b", None]]
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_query_that_fails_gives_athenas_reason(state: str):
    client, stubber = stubbed("athena")
    started(stubber)
    status(stubber, state, "TABLE_NOT_FOUND: line 1:8.")

    with stubber, pytest.raises(JobError, match=f"q-1 ended as {state}: TABLE_NOT_FOUND.*workgroup's history"):
        list(query(client, "SELECT 1", STORE, "acme", OUTPUT))


def test_a_job_that_is_stopped_stops_its_query(monkeypatch: pytest.MonkeyPatch):
    client, stubber = stubbed("athena")
    started(stubber)
    status(stubber, "RUNNING")
    stubber.add_response("stop_query_execution", {}, {"QueryExecutionId": "q-1"})

    def stop(_seconds: float) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(athena.time, "sleep", stop)
    with stubber, pytest.raises(SystemExit):
        list(query(client, "SELECT 1", STORE, "acme", OUTPUT))
    stubber.assert_no_pending_responses()


def feature_group(offline: bool = True) -> dict[str, Any]:
    catalog = {"Catalog": STORE.catalog, "Database": STORE.database, "TableName": STORE.table}
    store = {"S3StorageConfig": {"S3Uri": "s3://acme-data/feature-store"}, "DataCatalogConfig": catalog}
    return {
        "FeatureGroupArn": "arn:aws:sagemaker:eu-west-1:123456789012:feature-group/surveys",
        "FeatureGroupName": "surveys",
        "RecordIdentifierFeatureName": "record_id",
        "EventTimeFeatureName": "surveyed_at",
        "FeatureDefinitions": [{"FeatureName": "record_id", "FeatureType": "String"}],
        "CreationTime": 0,
        "NextToken": "",
        **({"OfflineStoreConfig": store} if offline else {}),
    }


def test_the_feature_group_tells_where_its_table_is():
    client, stubber = stubbed("sagemaker")
    stubber.add_response("describe_feature_group", feature_group(), {"FeatureGroupName": "surveys"})

    with stubber:
        assert find_offline_store(client, "surveys") == STORE


def test_a_feature_group_that_is_missing_or_has_no_offline_store_is_named():
    client, stubber = stubbed("sagemaker")
    stubber.add_client_error("describe_feature_group", "ResourceNotFound")
    stubber.add_response("describe_feature_group", feature_group(offline=False))

    with stubber:
        with pytest.raises(JobError, match="feature group 'surveys' does not exist: deploy the data stack"):
            find_offline_store(client, "surveys")
        with pytest.raises(JobError, match="has no offline store: create it with"):
            find_offline_store(client, "surveys")


def stub_services(monkeypatch: pytest.MonkeyPatch, records: list[Record]) -> None:
    services = {}
    sagemaker, stubber = stubbed("sagemaker")
    stubber.add_response("describe_feature_group", feature_group())
    stubber.activate()
    services["sagemaker"] = sagemaker
    client, stubber = stubbed("athena")
    stubber.add_response("start_query_execution", {"QueryExecutionId": "q-1"})
    status(stubber, "SUCCEEDED")
    rows: list[list[str | None]] = [list(CONTRACT.dataset_columns), *(list(record.values) for record in records)]
    stubber.add_response("get_query_results", page(rows))
    stubber.activate()
    services["athena"] = client
    monkeypatch.setattr(processing, "client", services.__getitem__)


def process(monkeypatch: pytest.MonkeyPatch, base: Path, *arguments: str) -> int:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    monkeypatch.setattr("sys.argv", ["process", *arguments])
    return run(processing.process, "message")


ARGUMENTS = ("--feature-group", "surveys", "--workgroup", "acme", "--query-output", OUTPUT)


def test_the_job_writes_data_sets_and_summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    stub_services(monkeypatch, survey(200))

    assert process(monkeypatch, tmp_path, *ARGUMENTS) == 0

    dataset = Folders(tmp_path).processing_output / "dataset"
    summary = json.loads((dataset / "summary.json").read_text())
    assert summary["feature_group"] == "surveys"
    lines = {split: len((dataset / split / "data.csv").read_text().splitlines()) - 1 for split in SPLITS}
    assert lines == summary["rows"]


def test_the_job_says_why_it_failed_where_sagemaker_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    stub_services(monkeypatch, [])
    assert process(monkeypatch, tmp_path, *ARGUMENTS) == 1
    assert "ingest a survey first" in (tmp_path / "output/message").read_text()

    assert process(monkeypatch, tmp_path, "--feature-group", "surveys") == 1
    assert "the following arguments are required: --workgroup" in (tmp_path / "output/message").read_text()


def test_the_baseline_is_of_the_training_rows_alone(tmp_path: Path):
    records = survey(400)
    statistics = RowStatistics(CONTRACT)

    summary = write_data_sets(CONTRACT, (record.values for record in records), tmp_path, statistics)
    write_baseline(CONTRACT, statistics, tmp_path / "baseline")

    document = json.loads((tmp_path / "baseline/statistics.json").read_text())
    lengths = [record.measures[0] for record in records if split_of(record.record_id) == "train"]
    assert document["dataset"]["item_count"] == summary["rows"]["train"] == len(lengths)
    length = next(feature for feature in document["features"] if feature["name"] == "length")
    assert length["numerical_statistics"]["mean"] == pytest.approx(sum(lengths) / len(lengths))
    constraints = json.loads((tmp_path / "baseline/constraints.json").read_text())
    assert [feature["name"] for feature in constraints["features"]] == list(CONTRACT.feature_names)


def test_the_summary_tells_from_when_and_from_where_the_rows_are(tmp_path: Path):
    times = ["1995-12-01T00:00:00Z", "2026-03-01T09:30:00.250Z", "2026-03-01T09:30:00Z"]
    names = ["uci-0f", "sim-7", "bay-uci", "uci-12", "similar"]
    records = [
        replace(record, record_id=f"{names[i % 5]}-{i}", surveyed_at=times[i % 3])
        for i, record in enumerate(survey(200))
    ]

    summary = write_data_sets(CONTRACT, (record.values for record in records), tmp_path)

    assert summary["surveyed"] == {"oldest": "1995-12-01T00:00:00.000Z", "newest": "2026-03-01T09:30:00.250Z"}
    assert summary["origins"] == {"uci": 80, "simulated": 40, "own": 80}
    written = [read_data_set(CONTRACT, tmp_path / split) for split in SPLITS]
    assert max(rows.newest_event for rows in written) == "2026-03-01T09:30:00.250Z"
