"""Brings in the surveys of a day, and releases what they change.

Every day the workflow waits for files below `surveys/` of the data bucket. Each file is checked and put into the
feature group by the function `ingest-survey` and then moved to `surveys/processed/`, one file beside the other. The
function `release-change` starts the pipeline for all of them at once. A day without files is skipped.

A file's content is known by its ETag throughout: what is replaced meanwhile is left for the next day. Every step can be
repeated, or killed and repeated, without another effect than the first time: records with the same identifier and time
are the same record, what was moved is not moved again, and CodePipeline takes the same files for the same release.

| Airflow Variable               | what it is                                    |
| ------------------------------ | --------------------------------------------- |
| `acme_data_bucket`             | name of the data bucket                       |
| `acme_ingest_survey_function`  | name of the function that ingests a survey    |
| `acme_release_change_function` | name of the function that starts the pipeline |
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
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
# Where ingest-survey lists the rows that it refused.
REJECTED_ROWS = "surveys/rejected/"

# Airflow expands a task into 1,024 at most (setting max_map_length of [core]); what is above waits for the next day.
MAXIMUM_SURVEYS = 1_000
# Surveys that are ingested at the same time: each puts 64 records at once.
CONCURRENT_SURVEYS = 4

# Seconds. A function ends after 900 at the latest, and an answer takes a moment more.
INVOCATION = Config(connect_timeout=10, read_timeout=930, retries={"mode": "standard", "total_max_attempts": 1})
# What repeating the call cannot mend, by the name of the function's error.
LASTING_ERRORS = {"InvalidEvent"}


def is_incoming(key: str) -> bool:
    """Whether an object of the data bucket is a survey that nobody has brought in yet."""
    return (
        not key.endswith("/") and key.startswith(INCOMING) and not key.startswith((PROCESSED, REFUSED, REJECTED_ROWS))
    )


def any_incoming(files: list[dict[str, Any]]) -> bool:
    """Whether the sensor has found a survey among the objects below `surveys/`."""
    return any(is_incoming(file["Key"]) for file in files)


def finished_key(folder: str, key: str, etag: str) -> str:
    """Where a survey goes when it is done with. The ETag keeps a later survey of the same name apart."""
    return f"{folder}{key.removeprefix(INCOMING)}/{etag.strip(chr(34))}{PurePosixPath(key).suffix}"


def current_etag(client: Any, bucket: str, key: str) -> str | None:
    """ETag of an object, or None where there is none.

    It is listed, not asked for: S3 says "forbidden" of a missing object to who may list some prefixes only.
    """
    contents = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return contents[0]["ETag"] if contents and contents[0]["Key"] == key else None


def move(client: Any, bucket: str, key: str, etag: str, destination: str) -> None:
    """Move one version of an object, or what an earlier attempt has left to move. A newer version stays where it is."""
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
        AirflowSkipException: the survey was replaced or taken away meanwhile.
        AirflowException: any other error of the function, which is named.
    """
    hook = LambdaHook(aws_conn_id=None, config=INVOCATION)
    answer = hook.invoke_lambda(function_name=function, invocation_type="RequestResponse", payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return payload
    name, message = payload.get("errorType", answer["FunctionError"]), payload.get("errorMessage", "")
    if name in {"SurveyChanged", "SurveyNotFound"}:
        raise AirflowSkipException(f"{message}. What is there now is for the next run")
    kind = AirflowFailException if name in LASTING_ERRORS else AirflowException
    raise kind(f"The function {function} failed: {name}: {message}")


def start_pipeline(surveys: list[dict[str, Any]]) -> dict[str, Any]:
    """Release surveys; the same surveys are the same release."""
    if not surveys:
        raise AirflowSkipException("No survey brought in a row: there is nothing to release")
    event = {"surveys": [{"key": survey["key"], "etag": survey["etag"]} for survey in surveys]}
    result = invoke(Variable.get("acme_release_change_function"), event)
    log.info("Released: %s", json.dumps(result))
    return result


@task
def list_surveys() -> list[dict[str, str]]:
    """List the surveys that have come in, the oldest first, each with the ETag of its content."""
    bucket = Variable.get("acme_data_bucket")
    pages = (
        S3Hook(aws_conn_id=None).get_conn().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=INCOMING)
    )
    objects = [entry for page in pages for entry in page.get("Contents", []) if is_incoming(entry["Key"])]
    objects.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
    if len(objects) > MAXIMUM_SURVEYS:
        log.warning(
            "%s surveys have come in; %s of them wait for the next run", len(objects), len(objects) - MAXIMUM_SURVEYS
        )
    return [{"key": entry["Key"], "etag": entry["ETag"]} for entry in objects[:MAXIMUM_SURVEYS]]


