"""Ingests the surveys of a day, and releases what they change.

Every day the workflow waits for files below `surveys/` of the data bucket. The function `ingest-survey` checks each
file and puts it into the feature group, large files in ranges of bytes in parallel. The function `release-change`
starts the pipeline once for all files. Then each file is moved to `surveys/processed/`. A day without files is skipped.

A file is moved last, so the files below `surveys/` are those still to do: after a run that was killed, the next one
begins with the same files. The ETag identifies a file's content in all steps: a file that is replaced in the meantime
waits for the next day. Every step can be repeated without a further effect. Records with the same identifier and time
are the same record, CodePipeline treats the same files of the same time as one release, and a moved file is not moved
again.

| Airflow Variable               | what it is                                    |
| ------------------------------ | --------------------------------------------- |
| `acme_data_bucket`             | name of the data bucket                       |
| `acme_ingest_survey_function`  | name of the function that ingests a survey    |
| `acme_release_change_function` | name of the function that starts the pipeline |
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_right
from datetime import timedelta
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any

import pendulum
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.providers.amazon.aws.hooks.lambda_function import LambdaHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from botocore.config import Config

try:
    from airflow.sdk import Variable, dag, get_current_context, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models import Variable
    from airflow.operators.python import get_current_context

log = logging.getLogger(__name__)

INCOMING = "surveys/"
PROCESSED = "surveys/processed/"
REFUSED = "surveys/refused/"
# ingest-survey lists refused rows here.
REJECTED_ROWS = "surveys/rejected/"

# Bytes of a file that one task ingests: about 200,000 rows, a minute or two.
RANGE_BYTES = 16 * 1024 * 1024
# Airflow expands a task into at most 1,024 (setting max_map_length of [core]); the rest waits for the next day.
MAXIMUM_RANGES = 1_000
# Ranges that are ingested in parallel.
CONCURRENT_RANGES = 4

# Seconds. A function ends after 300 at the latest, and its answer takes a moment longer. A NAT gateway drops an idle
# connection after 350.
INVOCATION = Config(connect_timeout=10, read_timeout=330, retries={"mode": "standard", "total_max_attempts": 1})
# Names of a function's errors for which a repeated call does not help.
LASTING_ERRORS = {"InvalidEvent"}
# Errors that may mean that somebody replaced or removed a survey.
CHANGED = {"SurveyChanged", "SurveyNotFound"}


class FunctionError(AirflowException):
    """A function ended with an error."""

    def __init__(self, function: str, name: str, message: str) -> None:
        """Keep the error's name, which identifies it for callers."""
        super().__init__(f"The function {function} failed: {name}: {message}")
        self.name = name


def is_incoming(key: str) -> bool:
    """Whether an object of the data bucket is a survey that is not ingested yet."""
    return (
        not key.endswith("/") and key.startswith(INCOMING) and not key.startswith((PROCESSED, REFUSED, REJECTED_ROWS))
    )


def any_incoming(files: list[dict[str, Any]]) -> bool:
    """Whether the sensor has found a survey among the objects below `surveys/`."""
    return any(is_incoming(file["Key"]) for file in files)


def finished_key(folder: str, key: str, etag: str) -> str:
    """The key of a finished survey. With the ETag, a later survey of the same name has another key."""
    return f"{folder}{key.removeprefix(INCOMING)}/{etag.strip(chr(34))}{PurePosixPath(key).suffix}"


def current_etag(client: Any, bucket: str, key: str) -> str | None:
    """ETag of an object, or None where there is none.

    The object is listed, not read: S3 answers "forbidden" for a missing object if the role may only list some prefixes.
    """
    contents = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return contents[0]["ETag"] if contents and contents[0]["Key"] == key else None


def move(client: Any, bucket: str, key: str, etag: str, destination: str) -> None:
    """Move one version of an object, or finish an earlier attempt. A newer version is not moved."""
    if current_etag(client, bucket, key) == etag:
        client.copy({"Bucket": bucket, "Key": key}, bucket, destination, ExtraArgs={"CopySourceIfMatch": etag})
    elif current_etag(client, bucket, destination) is None:
        log.warning("s3://%s/%s was replaced or removed after it was ingested, so it is not kept", bucket, key)
    if current_etag(client, bucket, key) == etag:
        client.delete_object(Bucket=bucket, Key=key, IfMatch=etag)


