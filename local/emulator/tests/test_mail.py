"""Mails become files that a mail program opens, with the header that SES would send."""

import email
from email.policy import default

import pytest
from botocore.exceptions import ClientError
from conftest import Emulator


def send(emulator: Emulator, **changes: object) -> str:
    request = {
        "FromEmailAddress": "website@acme.example",
        "Destination": {"ToAddresses": ["office@acme.example"]},
        "ReplyToAddresses": ["zoe@example.com"],
        "Content": {
            "Simple": {
                "Subject": {"Data": "Wie alt? 🐚", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Länge: 91 mm\n.\nFrom me\n", "Charset": "UTF-8"}},
            }
        },
        **changes,
    }
    return emulator.client("sesv2").send_email(**request)["MessageId"]


@pytest.fixture(scope="module", autouse=True)
def identity(emulator):
    emulator.client("sesv2").create_email_identity(EmailIdentity="acme.example")


def test_a_mail_is_a_file_with_its_whole_header_that_only_its_owner_reads(emulator):
    message_id = send(emulator)
    (file,) = (emulator.directory / "state" / "mail").glob(f"*-{message_id[:8]}.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=default)
    assert {name: mail[name] for name in ("From", "To", "Reply-To", "Subject", "Message-ID")} == {
        "From": "website@acme.example",
        "To": "office@acme.example",
        "Reply-To": "zoe@example.com",
        "Subject": "Wie alt? 🐚",
        "Message-ID": f"<{message_id}>",
    }
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Länge: 91 mm", ".", "From me"]
    assert "Länge: 91 mm" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_line_of_any_length_arrives_whole(emulator):
    line = "ж" * 4000
    body = {"Text": {"Data": line, "Charset": "UTF-8"}}
    message_id = send(emulator, Content={"Simple": {"Subject": {"Data": "long"}, "Body": body}})
    (file,) = (emulator.directory / "state" / "mail").glob(f"*-{message_id[:8]}.eml")
    assert max(len(each) for each in file.read_bytes().splitlines()) < 998
    assert email.message_from_bytes(file.read_bytes(), policy=default).get_content().strip() == line


@pytest.mark.parametrize(
    "changes",
    [
        {"ReplyToAddresses": ["zoe@example.com\r\nBcc: all@example.com"]},
        {"FromEmailAddress": "website@acme.example\nBcc: all@example.com"},
        {
            "Content": {
                "Simple": {
                    "Subject": {"Data": "a\r\nBcc: all@example.com"},
                    "Body": {"Text": {"Data": "b"}},
                }
            }
        },
    ],
)
def test_a_line_break_in_a_header_is_refused_and_nothing_is_kept(emulator, changes):
    before = sorted((emulator.directory / "state").glob("mail/*"))
    with pytest.raises(ClientError, match="BadRequestException"):
        send(emulator, **changes)
    assert sorted((emulator.directory / "state").glob("mail/*")) == before


def test_a_sender_whom_nobody_verified_is_refused_and_nothing_is_kept(emulator):
    before = sorted((emulator.directory / "state").glob("mail/*"))
    with pytest.raises(ClientError, match="MessageRejected"):
        send(emulator, FromEmailAddress="someone@other.example")
    assert sorted((emulator.directory / "state").glob("mail/*")) == before
