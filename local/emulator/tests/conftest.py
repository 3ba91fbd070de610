"""Starts real emulators, and a small SageMaker service, each on a free port with a folder of its own."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

LAUNCHER = Path(__file__).resolve().parents[1] / "launcher.py"
REPOSITORY = LAUNCHER.parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/acme-local-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(probe: Callable[[], Any], seconds: float = 30) -> Any:
    """Waits until `probe` returns something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found or time.monotonic() > deadline:
            assert found, f"nothing came of {probe} in {seconds} seconds"
            return found
        time.sleep(0.05)


class FakeSageMaker(ThreadingHTTPServer):
    """Answers what a test tells it to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _FakeSageMakerHandler)
        self.requests: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def operations(self) -> list[str]:
        return [request["operation"] for request in self.requests]

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [json.loads(request["body"]) for request in self.requests if request["operation"] == operation]

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _FakeSageMakerHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeSageMaker

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        operation = self.headers.get("x-amz-target", "").removeprefix("SageMaker.") or f"{self.command} {self.path}"
        self.server.requests.append(
            {
                "operation": operation,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
            }
        )
        answer = self.server.answers.get(operation, {})
        if callable(answer):
            answer = answer(body)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Fake", "sagemaker")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def policy_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


#: What a role may do in tests that are about something else.
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class Emulator:
    """One emulator process; it can be killed and started again on the same state."""

    def __init__(self, directory: Path, sagemaker_url: str = "http://127.0.0.1:9", **variables: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "emulator.log"
        self.launcher = LAUNCHER
        self.environment = {
            "PATH": f"{REPOSITORY / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "STATE_DIR": str(directory / "state"),
            "S3_DATA_DIR": str(directory / "s3"),
            "SAGEMAKER_URL": sagemaker_url,
            **variables,
        }
        self.process: subprocess.Popen | None = None

    def spawn(self) -> subprocess.Popen:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.launcher)], env=self.environment, stdout=log, stderr=log, cwd=self.directory
            )
        return self.process

    def start(self) -> "Emulator":
        process = self.spawn()

        def ready() -> bool:
            assert process.poll() is None, f"the emulator ended: {self.log.read_text()}"
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"{self.url}/_ministack/ready", timeout=2).status == 200
            return False

        eventually(ready)
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def save(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/_ministack/save", method="POST")).read()

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, **options),
        )

    def role(self, *statements: dict[str, Any]) -> str:
        """Makes the role of functions and state machines, unless it is there, and gives it these statements."""
        iam = self.client("iam")
        name = ROLE.rpartition("/")[2]
        services = ["lambda.amazonaws.com", "states.amazonaws.com"]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_of(trust))
        iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy_of(*statements))
        return ROLE

    def function(self, name: str, source: str, environment: dict[str, str] | None = None, timeout: int = 20) -> str:
        """Creates a Node function from its index.js, and returns its ARN."""
        self.role(EVERYTHING)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("index.js", source)
        return self.client("lambda").create_function(
            FunctionName=name,
            Runtime="nodejs22.x",
            Handler="index.handler",
            Role=ROLE,
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout,
            Environment={"Variables": environment or {}},
        )["FunctionArn"]

    def start_execution(self, definition: dict[str, Any], payload: Any = None, name: str = "") -> str:
        """Makes a state machine of its own for the definition, starts it, and returns the execution's ARN."""
        states = self.client("stepfunctions")
        self.role(EVERYTHING)
        name = name or f"machine-{time.monotonic_ns()}"
        machine = states.create_state_machine(
            name=name, definition=json.dumps({"QueryLanguage": "JSONata", **definition}), roleArn=ROLE
        )["stateMachineArn"]
        return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(payload or {}))[
            "executionArn"
        ]

    def execution(self, arn: str) -> dict[str, Any]:
        return self.client("stepfunctions").describe_execution(executionArn=arn)

    def finish(self, arn: str) -> dict[str, Any]:
        """Waits until an execution is no longer running."""
        return eventually(lambda: (found := self.execution(arn))["status"] != "RUNNING" and found, 60)

    def run(self, definition: dict[str, Any], payload: Any = None) -> dict[str, Any]:
        return self.finish(self.start_execution(definition, payload))


#: Trusts whoever works with the account's key.
TRUST = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}


class Roles:
    """Roles of the account, and clients that work as one of them."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.count = 0

    def session(self, *statements: dict, boundary: tuple[dict, ...] = ()) -> dict[str, str]:
        """Makes a role with these statements, and returns the credentials of a session of it."""
        self.count += 1
        iam = self.emulator.client("iam")
        name = f"acme-local-judged-{self.count}"
        options = {}
        if boundary:
            policy = iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=policy_of(*boundary))
            options["PermissionsBoundary"] = policy["Policy"]["Arn"]
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_of(TRUST), **options)["Role"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy_of(*statements))
        answer = self.emulator.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
        return answer["Credentials"]

    def client(self, service: str, credentials: dict[str, str], region: str = REGION):
        return boto3.client(
            service,
            endpoint_url=self.emulator.url,
            region_name=region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )


def refusal(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def allow(action: str, resource: str, **condition) -> dict:
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


@pytest.fixture
def sagemaker() -> Iterator[FakeSageMaker]:
    server = FakeSageMaker()
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared_sagemaker() -> Iterator[FakeSageMaker]:
    server = FakeSageMaker()
    yield server
    server.close()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory, shared_sagemaker: FakeSageMaker) -> Iterator[Emulator]:
    """One emulator for all tests of a module, with a SageMaker service behind it."""
    assert shutil.which("node", path=f"{REPOSITORY / 'node_modules' / '.bin'}"), (
        "run `npm ci` first: Node 22 is missing"
    )
    running = Emulator(tmp_path_factory.mktemp("emulator"), shared_sagemaker.url).start()
    yield running
    running.stop()


@pytest.fixture
def make_emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Makes emulators (not yet started) that are stopped after the test."""
    made: list[Emulator] = []

    def make(sagemaker_url: str = "http://127.0.0.1:9", **variables: str) -> Emulator:
        made.append(Emulator(tmp_path, sagemaker_url, **variables))
        return made[-1]

    yield make
    for each in made:
        each.stop()
