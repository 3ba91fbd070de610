"""Athena over Parquet in S3, as the processing job and the tools know it."""

import csv
import hashlib
import io
import subprocess
import urllib.request
from pathlib import Path

import duckdb
import pytest
from conftest import REGION, Emulator, eventually

COLUMNS = [
    ("record_id", "string"),
    ("rings", "bigint"),
    ("length", "double"),
    ("write_time", "timestamp"),
    ("late", "int"),
]


@pytest.fixture(scope="module")
def store(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An offline store: one table, two partitions, a thousand records in two versions."""
    s3, glue = emulator.client("s3"), emulator.client("glue")
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})
    folder = tmp_path_factory.mktemp("parquet")
    for version in (1, 2):
        path = folder / f"{version}.parquet"
        duckdb.execute(
            f"""COPY (SELECT 'r' || n AS record_id, (n % 29)::BIGINT AS rings, n / 10 + {version} AS length,
                TIMESTAMPTZ '2026-01-0{version} 10:00:00+00' AS write_time FROM range(1000) t(n))
                TO '{path}' (FORMAT PARQUET)"""
        )
        s3.put_object(
            Bucket="data",
            Key=f"feature-store/data/year=2026/month=0{version}/{version}.parquet",
            Body=path.read_bytes(),
        )
    glue.create_database(DatabaseInput={"Name": "sagemaker_featurestore"})
    glue.create_table(
        DatabaseName="sagemaker_featurestore",
        TableInput={
            "Name": "surveys_1",
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}],
            "Parameters": {"classification": "parquet"},
            "StorageDescriptor": {
                "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS],
                "Location": "s3://data/feature-store/data/",
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
            },
        },
    )
    emulator.client("athena").create_work_group(
        Name="acme",
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": "s3://data/athena"},
        },
    )
    return '"sagemaker_featurestore"."surveys_1"'


def query(emulator: Emulator, sql: str, **more) -> dict:
    athena = emulator.client("athena")
    query_id = athena.start_query_execution(QueryString=sql, **{"WorkGroup": "acme", **more})["QueryExecutionId"]
    return eventually(
        lambda: (
            (found := athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"])["Status"]["State"]
            in ("SUCCEEDED", "FAILED", "CANCELLED")
            and found
        ),
        60,
    )


def rows(emulator: Emulator, sql: str) -> list[list[str | None]]:
    done = query(emulator, sql)
    assert done["Status"]["State"] == "SUCCEEDED", done["Status"]
    answer = emulator.client("athena").get_query_results(QueryExecutionId=done["QueryExecutionId"])
    return [[item.get("VarCharValue") for item in row["Data"]] for row in answer["ResultSet"]["Rows"]][1:]


def computing_threads(emulator: Emulator) -> int:
    """How many threads of the emulator are on a processor right now (R in Linux's list of tasks)."""
    listed = subprocess.run(
        ["ps", "-L", "-o", "stat=", "-p", str(emulator.process.pid)], capture_output=True, text=True, check=True
    )
    return sum(line.startswith("R") for line in listed.stdout.splitlines())


def read(emulator: Emulator, location: str) -> str:
    bucket, key = location.removeprefix("s3://").split("/", 1)
    return emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def test_the_latest_version_of_each_record_and_its_split_are_found(emulator, store):
    found = rows(
        emulator,
        f"""SELECT record_id, length, month, mod(from_base(substr(to_hex(md5(to_utf8(record_id))), 1, 8), 16), 100)
            FROM (SELECT *, row_number() OVER (PARTITION BY record_id ORDER BY write_time DESC) AS place FROM {store})
            WHERE place = 1 ORDER BY record_id""",
    )
    assert len(found) == 1000
    for record_id, length, month, split in found:
        assert (float(length), month) == (int(record_id[1:]) / 10 + 2, "02")
        assert int(split) == int(hashlib.md5(record_id.encode()).hexdigest()[:8], 16) % 100


def test_the_result_object_lies_where_output_location_says_as_soon_as_the_query_succeeded(emulator, store):
    done = query(emulator, "SELECT 'a \"b\", c' AS text, NULL AS nothing, '' AS empty, true AS yes, 1.5 AS number")
    location = done["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://data/athena/{done['QueryExecutionId']}.csv"
    assert read(emulator, location) == ('"text","nothing","empty","yes","number"\n"a ""b"", c",,"","true","1.5"\n')
    assert list(csv.reader(io.StringIO(read(emulator, location))))[1][0] == 'a "b", c'
    assert read(emulator, f"{location}.metadata")


def test_an_enforced_workgroup_decides_where_results_go(emulator, store):
    done = query(emulator, "SELECT 1", ResultConfiguration={"OutputLocation": "s3://data/elsewhere/"})
    assert done["ResultConfiguration"]["OutputLocation"].startswith("s3://data/athena/")
    done = query(emulator, "SELECT 1", WorkGroup="primary", ResultConfiguration={"OutputLocation": "s3://data/mine"})
    assert done["ResultConfiguration"]["OutputLocation"] == f"s3://data/mine/{done['QueryExecutionId']}.csv"
    assert read(emulator, done["ResultConfiguration"]["OutputLocation"])


def test_columns_have_the_types_of_the_glue_table_and_missing_ones_are_null(emulator, store):
    found = rows(
        emulator, f"SELECT write_time, late, typeof(late), length FROM {store} WHERE record_id = 'r7' ORDER BY 1"
    )
    assert found == [
        ["2026-01-01 10:00:00.000", None, "INTEGER", "1.7"],
        ["2026-01-02 10:00:00.000", None, "INTEGER", "2.7"],
    ]


def test_partitions_can_be_asked_for(emulator, store):
    assert rows(emulator, f"SELECT count(*) FROM {store} WHERE year = '2026' AND month = '01'") == [["1000"]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("from_utf8(to_utf8('é'))", "é"),
        ("to_hex(sha256(to_utf8('a')))", hashlib.sha256(b"a").hexdigest().upper()),
        ("from_base('ffffffff', 16)", "4294967295"),
        ("from_base('777', 8)", "511"),
        ("regexp_like('abalone', 'b.l')", "true"),
        ('json_extract_scalar(\'{"a": {"b": "c"}}\', \'$.a.b\')', "c"),
        ("to_unixtime(from_iso8601_timestamp('2026-01-01T00:00:00Z'))", "1767225600.0"),
        ("from_unixtime(1767225600)", "2026-01-01 00:00:00.000"),
        ("date_trunc('day', timestamp '2026-01-01 10:00:00')", "2026-01-01 00:00:00.000"),
        ("approx_distinct(1)", "1"),
        ("max_by('x', 1)", "x"),
        ("coalesce(NULL, 2)", "2"),
    ],
)
def test_functions_of_trino(emulator, store, expression, expected):
    assert rows(emulator, f"SELECT {expression}") == [[expected]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_text('{objects}/../secret.txt')",
        "SELECT * FROM read_text('s3://data/../../../secret.txt')",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "ATTACH '{folder}/written.db'",
        "SET enable_external_access = true",
        "SELECT 1; SET allowed_directories = ['/']",
        "INSTALL httpfs",
        "SELECT * FROM read_csv('http://127.0.0.1:{port}/x')",
    ],
)
def test_a_query_cannot_leave_the_objects_of_s3(emulator, store, sql):
    folder: Path = emulator.directory
    secret = folder / "secret.txt"
    secret.write_text("secret")
    before = sorted(folder.iterdir())
    done = query(emulator, sql.format(file=secret, folder=folder, objects=folder / "s3", port=emulator.port))
    assert done["Status"]["State"] == "FAILED"
    assert done["Status"]["StateChangeReason"]
    assert sorted(folder.iterdir()) == before


def test_other_requests_are_answered_while_a_large_result_is_written(emulator, store):
    athena = emulator.client("athena")
    sql = f"SELECT a.*, n FROM {store} a, range(150) t(n)"
    query_id = athena.start_query_execution(QueryString=sql, WorkGroup="acme")["QueryExecutionId"]
    answered = 0

    def done() -> dict | None:
        found = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return found if found["Status"]["State"] not in ("QUEUED", "RUNNING") else None

    while not (found := done()):
        urllib.request.urlopen(f"{emulator.url}/_ministack/ready").read()
        answered += 1
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    assert answered > 10
    assert read(emulator, found["ResultConfiguration"]["OutputLocation"]).count("\n") == 300_001


def test_results_come_in_pages_and_after_a_restart(make_emulator):
    emulator = make_emulator().start()
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})
    athena = emulator.client("athena")
    query_id = athena.start_query_execution(
        QueryString="SELECT n, CASE WHEN n % 2 = 0 THEN '' END AS even FROM range(2500) t(n) ORDER BY n",
        ResultConfiguration={"OutputLocation": "s3://data/"},
    )["QueryExecutionId"]

    def pages() -> list[list[str | None]]:
        eventually(
            lambda: (
                athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]
                == "SUCCEEDED"
            )
        )
        found = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        return [
            [item.get("VarCharValue") for item in row["Data"]] for page in found for row in page["ResultSet"]["Rows"]
        ]

    expected = [["n", "even"], *([str(n), None if n % 2 else ""] for n in range(2500))]
    assert pages() == expected
    emulator.save()
    emulator.kill()
    emulator.start()
    assert pages() == expected


def test_a_stopped_query_stays_cancelled(emulator, store):
    athena = emulator.client("athena")
    sql = "SELECT count(*) FROM range(100000000) a(n), range(100000) b(m) WHERE (n * m) % 7 = 3"
    query_id = athena.start_query_execution(QueryString=sql, WorkGroup="acme")["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=query_id)

    found = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
    assert found["State"] == "CANCELLED"
    assert rows(emulator, "SELECT 1") == [["1"]]
    eventually(lambda: computing_threads(emulator) == 0)
