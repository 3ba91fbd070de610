"""Patch: mails that a developer can read.

ministack remembers what SES v2 is asked to send in its memory alone, and without the address to answer to. Here each
mail becomes a file with the whole header, which any mail program opens, before SES answers. Nothing is sent anywhere.
What SES would refuse, a line break in a header, is refused.
"""

import json
import os
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from patches.compatibility import require

_LINE_BYTES = 998


def install(directory: Path) -> None:
    """Patches ministack's SES v2.

    Args:
        directory: where the mails go, one file each; made with the first one.
    """
    from ministack.services import ses_v2

    handle = require(ses_v2, "handle_request", ("method", "path", "headers", "body", "query_params"))

    async def handle_with_mailbox(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> tuple:
        if not is_sending(method, path):
            return await handle(method, path, headers, body, query_params)
        try:
            mail = write_mail(json.loads(body or b"{}"))
        except ValueError as error:
            content = json.dumps({"message": str(error)}).encode()
            return 400, {"Content-Type": "application/json", "x-amzn-errortype": "BadRequestException"}, content
        answer = await handle(method, path, headers, body, query_params)
        if answer[0] == 200 and mail is not None:
            store(directory, mail, json.loads(answer[2])["MessageId"])
        return answer

    ses_v2.handle_request = handle_with_mailbox


def is_sending(method: str, path: str) -> bool:
    """Whether a request to SES v2 asks to send a mail."""
    return method == "POST" and path.rstrip("/").endswith("/outbound-emails")


def write_mail(request: dict[str, Any]) -> EmailMessage | None:
    """Writes the mail that a request for a simple mail asks for; None for other kinds.

    Raises:
        ValueError: a field of the header has a line break.
    """
    simple = request.get("Content", {}).get("Simple")
    if simple is None:
        return None
    mail = EmailMessage(policy=SMTP)
    destination = request.get("Destination", {})
    mail["From"] = request.get("FromEmailAddress", "")
    for header, addresses in {
        "To": destination.get("ToAddresses"),
        "Cc": destination.get("CcAddresses"),
        "Reply-To": request.get("ReplyToAddresses"),
    }.items():
        if addresses:
            mail[header] = ", ".join(addresses)
    mail["Subject"] = simple.get("Subject", {}).get("Data", "")
    mail["Date"] = datetime.now(UTC)
    if "ConfigurationSetName" in request:
        mail["X-SES-CONFIGURATION-SET"] = request["ConfigurationSetName"]
    body = simple.get("Body", {})
    text = body.get("Text", {}).get("Data", "")
    # As it is, to be read without a mail program, but for lines that are too long for mail (RFC 5322, 2.1.1).
    plain = all(len(line.encode()) < _LINE_BYTES for line in text.splitlines())
    mail.set_content(text, cte="8bit" if plain else "quoted-printable")
    if "Html" in body:
        mail.add_alternative(body["Html"].get("Data", ""), subtype="html")
    return mail


def store(directory: Path, mail: EmailMessage, message_id: str) -> None:
    """Puts a mail into the folder, where nobody but its owner reads it; the names sort by time."""
    mail["Message-ID"] = f"<{message_id}>"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{message_id.partition('@')[0][:8]}.eml"
    temporary = directory / f"{name}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(mail.as_bytes())
    temporary.replace(directory / name)
