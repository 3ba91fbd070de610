"""Patch: only programs of this machine, and the pages of this machine that use a deployed API, are answered.

The emulator checks no signatures: whoever gets a request through to it can create a function and run it. A page of any
website that is open in the developer's browser can make the browser send requests to 127.0.0.1: from a script or a
form (the browser then names the page's origin), by a redirect or a link (it then names none), or under a name that
resolves to 127.0.0.1 (then that name is the Host). So every request needs an own Host and, if any, a loopback Origin.

What anybody may ask on AWS - a distribution, an HTTP API - needs nothing else. All the rest needs what a page cannot
make the browser send: the signature of an AWS client, which no redirect, link or form carries as a header.

A caller that stops in the middle of its body is let go, as AWS does: the emulator would wait for the rest for ever.
"""

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from patches.api_gateway import ENDPOINT
from patches.asgi import Application, Receive, Scope, Send

_LOOPBACK = r"127\.\d+\.\d+\.\d+|\[::1\]|(?:[a-z0-9.-]+\.)?localhost"

#: Loopback, and the names that stand for AWS's services here. A host prefix of an SDK may stand before an address.
_OWN_HOST = re.compile(
    rf"^({_LOOPBACK}|[a-z0-9.-]+\.127\.\d+\.\d+\.\d+|"
    r"[a-z0-9._-]+\.(?:amazonaws\.com|cloudfront\.net|on\.aws))(?::\d+)?$",
    re.IGNORECASE,
)
#: Only loopback: the pages of AWS's names are whoever's that rents them.
_OWN_ORIGIN = re.compile(rf"^https?://(?:{_LOOPBACK})(?::\d+)?$", re.IGNORECASE)
_THIS_MACHINE = re.compile(rf"^(?:{_LOOPBACK})(?::\d+)?$", re.IGNORECASE)
_DISTRIBUTION = re.compile(r"^[a-z0-9]+\.cloudfront\.(?:net|localhost)(?::\d+)?$")
_API_PATH = re.compile(r"^/_aws/execute-api/[^/]+/")
#: The emulator looks at these paths before it looks at an API's Host.
_ADMINISTRATION = ("/_ministack/", "/_localstack/")
_HEALTH = ("/_ministack/health", "/_ministack/ready")
#: Seconds in which the next part of a body has to come: a little longer than the front door (local/front-door.ts) gives
#: to a whole request, so that of the two one answers.
_PATIENCE_SECONDS = 35.0


class _SilentCallerError(Exception):
    """The rest of a body does not come."""


def is_own_host(host: str) -> bool:
    """Whether a Host, with or without a port, stands for this machine or for a service of AWS."""
    return _OWN_HOST.match(host) is not None


def refusal(scope: Scope) -> str | None:
    """Why a request is not answered, or None."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    if host and not is_own_host(host):
        return f"The Host {host!r} is not served here: use 127.0.0.1, localhost or a name of AWS."
    origin = headers.get(b"origin")
    if origin is not None and _OWN_ORIGIN.match(origin) is None:
        return f"Pages of {origin!r} may not use the emulator."
    site = headers.get(b"sec-fetch-site")
    if _is_open(scope, host):
        if site == "cross-site" and headers.get(b"sec-fetch-mode") != "navigate":
            return "Pages of other websites may not use the emulator."
        return None
    if site in ("cross-site", "same-site"):
        return "Pages of other websites may not use the emulator."
    if scope["type"] == "http" and scope["path"] == "/_ministack/save" and scope["method"] == "POST":
        # Node's fetch names a mode, but neither an origin nor a site: no browser sends a POST without the two.
        return None if origin is None and site is None else "Pages may not use the emulator's administration."
    if _is_signed(headers.get(b"authorization", "")) or _is_presigned(scope, headers):
        return None
    return "This request is not signed: use an AWS SDK, the AWS CLI or a presigned URL of S3."


def _is_open(scope: Scope, host: str) -> bool:
    """Whether AWS answers such a request without a signature: a distribution's, an API's, or the health of this one."""
    path = scope["path"]
    if _DISTRIBUTION.match(host):
        # Of these the patch of CloudFront takes every one but a websocket.
        return scope["type"] == "http"
    if ENDPOINT.match(host):
        return not path.startswith(_ADMINISTRATION)
    if _THIS_MACHINE.match(host) is None:
        return False
    if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and path in _HEALTH:
        return True
    return _API_PATH.match(path) is not None


def _is_signed(authorization: str) -> bool:
    return re.match(r"AWS4-[A-Z0-9-]+ ", authorization) is not None


def _is_presigned(scope: Scope, headers: dict[bytes, str]) -> bool:
    """Whether this is a presigned URL of S3.

    A link in an e-mail can look like one too, so nothing but objects is reached that way: no operation that the query
    or a header names, and no administration.
    """
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    if "Action" in query or b"x-amz-target" in headers or scope["path"].startswith(_ADMINISTRATION):
        return False
    if "X-Amz-Signature" in query:
        return query.get("X-Amz-Credential", [""])[0].split("/")[3:4] == ["s3"]
    # The older form, which boto3 still makes by default.
    return {"AWSAccessKeyId", "Signature", "Expires"} <= query.keys()


def answer_own_callers(application: Application) -> Application:
    """Wraps the ASGI application: foreign callers get a 403 that says why, and nothing of them is read."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(scope) if scope["type"] in ("http", "websocket") else None
        if reason is None and scope["type"] == "http":
            await _answer_whole(application, scope, receive, send)
        elif reason is None:
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _say(send, 403, reason)

    return gateway


async def _say(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer_whole(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request whose body comes; one that stops coming gets a 408, after which its connection is closed."""
    whole = False
    answered = False

    async def receive_in_time() -> MutableMapping[str, Any]:
        nonlocal whole
        if whole:
            # What still can come is that the caller goes away, and it may take its time.
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), _PATIENCE_SECONDS)
        except TimeoutError:
            raise _SilentCallerError from None
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send_and_note(message: MutableMapping[str, Any]) -> None:
        nonlocal answered
        answered = True
        await send(message)

    try:
        await application(scope, receive_in_time, send_and_note)
    except _SilentCallerError:
        if not answered:
            await _say(send, 408, f"The rest of this request did not come within {_PATIENCE_SECONDS:g} seconds.")
