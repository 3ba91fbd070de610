"""The commands as SageMaker starts them: processes of their own, with a base folder and a clean environment."""

import http.client
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

IMAGE = Path(__file__).resolve().parents[1]
SECONDS = 120


def environment(base: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the shell's but what Python needs, with credentials that open nothing."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(base),
        "SAGEMAKER_BASE_DIR": str(base),
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        **(extra or {}),
    }


def command(name: str, base: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [sys.executable, str(IMAGE / "bin" / name), *arguments],
        env=environment(base, extra),
        cwd=base,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def pack_model(model: Path, archive: Path) -> None:
    """Packs a model folder as SageMaker does after training."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for file in sorted(model.iterdir()):
            tar.add(file, file.name)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(base: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Runs `serve` until the block ends; yields the process, which answers /ping, and its port."""
    port = free_port()
    with (base / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(IMAGE / "bin" / "serve")],
            env=environment(base, {"SERVE_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": str(port)}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if request(port, "GET", "/ping")[0] == 200:
                    break
            except OSError:
                assert process.poll() is None, (base / "serve.log").read_text()
                assert time.monotonic() < deadline, "serve did not answer /ping"
                time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait()


def request(
    port: int, method: str, path: str, body: bytes | str | None = None, **headers: str
) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of one request; header names are written with underscores."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()