def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Call a function and wait for its answer.

    Raises:
        AirflowFailException: repeating the call cannot help.
        FunctionError: any other error of the function, which is named.
    """
    hook = LambdaHook(aws_conn_id=None, config=INVOCATION)
    answer = hook.invoke_lambda(function_name=function, invocation_type="RequestResponse", payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return payload
    name, message = payload.get("errorType", answer["FunctionError"]), payload.get("errorMessage", "")
    error = FunctionError(function, name, message)
    if name in LASTING_ERRORS:
        raise AirflowFailException(str(error))
    raise error


def start_pipeline(surveys: list[dict[str, Any]]) -> dict[str, Any]:
    """Release surveys; the same surveys are the same release."""
    if not surveys:
        raise AirflowSkipException("No survey had a good row: there is nothing to release")
    # With the time, because the same content may come again after another file of the same name, and change rows again.
    event = {"surveys": [{name: survey[name] for name in ("key", "etag", "arrived")} for survey in surveys]}
    result = invoke(Variable.get("acme_release_change_function"), event)
    log.info("Released: %s", json.dumps(result))
    return result


def ranges_of(size: int) -> list[tuple[int, int]]:
    """Ranges of bytes that cover a file without a gap: each has its first byte and the first byte after it."""
    step = max(RANGE_BYTES, -(-size // MAXIMUM_RANGES))
    return [(offset, min(offset + step, size)) for offset in range(0, size, step)] or [(0, 1)]


@task
def list_surveys() -> list[dict[str, Any]]:
    """List the surveys that have arrived, the oldest first, each with its size, its ETag and its time of arrival."""
    bucket = Variable.get("acme_data_bucket")
    pages = (
        S3Hook(aws_conn_id=None).get_conn().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=INCOMING)
    )
    objects = [entry for page in pages for entry in page.get("Contents", []) if is_incoming(entry["Key"])]
    objects.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
    ranges = list(accumulate(len(ranges_of(entry["Size"])) for entry in objects))
    count = bisect_right(ranges, MAXIMUM_RANGES)
    if count < len(objects):
        log.warning("%s surveys have arrived; %s of them wait for the next run", len(objects), len(objects) - count)
    return [
        {
            "key": entry["Key"],
            "etag": entry["ETag"],
            "size": entry["Size"],
            "arrived": entry["LastModified"].isoformat(),
        }
        for entry in objects[:count]
    ]


@task
def split_surveys(surveys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Split each survey into ranges of bytes, which are ingested in parallel."""
    return [
        {"key": survey["key"], "etag": survey["etag"], "offset": offset, "until": until}
        for survey in surveys
        for offset, until in ranges_of(survey["size"])
    ]


# A row belongs to the range in which it starts. Nevertheless, the function reads the file from its beginning, to know
# the header, the line numbers, and which rows were in an earlier range.
@task(multiple_outputs=False, max_active_tis_per_dag=CONCURRENT_RANGES, execution_timeout=timedelta(hours=2))
def ingest(part: dict[str, Any]) -> dict[str, Any]:
    """Put the good rows of a range into the feature group, in as many calls as it takes."""
    bucket, function = Variable.get("acme_data_bucket"), Variable.get("acme_ingest_survey_function")
    where = f"s3://{bucket}/{part['key']}"
    accepted, rejected, offset = 0, 0, part["offset"]
    rejections: list[str] = []
    while True:
        try:
            result = invoke(function, {"bucket": bucket, **part, "offset": offset})
        except FunctionError as error:
            # A broken connection looks the same to the function, but it is worth another attempt.
            if (
                error.name in CHANGED
                and current_etag(S3Hook(aws_conn_id=None).get_conn(), bucket, part["key"]) != part["etag"]
            ):
                raise AirflowSkipException(
                    f"{where} was replaced or removed: what is there now is for the next run"
                ) from error
            raise
        log.info("Ingested from byte %s: %s", offset, json.dumps(result))
        accepted += result["rows"]["accepted"]
        rejected += result["rows"]["rejected"]
        if "rejectedUri" in result:
            rejections.append(result["rejectedUri"])
        if result["complete"]:
            counts = {"accepted": accepted, "rejected": rejected, "rejections": rejections}
            return {**part, **counts, "problem": result.get("fileProblem")}
        if result["nextOffset"] <= offset:
            raise AirflowException(f"{function} stays at byte {offset} of {where}: see its log")
        offset = result["nextOffset"]


