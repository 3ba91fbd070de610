"""Patches of Athena: results where AWS puts them, Trino's functions, and no reading outside S3.

What is changed, and why:

- The result object lay at `<id>.csv/<id>.csv`, so no client that reads OutputLocation found it. It lies where
  OutputLocation says, written as Athena writes it (every value quoted, NULL empty), and before the query succeeds.
- Whoever could reach the port could read any file of the host by SQL. A query now sees the S3 objects' folder alone.
- A large result froze the server: rows are fetched and written in small steps on a thread, and are not part of the
  state that is saved every two seconds.
- Functions that DuckDB lacks or that mean something else in Trino are macros.
- A table's columns have the types of the Glue table, as in Athena, not those of its Parquet files.
- A workgroup that enforces its configuration ignored that; a stopped query went on and succeeded.
"""

import asyncio
import collections
import datetime
import logging
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from patches.compatibility import require

logger = logging.getLogger("emulator.athena")

#: Rows that are turned to text before other requests get their turn.
_STEP = 500
#: Results that stay in memory for GetQueryResults; others are read again from their S3 object.
_RESULTS_IN_MEMORY = 8

#: Trino's functions as DuckDB macros. A record's split, in SQL
#: `mod(from_base(substr(to_hex(md5(to_utf8(id))), 1, 8), 16), 100)`, equals Python's
#: `int(md5(id).hexdigest()[:8], 16) % 100`.
_MACROS = (
    "to_utf8(text) AS encode(text)",
    "from_utf8(bytes) AS decode(bytes)",
    "md5(bytes) AS unhex(system.main.md5(bytes))",
    "sha256(bytes) AS unhex(system.main.sha256(bytes))",
    "to_hex(bytes) AS hex(bytes)",
    "from_hex(text) AS unhex(text)",
    """from_base(text, radix) AS list_reduce(list_transform(string_split(lower(text), ''),
        lambda digit: (strpos('0123456789abcdefghijklmnopqrstuvwxyz', digit) - 1)::BIGINT),
        lambda sum, digit: sum * radix + digit)""",
    "regexp_like(text, pattern) AS regexp_matches(text, pattern)",
    "json_extract_scalar(json, path) AS json_extract_string(json, path)",
    "approx_percentile(value, share) AS approx_quantile(value, share)",
    "approx_distinct(value) AS approx_count_distinct(value)",
    "from_iso8601_timestamp(text) AS text::TIMESTAMPTZ",
    "from_iso8601_date(text) AS text::DATE",
    "to_unixtime(moment) AS epoch(moment)",
    "from_unixtime(seconds) AS make_timestamp((seconds::DOUBLE * 1000000)::BIGINT)",
    "is_nan(value) AS isnan(value)",
    "truncate(value) AS trunc(value)",
)

_SIMPLE_TYPE = re.compile(r"[a-z]+")


class QueryCancelledError(Exception):
    """The query was stopped by its client."""


