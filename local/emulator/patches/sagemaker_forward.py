"""Patch: what is signed for SageMaker or CodePipeline goes to the platform's own service in its place.

ministack has no SageMaker. All of SageMaker's services (control plane, runtime, feature store runtime, metrics) sign
for the same name, so the credential scope alone decides, and one AWS_ENDPOINT_URL serves every client. Requests are
passed on before ministack reads them: bodies stream in both directions, over connections that are kept open, because
clients that put record by record send thousands of small requests a second.

ministack has no CodePipeline either: what is signed for it goes to the pipeline service, where there is one.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import h11

from patches.asgi import Application, Receive, Scope, Send
from patches.compatibility import require
from patches.sagemaker_authorization import Judge

_SIGNED_FOR = re.compile(rb"Credential=[^/,\s]+/\d{8}/[^/,\s]*/?([^/,\s]+)/aws4_request")
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"transfer-encoding",
    b"te",
    b"trailer",
    b"upgrade",
    b"expect",
    b"proxy-connection",
}

#: A body up to this size is held, so that it can be sent again when an idle connection turns out to be closed.
_REPLAYABLE_BYTES = 1 << 20
#: Node closes an idle connection after five seconds: a younger one is safe to use again.
_IDLE_SECONDS = 3.0
_CONNECTIONS = 128


def signed_for(scope: Scope) -> str | None:
    """The service that a request is for: by its credential scope, SageMaker's target header or its presigned query."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            signed = _SIGNED_FOR.search(value)
            if signed:
                return signed.group(1).decode()
        elif name == b"x-amz-target" and value.startswith(b"SageMaker."):
            return "sagemaker"
    query = scope.get("query_string", b"")
    if b"X-Amz-Credential=" in query:
        credential = parse_qs(query.decode("latin-1")).get("X-Amz-Credential", [""])[0].split("/")
        return credential[3] if len(credential) == 5 else None
    return None


class ServiceDownError(Exception):
    """The service could not be reached, or closed the connection before it answered."""


