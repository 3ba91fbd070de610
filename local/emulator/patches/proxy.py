"""Patch: the emulator is its own proxy for the names that SDKs put before its address.

S3 Control's operations go to `<account>.127.0.0.1:<port>`, a name that no name server knows: the SDK puts the account
before any address that it is given. A client that has the emulator as its HTTP proxy asks no name server; it sends the
whole URL in the request line (RFC 9112, section 3.2.2: a server must accept that form too), which is brought into the
usual form here. Go's clients never send a plain loopback address to a proxy, so it sees nothing but these requests.
"""

from urllib.parse import unquote, urlsplit

from patches.asgi import Application, Receive, Scope, Send


def serve_proxied(application: Application) -> Application:
    """Wraps the ASGI application: `GET http://<host>/path` is served as `GET /path` of that host.

    Nothing is ever passed on to another machine: a foreign host is refused by the application, as in the usual form.
    """

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].lower().startswith("http://"):
            target = urlsplit(scope["raw_path"].decode("latin-1"))
            path = target.path or "/"
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {
                **scope,
                "path": unquote(path),
                "raw_path": path.encode("latin-1"),
                "headers": [(b"host", target.netloc.encode("latin-1")), *others],
            }
        await application(scope, receive, send)

    return gateway
