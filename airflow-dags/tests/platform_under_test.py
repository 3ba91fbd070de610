"""What the DAG uses: S3, SSM, Lambda with the platform's own functions, SageMaker's feature store, a pipeline.

All are the local platform's services, except the pipeline: the emulator has none, so a fake records its calls.
"""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = REPOSITORY / "node_modules" / ".bin"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
BUCKET = "acme-test-data"
GROUP = "acme-test-abalone"
INGEST = "acme-test-ingest-survey"
RELEASE = "acme-test-release-change"
PIPELINE = "acme-test-pipeline"
VARIABLES_PATH = "/acme/test/airflow/variables"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/acme-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FakeCodePipeline(ThreadingHTTPServer):
    """Starts executions, one for each token, as CodePipeline does; the emulator has no CodePipeline."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _FakeCodePipelineHandler)
        self.executions: dict[str, str] = {}
        self.requests = 0
        self.is_full = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _FakeCodePipelineHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeCodePipeline

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests += 1
        executions = self.server.executions
        if self.server.is_full:
            status, answer = 400, {"__type": "ConcurrentPipelineExecutionsLimitExceededException", "message": "full"}
        elif self.headers["x-amz-target"].endswith(".StartPipelineExecution") and request["name"] == PIPELINE:
            execution = executions.setdefault(request["clientRequestToken"], f"execution-{len(executions) + 1}")
            status, answer = 200, {"pipelineExecutionId": execution}
        else:
            status, answer = 400, {"__type": "ValidationException", "message": json.dumps(request)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class Platform:
    """One emulator and one SageMaker service on free ports, in their own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emulator, self.sagemaker = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.emulator}"
        self.pipeline = FakeCodePipeline()
        self.processes: list[subprocess.Popen] = []
        self.s3 = self.client("s3")

    def start(self) -> None:
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)}
        library = next((REPOSITORY / ".venv/emulator/lib").glob("python3*"))
        self.run(
            [str(BIN / "node"), str(BIN / "sagemaker-local")],
            {
                **path,
                "SAGEMAKER_PORT": str(self.sagemaker),
                "SAGEMAKER_STATE_DIRECTORY": str(self.folder / "sagemaker"),
                "AWS_ENDPOINT_URL": self.url,
                "AWS_REGION": REGION,
                "AWS_ACCOUNT_ID": ACCOUNT,
                "MODEL_IMAGE_DIRECTORY": str(REPOSITORY / "model-image"),
                "MODEL_IMAGE_PYTHON": str(REPOSITORY / ".venv/model/bin/python"),
                "MODEL_IMAGE_REPOSITORY": "acme-test-abalone",
                "BOTOCORE_DATA": str(library / "site-packages/botocore/data"),
            },
            f"http://127.0.0.1:{self.sagemaker}/health",
        )
        self.run(
            [str(REPOSITORY / ".venv/emulator/bin/python"), "local/emulator/launcher.py"],
            {
                **path,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.emulator),
                "MINISTACK_REGION": REGION,
                "MINISTACK_ACCOUNT_ID": ACCOUNT,
                "STATE_DIR": str(self.folder / "state"),
                "S3_DATA_DIR": str(self.folder / "s3"),
                "LAMBDA_EXECUTOR": "local",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "SAGEMAKER_URL": f"http://127.0.0.1:{self.sagemaker}",
            },
            f"{self.url}/_ministack/health",
        )
        self.deploy()

    def run(self, command: list[str], environment: dict[str, str], health: str) -> None:
        log = self.folder / f"{Path(command[-1]).stem}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
            )
        self.processes.append(process)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(health, timeout=2):
                return
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )

    def deploy(self) -> None:
        """What the stacks deploy and the DAG uses."""
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        contract = json.loads((REPOSITORY / "survey/features.json").read_text())
        types = {"category": "String", "number": "Fractional", "integer": "Integral"}
        features = {
            contract["recordIdentifier"]["name"]: "String",
            contract["eventTime"]["name"]: "String",
            **{feature["name"]: types[feature["type"]] for feature in contract["features"]},
            contract["label"]["name"]: "Integral",
        }
        self.make_role()
        self.client("sagemaker").create_feature_group(
            FeatureGroupName=GROUP,
            RecordIdentifierFeatureName=contract["recordIdentifier"]["name"],
            EventTimeFeatureName=contract["eventTime"]["name"],
            FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in features.items()],
            OnlineStoreConfig={"EnableOnlineStore": True},
            RoleArn=ROLE,
        )
        self.deploy_function(INGEST, "ingest-survey", {"DATA_BUCKET": BUCKET, "FEATURE_GROUP": GROUP})
        self.deploy_function(
            RELEASE, "release-change", {"PIPELINE": PIPELINE, "AWS_ENDPOINT_URL_CODEPIPELINE": self.pipeline.url}
        )
        for name, value in {
            "acme_data_bucket": BUCKET,
            "acme_ingest_survey_function": INGEST,
            "acme_release_change_function": RELEASE,
        }.items():
            self.client("ssm").put_parameter(Name=f"{VARIABLES_PATH}/{name}", Value=value, Type="String")

    def make_role(self) -> None:
        """Makes the role of functions and feature group. It may do everything; the stacks' tests check the real one."""
        iam, name = self.client("iam"), ROLE.rpartition("/")[2]
        services = ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        for_all = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        trusted, everything = (
            json.dumps({"Version": "2012-10-17", "Statement": [statement]}) for statement in (trust, for_all)
        )
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
        iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=everything)

    def deploy_function(self, name: str, handler: str, variables: dict[str, str]) -> None:
        code = self.folder / f"{handler}.js"
        subprocess.run(
            [
                str(BIN / "esbuild"),
                f"handlers/{handler}/index.ts",
                "--bundle",
                "--platform=node",
                "--target=node22",
                "--format=cjs",
                f"--outfile={code}",
                "--log-level=error",
            ],
            cwd=REPOSITORY,
            env={"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            check=True,
        )
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.write(code, "index.js")
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="nodejs22.x",
            Handler="index.handler",
            Role=ROLE,
            Code={"ZipFile": archive.getvalue()},
            Timeout=60,
            Environment={"Variables": {"POWERTOOLS_METRICS_NAMESPACE": "acme", **variables}},
        )

    def survey(self, rows: int, seed: int) -> bytes:
        """A simulated survey; its animals are called sim-<seed>-1 and so on."""
        return subprocess.run(
            [str(BIN / "node"), "--import", "tsx", "survey/cli.ts", "simulate", f"--rows={rows}", f"--seed={seed}"],
            cwd=REPOSITORY,
            env={"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            check=True,
            stdout=subprocess.PIPE,
        ).stdout

    def put(self, key: str, content: bytes) -> str:
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)["ETag"]

    def content(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return sorted(entry["Key"] for entry in listed)

    def rejected(self, key: str) -> list[dict[str, Any]]:
        """The rows of a list of rejected rows."""
        return json.loads(self.content(key))["rejected"]

    def record(self, identifier: str) -> dict[str, str] | None:
        """A record of the feature group."""
        answer = self.client("sagemaker-featurestore-runtime").get_record(
            FeatureGroupName=GROUP, RecordIdentifierValueAsString=identifier
        )
        record = answer.get("Record")
        return record and {feature["FeatureName"]: feature["ValueAsString"] for feature in record}

    def empty(self) -> None:
        for key in self.keys():
            self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.pipeline.executions.clear()
        self.pipeline.requests = 0
        self.pipeline.is_full = False

    def stop(self) -> None:
        for process in reversed(self.processes):
            # Functions are children of the emulator: the whole group is killed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.pipeline.shutdown()
        self.pipeline.server_close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Platform]:
    platform = Platform(folder)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
