"""Seam: only programs of this machine, and the emulator's own websites, are answered.

The emulator checks no signatures: whoever gets a request through to it can create a function and run it. A page of any
website that is open in the developer's browser could send such a request to 127.0.0.1, either openly (the browser then
names the page's origin) or under a name of its own that it lets resolve to 127.0.0.1 (then that name is the Host).
Neither is answered.
"""

import re
from urllib.parse import urlsplit

from seams.sagemaker_forward import Application, Receive, Scope, Send

#: Loopback, and the names that stand for AWS's services here. A host prefix of an SDK may stand before an address.
_OWN_HOST = re.compile(
    r"^((?:[a-z0-9.-]+\.)?(?:127\.\d+\.\d+\.\d+|localhost)|\[::1\]|"
    r"[a-z0-9._-]+\.(?:amazonaws\.com|cloudfront\.net|on\.aws))(?::\d+)?$",
    re.IGNORECASE,
)


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
    if origin is not None and not is_own_host(urlsplit(origin).netloc):
        return f"Pages of {origin!r} may not use the emulator."
    if headers.get(b"sec-fetch-site") == "cross-site" and headers.get(b"sec-fetch-mode") != "navigate":
        return "Pages of other websites may not use the emulator."
    return None


def answer_own_callers(application: Application) -> Application:
    """Wraps the ASGI application: foreign callers get a 403 that says why, and nothing of them is read."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(scope) if scope["type"] in ("http", "websocket") else None
        if reason is None:
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = reason.encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return gateway