class _Connection:
    """One connection to the service, on which requests follow one another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 16)
        self.idle_since = 0.0

    async def send(self, event: h11.Event) -> None:
        data = self.protocol.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def next_event(self) -> h11.Event:
        while True:
            event = self.protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            self.protocol.receive_data(await self.reader.read(1 << 16))

    def usable(self) -> bool:
        return (
            not self.reader.at_eof()
            and not self.writer.is_closing()
            and time.monotonic() - self.idle_since < _IDLE_SECONDS
        )

    def close(self) -> None:
        self.writer.close()


class ForwardedService:
    """A client of a service of the platform that keeps its connections open."""

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.name = name
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one ASGI request on and streams the answer back.

        Raises:
            ServiceDownError: nothing was answered yet, so the caller can still answer instead.
        """
        target = scope.get("raw_path") or quote(scope["path"]).encode()
        if scope.get("query_string"):
            target += b"?" + scope["query_string"]
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _HOP_BY_HOP]
        has_length = any(name == b"content-length" for name, _ in headers)
        first = await receive()
        body, more = first.get("body", b""), first.get("more_body", False)
        while more and len(body) < _REPLAYABLE_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if not has_length:
            headers.append((b"transfer-encoding", b"chunked") if more else (b"content-length", str(len(body)).encode()))
        request = h11.Request(method=scope["method"], target=target, headers=headers)

        async with self._slots:
            connection, response = await self._exchange(request, body, receive if more else None)
            clean = False
            try:
                await send(
                    {
                        "type": "http.response.start",
                        "status": response.status_code,
                        "headers": [(name, value) for name, value in response.headers if name not in _HOP_BY_HOP],
                    }
                )
                while isinstance(event := await connection.next_event(), h11.Data):
                    await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
                clean = isinstance(event, h11.EndOfMessage)
                if not clean:
                    # The status is out already: breaking the connection is the only way left to say that it failed.
                    raise ConnectionAbortedError(f"The {self.name} at {self.url} closed the connection too early.")
                await send({"type": "http.response.body", "body": b""})
            finally:
                self._release(connection, clean)

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends one whole request and returns status, headers and body.

        Raises:
            ServiceDownError: the service cannot be reached or closes the connection too early.
        """
        kept = [(k.lower().encode(), v.encode()) for k, v in headers.items() if k.lower().encode() not in _HOP_BY_HOP]
        kept = [item for item in kept if item[0] not in (b"content-length", b"content-encoding")]
        if not any(name == b"host" for name, _ in kept):
            kept.append((b"host", f"{self._host}:{self._port}".encode()))
        kept.append((b"content-length", str(len(body)).encode()))
        async with self._slots:
            connection, response = await self._exchange(
                h11.Request(method=method, target=target, headers=kept), body, None
            )
            clean = False
            try:
                chunks = []
                while isinstance(event := await connection.next_event(), h11.Data):
                    chunks.append(bytes(event.data))
                clean = isinstance(event, h11.EndOfMessage)
            except (OSError, h11.RemoteProtocolError) as error:
                raise ServiceDownError(str(error)) from error
            finally:
                self._release(connection, clean)
        answered = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in response.headers
            if name not in _HOP_BY_HOP
        }
        return response.status_code, answered, b"".join(chunks)

    async def _exchange(
        self, request: h11.Request, body: bytes, receive: Receive | None
    ) -> tuple[_Connection, h11.Response]:
        """Sends the request, again on a fresh connection if a kept one was closed, until the answer begins."""
        while True:
            connection, fresh = await self._acquire(fresh_only=receive is not None)
            try:
                await connection.send(request)
                if body:
                    await connection.send(h11.Data(data=body))
                while receive is not None:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ServiceDownError("the client went away")
                    if message.get("body"):
                        await connection.send(h11.Data(data=message["body"]))
                    if not message.get("more_body", False):
                        break
                await connection.send(h11.EndOfMessage())
                event = await connection.next_event()
                while isinstance(event, h11.InformationalResponse):
                    event = await connection.next_event()
                if not isinstance(event, h11.Response):
                    raise h11.RemoteProtocolError("the service closed the connection before it answered")
                return connection, event
            except (OSError, h11.RemoteProtocolError) as error:
                connection.close()
                if fresh:
                    raise ServiceDownError(str(error)) from error
            except BaseException:
                connection.close()
                raise

    async def _acquire(self, fresh_only: bool) -> tuple[_Connection, bool]:
        while self._idle and not fresh_only:
            connection = self._idle.pop()
            if connection.usable():
                return connection, False
            connection.close()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(self._host, self._port), 5)
        except (OSError, TimeoutError) as error:
            raise ServiceDownError(str(error)) from error
        return _Connection(reader, writer), True

    def _release(self, connection: _Connection, clean: bool) -> None:
        if clean and connection.protocol.our_state is h11.DONE and connection.protocol.their_state is h11.DONE:
            connection.protocol.start_next_cycle()
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            with contextlib.suppress(OSError):
                connection.close()

    def unavailable(self, error: ServiceDownError) -> tuple[int, dict[str, str], bytes]:
        """The answer while the service is down, as an AWS client understands it: 503, which SDKs try again."""
        message = (
            f"The {self.name} at {self.url} does not answer ({error}). "
            "Run `make up` to start it again, and read its log with `make logs`."
        )
        body = json.dumps({"__type": "ServiceUnavailable", "message": message}).encode()
        return 503, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": "ServiceUnavailable"}, body


def forward_signed(application: Application, services: Mapping[str, ForwardedService], judge: Judge) -> Application:
    """Wraps the emulator's ASGI application: requests signed for one of the services go there, all others go on.

    What is signed for them is judged first.
    """

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        name = (signed_for(scope) or "") if scope["type"] == "http" else ""
        service = services.get(name)
        if service is None:
            await application(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        if judge.must_read(headers):
            body = await _read(receive)
            if body is None:
                return
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
            if refused := judge.refusal(scope, headers, query, body):
                await _answer(send, refused)
                return
            receive = _read_before(body, receive)
        try:
            await service.forward(scope, receive, send)
        except ServiceDownError as error:
            await _answer(send, service.unavailable(error))

    return gateway


async def _read(receive: Receive) -> bytes | None:
    """A request's whole body, or None when its caller has gone."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _read_before(body: bytes, receive: Receive) -> Receive:
    """Gives once more what was read, and then what still comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return receive_again


async def _answer(send: Send, answer: tuple[int, dict[str, str], bytes]) -> None:
    status, headers, body = answer
    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    listed.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body})


def install(service: ForwardedService) -> None:
    """Makes SageMaker a service of the emulator's own registry too.

    ministack's internal callers (Step Functions' `aws-sdk:sagemaker` tasks, its health page) go by
    `app.SERVICE_HANDLERS`, and never pass the ASGI application.
    """
    from ministack import app
    from ministack.core import router

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes | str, query: Mapping[str, Any]
    ) -> tuple:
        target = quote(path) + (f"?{urlencode(query, doseq=True)}" if query else "")
        payload = body.encode() if isinstance(body, str) else body
        try:
            return await service.request(method, target, headers, payload)
        except ServiceDownError as error:
            return service.unavailable(error)

    require(app, "SERVICE_HANDLERS")["sagemaker"] = handle
    require(router, "SERVICE_PATTERNS")["sagemaker"] = {
        "target_prefixes": ["SageMaker"],
        "host_patterns": [r"(runtime|featurestore-runtime|metrics|api)\.sagemaker\."],
        "credential_scope": "sagemaker",
    }