def results_of(task_id: str) -> list[Any]:
    """The results of a mapped task's instances that returned one."""
    # Not by an argument, which can't be resolved on a day without surveys. Airflow returns several results as a
    # sequence, and a single one as it is.
    found = get_current_context()["ti"].xcom_pull(task_ids=task_id)
    return [found] if isinstance(found, dict) else list(found or [])


def outcome_of(survey: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The outcome of a whole survey, or None when a part of it was not ingested."""
    parts = [part for part in results if (part["key"], part["etag"]) == (survey["key"], survey["etag"])]
    if {(part["offset"], part["until"]) for part in parts} != set(ranges_of(survey["size"])):
        return None
    return {
        "accepted": sum(part["accepted"] for part in parts),
        "problem": next((part["problem"] for part in parts if part["problem"] is not None), None),
    }


@task(multiple_outputs=False, trigger_rule="all_done")
def release() -> dict[str, Any]:
    """Start the pipeline for the ingested surveys, also when others failed."""
    surveys, results = results_of("list_surveys"), results_of("ingest")
    outcomes = [(survey, outcome_of(survey, results)) for survey in surveys]
    return start_pipeline([survey for survey, outcome in outcomes if outcome and outcome["accepted"] > 0])


@task(multiple_outputs=False, trigger_rule="all_done")
def finish(survey: dict[str, Any]) -> dict[str, Any]:
    """Move a released survey to `surveys/processed/`; a file that is not a survey goes to `surveys/refused/`."""
    bucket, key, etag = Variable.get("acme_data_bucket"), survey["key"], survey["etag"]
    where = f"s3://{bucket}/{key}"
    outcome = outcome_of(survey, results_of("ingest"))
    if outcome is None:
        raise AirflowSkipException(f"{where} is not completely ingested: it stays for the next run")
    client = S3Hook(aws_conn_id=None).get_conn()
    if outcome["problem"] is not None:
        refused = finished_key(REFUSED, key, etag)
        move(client, bucket, key, etag, refused)
        raise AirflowFailException(f"{where} is not a survey: {outcome['problem']}. It is now s3://{bucket}/{refused}")
    if outcome["accepted"] > 0 and not results_of("release"):
        raise AirflowSkipException(f"{where} is ingested, but not released: it stays for the next run")
    processed = finished_key(PROCESSED, key, etag)
    move(client, bucket, key, etag, processed)
    return {"key": key, "etag": etag, "destination": processed}


@task(trigger_rule="one_failed", retries=0)
def fail_if_any_failed() -> None:
    """Make the run fail when any of its tasks failed: Airflow itself checks only the last ones."""
    raise AirflowFailException("A task of this run failed: see its log")


@dag(
    dag_id="acme-data-workflow",
    description="Brings in each day's surveys and releases what they change",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["acme", "surveys"],
)
def data_workflow() -> None:
    """Wait, list, ingest, release, move."""
    wait = S3KeySensor(
        task_id="wait_for_surveys",
        bucket_name="{{ var.value.acme_data_bucket }}",
        bucket_key=f"{INCOMING}*",
        wildcard_match=True,
        check_fn=any_incoming,
        metadata_keys=["Key"],
        # Each check needs a worker, but the time in between needs none.
        mode="reschedule",
        deferrable=False,
        poke_interval=timedelta(minutes=10).total_seconds(),
        timeout=timedelta(hours=20).total_seconds(),
        soft_fail=True,
        aws_conn_id=None,
    )
    surveys = list_surveys()
    wait >> surveys
    parts = split_surveys(surveys)
    ingested = ingest.expand(part=parts)
    released = release()
    ingested >> released
    finished = finish.expand(survey=surveys)
    released >> finished
    [wait, surveys, parts, ingested, released, finished] >> fail_if_any_failed()


data_workflow()
