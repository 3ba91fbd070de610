"""Runs of the whole DAG, and its steps one by one, against the platform's own functions."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import airflow
import pytest
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.models import DagBag
from botocore.exceptions import ClientError
from platform_under_test import BUCKET, INGEST, RELEASE, Platform

import acme_data_workflow as workflow

#: Airflow stores one run for each date.
days = count()

SETTINGS = {
    "acme_data_bucket": BUCKET,
    "acme_ingest_survey_function": INGEST,
    "acme_release_change_function": RELEASE,
}


class Run:
    """One run of the DAG, from its first task to its last."""

    def __init__(self, change: Callable[[Any], None] = lambda dag: None, reload: bool = True) -> None:
        # A DAG that is read from its file again would not have what a test has changed in the module.
        dag = (
            DagBag(Path(workflow.__file__), include_examples=False).dags["acme-data-workflow"]
            if reload
            else workflow.data_workflow()
        )
        for task in dag.tasks:
            task.retries = 0  # A test can't wait for a second attempt.
        dag.get_task("wait_for_surveys").timeout = 0
        change(dag)
        date = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(days))
        name = "execution_date" if airflow.__version__.startswith("2.") else "logical_date"
        run = dag.test(**{name: date})
        self.state = str(run.state)
        self.tasks: dict[str, list[str]] = {}
        self.results: dict[str, list[Any]] = {}
        for task in sorted(run.get_task_instances(), key=lambda task: task.map_index):
            self.tasks.setdefault(task.task_id, []).append(str(task.state))
            result = task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index)
            self.results.setdefault(task.task_id, []).append(result)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Variables for a step that is called alone, outside of a task of Airflow."""
    monkeypatch.setattr(workflow, "Variable", type("Settings", (), {"get": staticmethod(SETTINGS.__getitem__)}))


def test_a_day_without_surveys_is_skipped_and_changes_nothing(platform: Platform) -> None:
    finished = ["surveys/processed/a.csv/1.csv", "surveys/refused/b.csv/2.csv", "surveys/rejected/c.csv/3.json"]
    for key in finished:
        platform.put(key, b"done with")
    run = Run()
    assert run.state == "success"
    assert {state for states in run.tasks.values() for state in states} == {"skipped"}
    assert platform.keys() == finished
    assert platform.pipeline.requests == 0


def test_surveys_arrive_row_by_row_are_moved_and_released_once(platform: Platform) -> None:
    surveys = {"surveys/one.csv": platform.survey(30, 101), "surveys/2026/two.csv": platform.survey(20, 102)}
    etags = {key: platform.put(key, content) for key, content in surveys.items()}
    run = Run()
    assert run.state == "success"
    assert run.tasks["ingest"] == run.tasks["finish"] == ["success", "success"]

    for key, content in surveys.items():
        header, *rows = [line.split(",") for line in content.decode().splitlines()]
        for row in rows:
            assert platform.record(row[0]) == dict(zip(header, row, strict=True))
        assert platform.content(workflow.finished_key(workflow.PROCESSED, key, etags[key])) == content
    assert platform.record("sim-101-31") is None
    assert not any(map(workflow.is_incoming, platform.keys()))
    assert len(platform.pipeline.executions) == 1

    # The next day there is nothing left to do.
    requests, keys = platform.pipeline.requests, platform.keys()
    assert Run().tasks["release"] == ["skipped"]
    assert (platform.pipeline.requests, platform.keys()) == (requests, keys)


def test_what_is_no_survey_fails_the_run_and_holds_up_nothing(platform: Platform) -> None:
    good = platform.put("surveys/good.csv", platform.survey(10, 103))
    bad = platform.put("surveys/bad.csv", b"a,b\n1,2\n")
    run = Run()
    assert run.state == "failed"
    assert run.tasks["ingest"] == ["success", "success"]
    assert run.tasks["release"] == ["success"]
    assert sorted(run.tasks["finish"]) == ["failed", "success"]
    assert run.tasks["fail_if_any_failed"] == ["failed"]
    assert platform.record("sim-103-10") is not None
    assert platform.keys() == sorted(
        [
            workflow.finished_key(workflow.PROCESSED, "surveys/good.csv", good),
            workflow.finished_key(workflow.REFUSED, "surveys/bad.csv", bad),
        ]
    )
    assert len(platform.pipeline.executions) == 1