def text_of(value: Any) -> str | None:  # noqa: ANN401 - any value of DuckDB
    """A value as Athena writes it; None is NULL."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
        return f"{text} UTC" if value.tzinfo else text
    if isinstance(value, bytes):
        return value.hex(" ")
    return str(value)


def csv_line(values: list[str | None]) -> str:
    """A line of a result file: every value quoted, NULL empty."""
    return ",".join("" if value is None else f'"{value.replace(chr(34), chr(34) * 2)}"' for value in values) + "\n"


_CSV_VALUE = re.compile(r'(?:"((?:[^"]|"")*)")?([,\n])')


def csv_rows(text: str) -> Iterator[list[str | None]]:
    """The rows of a result file, header included: what `csv_line` wrote."""
    row: list[str | None] = []
    for found in _CSV_VALUE.finditer(text):
        row.append(None if found[1] is None else found[1].replace('""', '"'))
        if found[2] == "\n":
            yield row
            row = []


class Queries:
    """Runs Athena's queries: one fresh DuckDB each, which sees nothing but the objects of S3."""

    def __init__(self, athena: Any, objects: Path) -> None:  # noqa: ANN401 - a module
        self._athena = athena
        self._objects = objects
        self._connections: dict[str, Any] = {}
        self._rows: collections.OrderedDict[str, list[list[str | None]]] = collections.OrderedDict()
        self._guard = threading.Lock()
        self._rewrite = require(athena, "_rewrite_data_paths", ("query", "database", "catalog"))
        self._type_map = require(athena, "_DUCKDB_TYPE_MAP")
        self._run_ddl = require(athena, "_run_ddl", ("ddl", "database"))

    async def execute(self, query_id: str, query: str, database: str, ddl: Any, catalog: str | None = None) -> None:  # noqa: ANN401
        """Takes a query from QUEUED to its end, like ministack's `_execute_query`, which it replaces."""
        execution = self._athena._executions.get(query_id)
        if execution is None or execution["Status"]["State"] == "CANCELLED":
            return
        status = execution["Status"]
        status["State"] = "RUNNING"
        started = time.monotonic()
        try:
            if ddl is not None:
                columns, types, rows, content = [], [], [], b""
                self._run_ddl(ddl, database)
            else:
                rewritten, _, folders = await self._rewrite(query, database, catalog)
                try:
                    columns, types, rows, content = await asyncio.to_thread(self._select, query_id, rewritten, folders)
                finally:
                    for folder in folders:
                        shutil.rmtree(folder, ignore_errors=True)
            if status["State"] == "CANCELLED":
                return
            self._put_result(execution, content, "\n".join([",".join(columns), ",".join(types)]).encode())
            self._remember(query_id, rows)
            execution["_column_types"] = types
            execution["_columns"] = columns
            milliseconds = int((time.monotonic() - started) * 1000)
            execution["Statistics"].update(
                EngineExecutionTimeInMillis=milliseconds,
                TotalExecutionTimeInMillis=milliseconds,
                DataScannedInBytes=len(content),
            )
            status["State"] = "SUCCEEDED"
        except Exception as error:
            if status["State"] != "CANCELLED":
                logger.warning("Athena query %s failed: %s", query_id, error)
                status["State"] = "FAILED"
                status["StateChangeReason"] = str(error)[:2000]
        finally:
            status["CompletionDateTime"] = int(time.time())

    def stop(self, query_id: str) -> None:
        """Interrupts a query that runs, again and again: DuckDB forgets an interrupt that comes before a statement."""
        with self._guard:
            connection = self._connections.get(query_id)
            if connection is not None:
                connection.interrupt()
                asyncio.get_running_loop().call_later(0.1, self.stop, query_id)

    def rows(self, execution: dict[str, Any]) -> list[list[str | None]]:
        """A finished query's rows, from memory or from its result object."""
        query_id = execution["QueryExecutionId"]
        rows = self._rows.get(query_id)
        if rows is None:
            from ministack.services import s3

            place = urlparse(execution["ResultConfiguration"]["OutputLocation"])
            content = s3._get_object_data(place.netloc, place.path.lstrip("/"))
            rows = list(csv_rows((content or b"").decode()))[1:]
            self._remember(query_id, rows)
        return rows

    def _select(self, query_id: str, query: str, folders: list[str]) -> tuple[list[str], list[str], list, bytes]:
        import duckdb

        connection = duckdb.connect(":memory:")
        with self._guard:
            self._connections[query_id] = connection
        try:
            if self._athena._executions[query_id]["Status"]["State"] == "CANCELLED":
                raise QueryCancelledError(query_id)
            self._prepare(connection, folders)
            result = connection.execute(query)
            described = result.description or []
            columns = [column[0] for column in described]
            types = [
                self._type_map.get(re.split(r"[(\[]", str(column[1]).upper())[0].strip(), "varchar")
                for column in described
            ]
            rows: list[list[str | None]] = []
            lines = [csv_line(columns)]
            while step := result.fetchmany(_STEP):
                texts = [[text_of(value) for value in row] for row in step]
                rows.extend(texts)
                lines.append("".join(map(csv_line, texts)))
            return columns, types, rows, "".join(lines).encode()
        finally:
            with self._guard:
                del self._connections[query_id]
            connection.close()

    def _prepare(self, connection: Any, folders: list[str]) -> None:  # noqa: ANN401 - a DuckDB connection
        for macro in _MACROS:
            connection.execute(f"CREATE MACRO {macro}")
        allowed = ", ".join("'{}/'".format(str(folder).replace("'", "''")) for folder in [self._objects, *folders])
        connection.execute("SET TimeZone = 'UTC'")
        # As ministack does: a cast pushed into the CSV reader would fail on a value that reads as NULL in Athena.
        connection.execute("SET disabled_optimizers = 'type_pushdown'")
        connection.execute(f"SET allowed_directories = [{allowed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")

    def _put_result(self, execution: dict[str, Any], content: bytes, metadata: bytes) -> None:
        from ministack.services import s3

        location = execution["ResultConfiguration"]["OutputLocation"]
        place = urlparse(location)
        put = require(s3, "_put_object")
        for key, data, kind in (
            (place.path.lstrip("/"), content, "text/csv"),
            (f"{place.path.lstrip('/')}.metadata", metadata, "application/octet-stream"),
        ):
            answer = put(place.netloc, key, data, {"content-type": kind, "content-length": str(len(data))})
            if isinstance(answer, tuple) and answer[0] >= 300:
                raise RuntimeError(
                    f"The result cannot be written to {location}: {answer[2].decode('utf-8', 'replace')}"
                )

    def _remember(self, query_id: str, rows: list[list[str | None]]) -> None:
        self._rows[query_id] = rows
        self._rows.move_to_end(query_id)
        while len(self._rows) > _RESULTS_IN_MEMORY:
            self._rows.popitem(last=False)


def install(objects: Path) -> None:
    """Patches ministack's Athena.

    Args:
        objects: the folder of the S3 objects, the only one that a query may read.
    """
    from ministack.services import athena

    require(athena, "_execute_query", ("query_id", "query", "database", "ddl", "catalog"))
    queries = Queries(athena, objects)
    athena._execute_query = queries.execute
    _install_requests(athena, queries)
    _install_state(athena)
    _install_relations(athena, objects)


