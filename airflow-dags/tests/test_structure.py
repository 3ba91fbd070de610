"""What the scheduler finds in the DAG when it reads the file."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models import DagBag

import acme_data_workflow as workflow

FILE = Path(workflow.__file__)


@pytest.fixture(scope="module")
def dag() -> Any:
    bag = DagBag(FILE, include_examples=False)
    assert bag.import_errors == {}
    assert list(bag.dags) == ["acme-data-workflow"]
    return bag.dags["acme-data-workflow"]


def test_reading_the_file_asks_nobody_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        pytest.fail(f"the file connects to {arguments[1:]} when it is read")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    bag = DagBag(FILE, include_examples=False)
    assert bag.import_errors == {}
    assert len(bag.dags) == 1


def test_one_run_a_day_and_none_for_days_gone_by(dag: Any) -> None:
    assert dag.schedule == "@daily" if hasattr(dag, "schedule") else dag.schedule_interval == "@daily"
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False


def test_every_task_ends_some_day_and_is_tried_again_but_the_one_that_only_tells(dag: Any) -> None:
    for task in dag.tasks:
        assert task.execution_timeout <= timedelta(hours=6)
        assert task.retries == (0 if task.task_id == "fail_if_any_failed" else 3)


def test_the_sensor_holds_no_worker_and_skips_an_empty_day(dag: Any) -> None:
    sensor = dag.get_task("wait_for_surveys")
    assert (sensor.mode, sensor.soft_fail, sensor.deferrable) == ("reschedule", True, False)
    assert sensor.timeout < timedelta(days=1).total_seconds()
    assert sensor.bucket_name == "{{ var.value.acme_data_bucket }}"


def test_ranges_are_ingested_side_by_side_and_surveys_released_together_before_they_are_moved(dag: Any) -> None:
    edges = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    last = "fail_if_any_failed"
    assert edges == {
        "wait_for_surveys": [last, "list_surveys"],
        "list_surveys": [last, "finish", "split_surveys"],
        "split_surveys": [last, "ingest"],
        "ingest": [last, "release"],
        "release": [last, "finish"],
        "finish": [last],
        last: [],
    }
    rules = {task.task_id: str(task.trigger_rule) for task in dag.tasks}
    assert rules == dict.fromkeys(edges, "all_success") | {
        "release": "all_done",
        "finish": "all_done",
        last: "one_failed",
    }
    assert [task.task_id for task in dag.tasks if "Mapped" in type(task).__name__] == ["ingest", "finish"]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 39, 40, 41, 1000])
def test_ranges_cover_a_file_without_a_gap_and_are_never_too_many(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "RANGE_BYTES", 4)
    monkeypatch.setattr(workflow, "MAXIMUM_RANGES", 10)
    ranges = workflow.ranges_of(size)
    assert len(ranges) <= 10
    assert [byte for offset, until in ranges for byte in range(offset, until)] == list(range(max(size, 1)))
    assert all(offset < until for offset, until in ranges)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("surveys/a.csv", True),
        ("surveys/2026/a.csv", True),
        ("surveys/processed.csv", True),
        ("surveys/", False),
        ("surveys/2026/", False),
        ("surveys/processed/a.csv/1.csv", False),
        ("surveys/refused/a.csv/1.csv", False),
        ("surveys/rejected/a.csv/1.json", False),
        ("runs/a.csv", False),
    ],
)
def test_what_comes_in_is_told_from_what_is_done_with(key: str, expected: bool) -> None:
    assert workflow.is_incoming(key) is expected
    assert workflow.any_incoming([{"Key": "surveys/"}, {"Key": key}]) is expected


def test_surveys_of_one_name_are_kept_apart() -> None:
    keys = [workflow.finished_key(workflow.PROCESSED, "surveys/2026/a.csv", etag) for etag in ('"1"', '"2-3"', "2-3")]
    assert keys == [
        "surveys/processed/2026/a.csv/1.csv",
        "surveys/processed/2026/a.csv/2-3.csv",
        "surveys/processed/2026/a.csv/2-3.csv",
    ]
    assert not any(map(workflow.is_incoming, keys))


def test_requirements_are_those_that_the_tests_run_with() -> None:
    """MWAA and this project use the same provider; `make lock` keeps them equal."""
    pinned = (FILE.parent / "requirements.txt").read_text().splitlines()[1:]
    locked = (FILE.parent / "requirements-dev.txt").read_text().splitlines()
    assert pinned
    for line in pinned:
        assert f"{line} \\" in locked