def ingest(function: str, bucket: str, survey: dict[str, str]) -> dict[str, Any]:
    """Put a survey's good rows into the feature group, in as many calls as it takes, each from where the last ended."""
    accepted, offset = 0, 0
    while True:
        result = invoke(function, {"bucket": bucket, **survey, "offset": offset})
        log.info("Ingested from byte %s: %s", offset, json.dumps(result))
        accepted += result["rows"]["accepted"]
        if result["complete"]:
            return {"accepted": accepted, "problem": result.get("fileProblem")}
        if result["nextOffset"] <= offset:
            raise AirflowException(
                f"{function} stays at byte {offset} of s3://{bucket}/{survey['key']}: look at its log"
            )
        offset = result["nextOffset"]


# Ingesting and moving are one task: Airflow 3.0 can't start a task behind a mapped group of tasks that was skipped as a
# whole (its API server asks for the group's length and fails), which is what an empty day is.
@task(multiple_outputs=False, max_active_tis_per_dag=CONCURRENT_SURVEYS, execution_timeout=timedelta(hours=6))
def bring_in(survey: dict[str, str]) -> dict[str, Any]:
    """Ingest a survey and move it to `surveys/processed/`; what is none goes to `surveys/refused/` and fails."""
    bucket, key, etag = Variable.get("acme_data_bucket"), survey["key"], survey["etag"]
    client = S3Hook(aws_conn_id=None).get_conn()
    processed = finished_key(PROCESSED, key, etag)
    if current_etag(client, bucket, key) != etag:
        if current_etag(client, bucket, processed) is None:
            where = f"s3://{bucket}/{key}"
            raise AirflowSkipException(f"{where} was replaced or taken away: what is there now is for the next run")
        # An earlier attempt moved it and was killed before it could say how many rows there were.
        return {**survey, "is_new": True}
    result = ingest(Variable.get("acme_ingest_survey_function"), bucket, survey)
    if result["problem"] is not None:
        refused = finished_key(REFUSED, key, etag)
        move(client, bucket, key, etag, refused)
        raise AirflowFailException(
            f"s3://{bucket}/{key} is no survey: {result['problem']}. It lies in s3://{bucket}/{refused}"
        )
    move(client, bucket, key, etag, processed)
    return {**survey, "is_new": result["accepted"] > 0}


@task(multiple_outputs=False, trigger_rule="all_done")
def release() -> dict[str, Any]:
    """Start the pipeline for what brought in rows, also when others failed: tomorrow nobody would know of it."""
    # Not by an argument: on a day without surveys there is none to resolve. Airflow hands out several results as a
    # list, and a single one as it is.
    found = get_current_context()["ti"].xcom_pull(task_ids="bring_in")
    surveys = [found] if isinstance(found, dict) else list(found or [])
    return start_pipeline([survey for survey in surveys if survey["is_new"]])


@task(trigger_rule="one_failed", retries=0)
def fail_if_any_failed() -> None:
    """Make the run fail when any of its tasks did: Airflow itself looks at the last ones only."""
    raise AirflowFailException("A task of this run failed: its own log says why")


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
    """Wait, list, bring in, release."""
    wait = S3KeySensor(
        task_id="wait_for_surveys",
        bucket_name="{{ var.value.acme_data_bucket }}",
        bucket_key=f"{INCOMING}*",
        wildcard_match=True,
        check_fn=any_incoming,
        metadata_keys=["Key"],
        # A worker is taken for each look only, and none for the time between.
        mode="reschedule",
        deferrable=False,
        poke_interval=timedelta(minutes=10).total_seconds(),
        timeout=timedelta(hours=20).total_seconds(),
        soft_fail=True,
        aws_conn_id=None,
    )
    surveys = list_surveys()
    wait >> surveys
    brought_in = bring_in.expand(survey=surveys)
    released = release()
    brought_in >> released
    [wait, surveys, brought_in, released] >> fail_if_any_failed()


data_workflow()
