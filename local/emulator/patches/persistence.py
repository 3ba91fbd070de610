"""Patch: state that survives a kill.

ministack saves only when it is asked to stop, so a SIGKILL loses everything but the S3 objects. Here every service's
state is written every two seconds if it changed, at SIGTERM, and on `POST /_ministack/save`; each file is replaced
whole, so a kill in the middle leaves the file before. An execution of Step Functions is on disk before its start is
answered: after a kill it is found FAILED with `States.ServiceRestart` instead of being forgotten. So is an item of
DynamoDB before its writing is answered: what a visitor was told is stored stays stored.
"""

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from patches.asgi import Application, Receive, Scope, Send
from patches.compatibility import require

logger = logging.getLogger("emulator.persistence")

_INTERVAL_SECONDS = 2.0
#: Timers of the emulator change state without a request (alarms, DynamoDB's time to live): look without one this often.
_IDLE_INTERVAL_SECONDS = 30.0
#: Saving may take at most this share of the time, however large the state grows.
_SHARE = 0.05
#: Requests that are on disk before they are answered, and the services whose state they change; None is every one.
_DURABLE: dict[bytes, frozenset[str] | None] = {
    b"AWSStepFunctions.StartExecution": None,
    **{
        f"DynamoDB_20120810.{operation}".encode(): frozenset({"dynamodb"})
        for operation in (
            "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement",
            "BatchExecuteStatement", "ExecuteTransaction",
        )
    },
}  # fmt: skip


class DamagedStateError(Exception):
    """A file of the state folder cannot be read; going on would lose what is in it."""


class StateInUseError(Exception):
    """Another emulator works on the same state folder."""