def test_a_run_whose_release_was_killed_starts_the_pipeline_only_once(platform: Platform, variables: None) -> None:
    arrived = "2026-03-01T09:30:00+00:00"
    surveys = [
        {"key": "surveys/a.csv", "etag": '"1"', "arrived": arrived, "size": 5},
        {"key": "surveys/b.csv", "etag": '"2"', "arrived": arrived, "size": 5},
    ]
    first = workflow.start_pipeline(surveys)
    assert workflow.start_pipeline(list(reversed(surveys))) == first
    assert platform.pipeline.requests == 2
    assert list(platform.pipeline.executions) == [first["token"]]


def test_a_correction_that_is_taken_back_is_released_too(platform: Platform) -> None:
    first = platform.survey(3, 112)
    corrected = first.replace(b"sim-112-2,", b"sim-112-9,")
    for releases, content in enumerate([first, corrected, first], start=1):
        platform.put("surveys/a.csv", content)
        assert Run().state == "success"
        assert len(platform.pipeline.executions) == releases
        time.sleep(1)  # S3's times of objects have a precision of one second.


def test_surveys_without_a_good_row_are_moved_and_release_nothing(platform: Platform) -> None:
    header = platform.survey(1, 106).splitlines(keepends=True)[0]
    etag = platform.put("surveys/a.csv", header + b"no animal\n")
    run = Run()
    assert run.state == "success"
    assert run.tasks["release"] == ["skipped"]
    assert platform.content(workflow.finished_key(workflow.PROCESSED, "surveys/a.csv", etag)).endswith(b"no animal\n")
    assert platform.pipeline.requests == 0


class TestMove:
    """Whatever an earlier attempt did before it was killed, the next one has the same result."""

    KEY = "surveys/a.csv"

    @pytest.fixture
    def etag(self, platform: Platform) -> str:
        return platform.put(self.KEY, b"content")

    @pytest.fixture
    def destination(self, etag: str) -> str:
        return workflow.finished_key(workflow.PROCESSED, self.KEY, etag)

    def move(self, platform: Platform, etag: str, destination: str) -> None:
        workflow.move(platform.s3, BUCKET, self.KEY, etag, destination)

    def test_moves(self, platform: Platform, etag: str, destination: str) -> None:
        self.move(platform, etag, destination)
        assert platform.keys() == [destination]
        assert platform.content(destination) == b"content"

    def test_goes_on_after_the_copy(self, platform: Platform, etag: str, destination: str) -> None:
        platform.put(destination, b"content")
        self.move(platform, etag, destination)
        assert platform.keys() == [destination]

    def test_changes_nothing_when_all_was_done(self, platform: Platform, etag: str, destination: str) -> None:
        self.move(platform, etag, destination)
        self.move(platform, etag, destination)
        assert platform.keys() == [destination]

    def test_leaves_a_newer_survey_of_the_same_name(self, platform: Platform, etag: str, destination: str) -> None:
        self.move(platform, etag, destination)
        platform.put(self.KEY, b"newer content")
        self.move(platform, etag, destination)
        assert platform.content(self.KEY) == b"newer content"
        assert platform.content(destination) == b"content"

    def test_archives_nothing_that_was_not_ingested(self, platform: Platform, etag: str, destination: str) -> None:
        platform.put(self.KEY, b"newer content")
        self.move(platform, etag, destination)
        assert platform.keys() == [self.KEY]

    def test_takes_a_neighbour_for_itself_never(self, platform: Platform, etag: str, destination: str) -> None:
        platform.s3.delete_object(Bucket=BUCKET, Key=self.KEY)
        platform.put(f"{self.KEY}.old", b"content")
        self.move(platform, etag, destination)
        assert platform.keys() == [f"{self.KEY}.old"]