def _install_requests(athena: Any, queries: Queries) -> None:  # noqa: ANN401 - a module
    start = require(athena, "_start_query_execution", ("data",))
    stop = require(athena, "_stop_query_execution", ("data",))
    results = require(athena, "_get_query_results", ("data",))

    def start_query(data: dict[str, Any]) -> Any:  # noqa: ANN401 - a response
        configuration = (athena._workgroups.get(data.get("WorkGroup", "primary")) or {}).get("Configuration", {})
        enforced = configuration.get("EnforceWorkGroupConfiguration") and configuration.get("ResultConfiguration")
        if enforced and enforced.get("OutputLocation"):
            data = {**data, "ResultConfiguration": enforced}
        known = set(athena._executions)
        answer = start(data)
        for query_id in set(athena._executions) - known:
            configuration = athena._executions[query_id]["ResultConfiguration"]
            prefix = configuration["OutputLocation"].removesuffix(f"{query_id}.csv")
            configuration["OutputLocation"] = f"{prefix.rstrip('/')}/{query_id}.csv"
        return answer

    def stop_query(data: dict[str, Any]) -> Any:  # noqa: ANN401 - a response
        answer = stop(data)
        queries.stop(data.get("QueryExecutionId", ""))
        return answer

    def query_results(data: dict[str, Any]) -> Any:  # noqa: ANN401 - a response
        execution = athena._executions.get(data.get("QueryExecutionId"))
        if execution is None or execution["Status"]["State"] != "SUCCEEDED" or "_columns" not in execution:
            return results(data)
        execution["_results"] = {"columns": execution["_columns"], "rows": queries.rows(execution)}
        try:
            return results(data)
        finally:
            execution["_results"] = None

    athena._start_query_execution = start_query
    athena._stop_query_execution = stop_query
    athena._get_query_results = query_results


def _install_state(athena: Any) -> None:  # noqa: ANN401 - a module
    """Ends queries that a restart interrupted."""
    restore = require(athena, "_restore_state", ("data",))

    def restore_and_end(data: dict[str, Any]) -> None:
        restore(data)
        for execution in athena._executions.all_values():
            if execution["Status"]["State"] in ("QUEUED", "RUNNING"):
                execution["Status"]["State"] = "FAILED"
                execution["Status"]["StateChangeReason"] = "The query was running when the service restarted."
                execution["Status"]["CompletionDateTime"] = int(time.time())

    athena._restore_state = restore_and_end


def _install_relations(athena: Any, objects: Path) -> None:  # noqa: ANN401 - a module
    """Reads a table's objects where they lie, with the columns that the Glue table has."""
    materialize = require(athena, "_materialize_table_files", ("location", "workdirs"))
    relation = require(athena, "_table_relation", ("table_data", "files"))
    data_format = require(athena, "_data_format", ("table_data",))
    duckdb_type = require(athena, "_duckdb_type", ("column",))
    hidden = require(athena, "_hidden", ("relative_key",))
    known_types = require(athena, "_DUCKDB_TYPE_BY_ATHENA")
    castable = {*known_types, "string", "varchar", "char"}

    def files_of_table(location: str, workdirs: list[str]) -> list[str]:
        from ministack.core.responses import get_account_id
        from ministack.services import s3

        place = urlparse(location)
        prefix = place.path.strip("/") + "/"
        bucket = s3._buckets.get(place.netloc)
        folder = objects / get_account_id() / place.netloc
        files = []
        for key in sorted(bucket["objects"]) if bucket else []:
            if not key.startswith(prefix) or key.endswith("/") or hidden(key[len(prefix) :]):
                continue
            path = folder / key
            if ".." in key.split("/") or not path.is_file():
                # An object under a name that no file can have: ministack copies the table's objects to a folder.
                return materialize(location, workdirs)
            files.append(str(path))
        return files

    def typed_relation(table_data: dict[str, Any], files: list[str]) -> str:
        found = relation(table_data, files)
        if data_format(table_data) != "parquet":
            return found
        columns = [*(table_data["StorageDescriptor"].get("Columns") or []), *(table_data.get("PartitionKeys") or [])]
        empty, typed = [], []
        for column in columns:
            name = '"{}"'.format(str(column["Name"]).replace('"', '""'))
            base = _SIMPLE_TYPE.match(str(column.get("Type", "string")).lower())
            if base and base[0] in castable:
                kind = duckdb_type(column)
                empty.append(f"CAST(NULL AS {kind}) AS {name}")
                typed.append(f"CAST({name} AS {kind}) AS {name}")
            else:
                typed.append(name)
        if not empty:
            return found
        return (
            f"(SELECT {', '.join(typed)} FROM "  # noqa: S608 - names are quoted
            f"(SELECT * FROM {found} UNION ALL BY NAME SELECT {', '.join(empty)} WHERE false))"
        )

    athena._materialize_table_files = files_of_table
    athena._table_relation = typed_relation