def lock_state(directory: Path) -> int:
    """Takes the state folder for this process, until it ends.

    Returns:
        the file descriptor that holds the lock.

    Raises:
        StateInUseError: another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StateInUseError(
            f"The state folder {directory} is in use by process {holder}: stop that emulator, or set another STATE_DIR."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def check_state_files(directory: Path) -> None:
    """Reads every state file once before ministack does, which would log an error, go on empty, and overwrite the file.

    Raises:
        DamagedStateError: a file is not what was saved.
    """
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_bytes())
            if not isinstance(content, dict) or "payload" not in content:
                raise ValueError("it is not a state file of the emulator")
        except ValueError as error:
            raise DamagedStateError(
                f"The state file {path} is damaged: {error}. Restore a good copy, or delete it to lose what this one "
                "service holds, or run `make clean` to start again."
            ) from None


def mend_objects(directory: Path) -> int:
    """Brings the metadata of half-written S3 objects in line with their bytes.

    ministack replaces an object's file first and its `.meta.json` after it. A kill between the two leaves new bytes
    under the old size and ETag, which no client could read with If-Match or a checksum.

    Returns:
        how many objects were mended.
    """
    mended = 0
    for metadata_path in directory.glob("[0-9]*/**/*.meta.json"):
        path = metadata_path.with_name(metadata_path.name.removesuffix(".meta.json"))
        try:
            metadata = json.loads(metadata_path.read_bytes())
            data, written = path.stat(), metadata_path.stat()
        except (OSError, ValueError):
            continue
        if data.st_mtime_ns <= written.st_mtime_ns and data.st_size == metadata.get("size", data.st_size):
            continue
        metadata["size"] = data.st_size
        metadata["etag"] = f'"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"'
        metadata["checksums"] = {}
        replace(metadata_path, json.dumps(metadata).encode())
        mended += 1
    return mended


def replace(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


class StateSaver:
    """Writes the services' state, each only when it changed."""

    def __init__(self, directory: Path) -> None:
        from ministack import app
        from ministack.core import persistence

        self._directory = directory
        self._services = require(app, "_build_persistence_save_dict", ())
        self._encode_default = require(persistence, "_json_default", ("obj",))
        self._format_version = require(persistence, "_state_format_version", ("service",))
        self._saved: dict[str, bytes] = {}
        self._touched = True
        self._writing = asyncio.Lock()
        self._waiting: dict[frozenset[str] | None, asyncio.Task[int]] = {}
        # ministack's own save at shutdown would write the same once more, each file whether changed or not.
        require(app, "save_all", ("services",))
        app.save_all = lambda services: None

    def touch(self) -> None:
        """Notes that a request came, so that something may have changed."""
        self._touched = True

    async def save(self) -> int:
        """Writes what changed since the last time.

        State is copied on the event loop, between two requests, so that no request is seen half-done; encoding and
        writing happen on a thread.

        Returns:
            how many services were written.
        """
        async with self._writing:
            self._touched = False
            states = list(self._copies(None))
            return await asyncio.to_thread(self._write, states)

    async def save_soon(self, services: frozenset[str] | None) -> None:
        """Writes what changed in these services, or in all, and returns when it is on disk.

        Requests that come while one save is being written share the next one: many at once cost hardly more than one.
        """
        task = self._waiting.get(services)
        if task is None:
            task = self._waiting[services] = asyncio.create_task(self._save_in_turn(services))
        # Several wait for the same task: one of them that goes away must not take it along.
        await asyncio.shield(task)

    async def _save_in_turn(self, services: frozenset[str] | None) -> int:
        async with self._writing:
            # From here on the state is being copied, so whoever comes now needs the next one.
            del self._waiting[services]
            return await asyncio.to_thread(self._write, list(self._copies(services)))

    def _copies(self, services: frozenset[str] | None) -> Iterator[tuple[str, Any]]:
        for service, get_state in self._services().items():
            if services is not None and service not in services:
                continue
            for attempt in range(5):
                try:
                    state = get_state()
                except RuntimeError:
                    # An execution's thread added something while its dictionary was copied: once more.
                    if attempt == 4:
                        self._touched = True
                        logger.warning(
                            "The state of %s changes too quickly to be copied; the next round tries again", service
                        )
                    continue
                if state is not None:
                    yield service, state
                break

    def _write(self, states: list[tuple[str, Any]]) -> int:
        written = 0
        for service, state in states:
            try:
                content = json.dumps(
                    {"__ministack_format__": self._format_version(service), "payload": state},
                    default=self._encode_default,
                ).encode()
            except RuntimeError:
                self._touched = True
                continue
            except (TypeError, ValueError):
                # One service's strange value must not keep the others from being saved.
                logger.exception("The state of %s cannot be written as JSON", service)
                continue
            digest = hashlib.blake2b(content, digest_size=16).digest()
            if self._saved.get(service) != digest:
                self._directory.mkdir(parents=True, exist_ok=True)
                replace(self._directory / f"{service}.json", content)
                self._saved[service] = digest
                written += 1
        return written

    async def run(self) -> None:
        """Saves every two seconds while requests come, until cancelled."""
        last = time.monotonic()
        pause = _INTERVAL_SECONDS
        while True:
            await asyncio.sleep(pause)
            if not self._touched and time.monotonic() - last < _IDLE_INTERVAL_SECONDS:
                continue
            started = time.monotonic()
            try:
                await self.save()
            except Exception:
                # A full disk must not end the saving for ever.
                self._touched = True
                logger.exception("The state could not be saved to %s", self._directory)
            last = time.monotonic()
            pause = max(_INTERVAL_SECONDS, (last - started) / _SHARE)


def save_state(application: Application, saver: StateSaver) -> Application:
    """Wraps the ASGI application: saves on `POST /_ministack/save`, and before what is durable is answered."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        saver.touch()
        target = next((value for name, value in scope["headers"] if name == b"x-amz-target"), b"")
        if scope["path"] == "/_ministack/save" and scope["method"] == "POST":
            body = json.dumps({"saved": await saver.save()}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        elif target in _DURABLE:

            async def save_first(message: Any) -> None:  # noqa: ANN401 - an ASGI message
                if message["type"] == "http.response.start" and message["status"] < 400:
                    await saver.save_soon(_DURABLE[target])
                await send(message)

            await application(scope, receive, save_first)
        else:
            await application(scope, receive, send)

    return gateway