def test_a_large_survey_is_ingested_in_ranges_and_every_row_arrives_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seven ranges that end in the middle of rows, a byte order mark, CRLF, no line end at the end, a row that is no
    # animal, and a row that was in another range before.
    header, *rows = platform.survey(40, 110).decode().splitlines()
    content = "\ufeff" + "\r\n".join([header, *rows[:20], "no animal", *rows[20:], rows[3]])
    size = len(content.encode())
    monkeypatch.setattr(workflow, "RANGE_BYTES", size // 6)
    etag = platform.put("surveys/large.csv", content.encode())
    run = Run(reload=False)
    assert run.state == "success"
    assert len(run.tasks["ingest"]) == 7
    assert platform.keys("surveys/processed/") == [workflow.finished_key(workflow.PROCESSED, "surveys/large.csv", etag)]
    assert sum(part["accepted"] for part in run.results["ingest"]) == 40
    for row in rows:
        assert platform.record(row.split(",")[0]) == dict(zip(header.split(","), row.split(","), strict=True))
    rejected = [problem for key in platform.keys(workflow.REJECTED_ROWS) for problem in platform.rejected(key)]
    assert [(problem["line"], problem["reason"]) for problem in sorted(rejected, key=lambda each: each["line"])] == [
        (22, "expected 11 columns, found 1"),
        (43, "duplicate of line 5"),
    ]
    assert len(platform.pipeline.executions) == 1


class TestIngest:
    KEY = "surveys/a.csv"

    def ingest(self, etag: str, until: int = 1_000_000) -> dict[str, Any]:
        return workflow.ingest.function({"key": self.KEY, "etag": etag, "offset": 0, "until": until})

    def test_a_survey_that_was_replaced_is_left_for_the_next_run(self, platform: Platform, variables: None) -> None:
        etag = platform.put(self.KEY, platform.survey(2, 104))
        platform.put(self.KEY, platform.survey(2, 105))
        with pytest.raises(AirflowSkipException, match="was replaced or removed"):
            self.ingest(etag)
        assert platform.keys() == [self.KEY]
        assert platform.record("sim-104-1") is None
        assert platform.record("sim-105-1") is None

    def test_a_survey_that_is_gone_is_skipped(self, platform: Platform, variables: None) -> None:
        with pytest.raises(AirflowSkipException, match="was replaced or removed"):
            self.ingest('"1"')

    def test_a_connection_that_broke_is_tried_again(
        self, platform: Platform, variables: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        etag = platform.put(self.KEY, platform.survey(2, 107))

        def broken(function: str, event: dict[str, Any]) -> dict[str, Any]:
            raise workflow.FunctionError(function, "SurveyChanged", "ended after 3 of 5 bytes")

        monkeypatch.setattr(workflow, "invoke", broken)
        with pytest.raises(AirflowException, match="ended after 3 of 5 bytes") as raised:
            self.ingest(etag)
        assert not isinstance(raised.value, AirflowFailException | AirflowSkipException)

    def test_a_large_range_takes_as_many_calls_as_it_needs(
        self, variables: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = [
            {"complete": False, "nextOffset": 1000, "rows": {"accepted": 7, "rejected": 1}, "rejectedUri": "s3://d/1"},
            {"complete": False, "nextOffset": 2000, "rows": {"accepted": 0, "rejected": 0}},
            {"complete": True, "rows": {"accepted": 5, "rejected": 2}, "rejectedUri": "s3://d/2"},
        ]
        events: list[dict[str, Any]] = []

        def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
            assert function == INGEST
            events.append(event)
            return answers[len(events) - 1]

        monkeypatch.setattr(workflow, "invoke", invoke)
        result = self.ingest('"1"', until=3000)
        assert (result["accepted"], result["rejected"], result["problem"]) == (12, 3, None)
        assert result["rejections"] == ["s3://d/1", "s3://d/2"]
        assert [event["offset"] for event in events] == [0, 1000, 2000]
        assert {event["etag"] for event in events} == {'"1"'}
        assert {event["until"] for event in events} == {3000}

    def test_a_function_that_does_not_get_on_ends_in_an_error(
        self, variables: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = {"complete": False, "nextOffset": 0, "rows": {"accepted": 0, "rejected": 0}}
        monkeypatch.setattr(workflow, "invoke", lambda *_: answer)
        with pytest.raises(AirflowException, match="stays at byte 0 of s3://acme-test-data/surveys/a.csv"):
            self.ingest('"1"')


class TestOutcome:
    """A survey is ingested when each of its ranges is."""

    SURVEY: ClassVar = {"key": "surveys/a.csv", "etag": '"1"', "size": 8}

    @pytest.fixture(autouse=True)
    def ranges(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workflow, "RANGE_BYTES", 4)

    def part(self, offset: int, **changes: Any) -> dict[str, Any]:
        part = {"key": "surveys/a.csv", "etag": '"1"', "offset": offset, "until": offset + 4}
        return part | {"accepted": 3, "rejected": 0, "problem": None} | changes

    def test_of_all_ranges(self) -> None:
        outcome = workflow.outcome_of(self.SURVEY, [self.part(4), self.part(0)])
        assert outcome == {"accepted": 6, "problem": None}

    def test_not_when_one_is_missing(self) -> None:
        assert workflow.outcome_of(self.SURVEY, [self.part(4)]) is None
        assert workflow.outcome_of(self.SURVEY, []) is None

    def test_not_by_the_ranges_of_another_content_or_survey(self) -> None:
        for change in ({"etag": '"2"'}, {"key": "surveys/b.csv"}):
            assert workflow.outcome_of(self.SURVEY, [self.part(0), self.part(4, **change)]) is None

    def test_it_is_no_survey_when_a_range_says_so(self) -> None:
        parts = [self.part(0, accepted=0, problem="the file is empty"), self.part(4, accepted=0)]
        assert workflow.outcome_of(self.SURVEY, parts) == {"accepted": 0, "problem": "the file is empty"}


def test_a_survey_whose_release_failed_stays_and_is_released_by_the_next_run(platform: Platform) -> None:
    platform.pipeline.is_full = True
    etag = platform.put("surveys/a.csv", platform.survey(3, 111))
    run = Run()
    assert run.state == "failed"
    assert (run.tasks["ingest"], run.tasks["release"], run.tasks["finish"]) == (["success"], ["failed"], ["skipped"])
    assert platform.keys() == ["surveys/a.csv"]
    before = platform.record("sim-111-3")
    assert before is not None

    platform.pipeline.is_full = False
    assert Run().state == "success"
    assert platform.record("sim-111-3") == before
    assert platform.keys() == [workflow.finished_key(workflow.PROCESSED, "surveys/a.csv", etag)]
    assert len(platform.pipeline.executions) == 1


class TestInvoke:
    def test_what_repeating_cannot_mend_is_not_repeated(self, platform: Platform) -> None:
        with pytest.raises(AirflowFailException, match="acme-test-release-change failed: InvalidEvent: .*surveys"):
            workflow.invoke(RELEASE, {"surveys": []})

    def test_any_other_error_is_tried_again_later(self, platform: Platform) -> None:
        platform.pipeline.is_full = True
        with pytest.raises(
            AirflowException, match="release-change failed: ConcurrentPipelineExecutionsLimit"
        ) as raised:
            workflow.invoke(RELEASE, {"surveys": [{"key": "surveys/a.csv", "etag": '"1"'}]})
        assert not isinstance(raised.value, AirflowFailException | AirflowSkipException)

    def test_a_function_that_is_not_there_is_named(self, platform: Platform) -> None:
        with pytest.raises(ClientError, match="acme-test-nobody"):
            workflow.invoke("acme-test-nobody", {})
