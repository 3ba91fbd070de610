"""Patch: the health answer names the process that gives it.

Of two platforms that start in the same moment both may have chosen the same port. Whoever waits for one of them must
not take the other's answer for its own (local/platform/services.ts).
"""

import os
from collections.abc import MutableMapping
from typing import Any

from patches.asgi import Application, Receive, Scope, Send


def name_process(application: Application) -> Application:
    """Wraps the ASGI application: `/_ministack/health` is answered with a header `process-id`."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/_ministack/health":
            await application(scope, receive, send)
            return

        async def send_named(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), (b"process-id", str(os.getpid()).encode())]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, send_named)

    return gateway
