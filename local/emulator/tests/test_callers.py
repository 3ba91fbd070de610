"""A caller that stops in the middle of its request is let go."""

import asyncio
from typing import Any

import pytest

from patches import callers

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/_aws/execute-api/0123abcd/$default/api/contact",
    "headers": [(b"host", b"127.0.0.1:4566"), (b"content-length", b"100")],
}


async def read_all(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the emulator: reads the body, then answers once its caller has gone, as for a slow function."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def answers(messages: list[tuple[float, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to a caller whose messages come with these pauses before them; after the last, nothing comes."""
    monkeypatch.setattr(callers, "_PATIENCE_SECONDS", 0.2)
    sent: list[dict[str, Any]] = []
    coming = iter(messages)

    async def receive() -> dict[str, Any]:
        pause, message = next(coming, (60, {"type": "http.disconnect"}))
        await asyncio.sleep(pause)
        return message

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(callers.answer_own_callers(read_all)(SCOPE, receive, send))
    return sent


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize("messages", [[], [(0, part(b"half", more=True))]])
def test_a_body_that_stops_coming_is_a_408(messages, monkeypatch):
    start, body = answers(messages, monkeypatch)
    assert start["status"] == 408
    assert b"did not come within 0.2 seconds" in body["body"]


def test_a_whole_request_waits_for_its_answer_as_long_as_it_takes(monkeypatch):
    slow = [(0, part(b"a", more=True)), (0, part(b"b", more=False)), (0.6, {"type": "http.disconnect"})]
    start, body = answers(slow, monkeypatch)
    assert (start["status"], body["body"]) == (200, b"ab")
