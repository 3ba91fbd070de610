"""Athena: the latest version of every record in the offline store, as a stream of rows."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from abalone.errors import JobError
from abalone.feature_contract import Contract

logger = logging.getLogger("abalone")

# Seconds between two checks of a query. The job and Athena (30 minutes) limit the time, so there is no limit here.
SHORTEST_WAIT, LONGEST_WAIT = 0.2, 3.0


@dataclass(frozen=True)
class OfflineStore:
    """Where Athena finds a feature group's records."""

    catalog: str
    database: str
    table: str


def find_offline_store(sagemaker: Any, feature_group: str) -> OfflineStore:  # noqa: ANN401
    """Asks SageMaker for the table of a feature group.

    Raises:
        JobError: there is no such feature group, or it has no offline store.
    """
    try:
        description = sagemaker.describe_feature_group(FeatureGroupName=feature_group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        raise JobError(
            f"The feature group {feature_group!r} does not exist: deploy the data stack, or check --feature-group."
        ) from error
    catalog = description.get("OfflineStoreConfig", {}).get("DataCatalogConfig")
    if catalog is None:
        raise JobError(
            f"The feature group {feature_group!r} (status {description.get('FeatureGroupStatus', 'unknown')}) has no "
            "offline store: create it with an OfflineStoreConfig."
        )
    return OfflineStore(catalog.get("Catalog", "AwsDataCatalog"), catalog["Database"], catalog["TableName"])


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def latest_records_query(contract: Contract, store: OfflineStore) -> str:
    """SQL for the latest version of each record that is not deleted, sorted by identifier.

    The offline store keeps all versions. The later event wins; of two versions of the same event, the one that was put
    later. SageMaker accepts event times with and without milliseconds: as text they compare correctly only if both
    have them.
    """
    columns = ", ".join(_quoted(name) for name in contract.dataset_columns)
    identifier, event_time = _quoted(contract.record_identifier), _quoted(contract.event_time)
    event = f"rpad(replace({event_time}, 'Z', ''), 23, '.000')"
    return (  # Every part is an identifier, and quoted.
        f"SELECT {columns} FROM ("  # noqa: S608
        f"SELECT *, row_number() OVER (PARTITION BY {identifier} "
        f"ORDER BY {event} DESC, api_invocation_time DESC, write_time DESC) AS recency "
        f"FROM {_quoted(store.database)}.{_quoted(store.table)}"
        f") AS versions WHERE recency = 1 AND NOT is_deleted ORDER BY {identifier}"
    )


def _wait(athena: Any, execution: str) -> None:  # noqa: ANN401
    wait = SHORTEST_WAIT
    while True:
        status = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in ("FAILED", "CANCELLED"):
            reason = status.get("StateChangeReason", "no reason given")
            raise JobError(
                f"The Athena query {execution} ended as {status['State']}: {reason} Look it up in the workgroup's "
                "history; usual causes are a missing permission and a schema that differs from the feature contract."
            )
        time.sleep(wait)
        wait = min(wait * 1.5, LONGEST_WAIT)


def query(athena: Any, sql: str, store: OfflineStore, workgroup: str, output: str) -> Iterator[list[str | None]]:  # noqa: ANN401
    """Runs a query and yields its rows page by page, so that memory does not grow with the survey. NULL is None.

    Raises:
        JobError: the query failed or was cancelled.
    """
    started = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Catalog": store.catalog, "Database": store.database},
        WorkGroup=workgroup,
        ResultConfiguration={"OutputLocation": output},
    )
    execution = started["QueryExecutionId"]
    logger.info("Athena query %s: %s", execution, sql)
    try:
        _wait(athena, execution)
    except SystemExit:
        athena.stop_query_execution(QueryExecutionId=execution)
        raise
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
    for number, page in enumerate(pages):
        rows = page["ResultSet"]["Rows"]
        # The first row of the first page repeats the columns' names.
        for row in rows[1:] if number == 0 else rows:
            yield [value.get("VarCharValue") for value in row["Data"]]
