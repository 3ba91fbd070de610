"""Patch of the judgement of requests: what AWS would refuse to a role is refused here, and said in the log.

ministack judges every request by the policies of the role that makes it (`AUTH=true`, see settings.py). What is added:

- Loopback counts as TLS for `aws:SecureTransport`: no request leaves the machine, so nobody could read it on its way.
- A mail is judged on the identity that sends it and on its configuration set, with the addresses from and to which it
  goes ("Actions, resources, and condition keys for Amazon Simple Email Service v2", Service Authorization Reference).
  ministack judges it on `*`, which no policy of least privilege allows.
- What is encrypted with a key of the account needs rights to the key (encryption_keys.py).
- A refusal stands in the log with role, action and resource, and says what to do: the program that was refused often
  shows its own words only.
- What roles asked for is counted in a file, by role, action, resource and outcome: `make access` reads it.
- Sessions of roles are kept in a file, so that a job or an endpoint that works with one survives a restart of the
  emulator. ministack forgets them.
"""

import asyncio
import functools
import hashlib
import ipaddress
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from patches.compatibility import require
from patches.encryption_keys import key_actions
from patches.mail import is_sending
from patches.persistence import replace

logger = logging.getLogger("emulator.authorization")


@dataclass(frozen=True)
class Right:
    """What a request needs: an action on a resource, and the keys that conditions may ask for."""

    #: As in the credential's scope, such as `sagemaker`.
    service: str
    action: str
    resource: str
    context: Mapping[str, Any]


#: So many different requests are kept apart; of those that come later, the resource is no longer noted.
_DIFFERENT_REQUESTS = 20_000
_INTERVAL_SECONDS = 1.0
#: ministack parses all policies of a role with each of its requests: so many are kept parsed.
_PARSED_POLICIES = 1_000


class AccessRecord:
    """Counts what roles asked for, in a file that is replaced whole.

    The file is a list of `{"role", "action", "resource", "why", "times"}`; `why` is empty for what was allowed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changed = False
        try:
            noted = json.loads(file.read_bytes())
            self._times = {(one["role"], one["action"], one["resource"], one["why"]): one["times"] for one in noted}
        except FileNotFoundError:
            self._times = {}
        except (ValueError, TypeError, KeyError):
            logger.warning("%s is damaged: the counts of requests begin again.", file)
            self._times = {}

    def note(self, role: str, action: str, resource: str, why: str = "") -> None:
        """Counts a request."""
        key = (role, action, resource, why)
        if key not in self._times and len(self._times) >= _DIFFERENT_REQUESTS:
            key = (role, action, "*", why)
        self._times[key] = self._times.get(key, 0) + 1
        self._changed = True

    def save(self) -> None:
        """Writes the file if anything has changed."""
        if not self._changed:
            return
        self._changed = False
        names = ("role", "action", "resource", "why")
        content = [{**dict(zip(names, key, strict=True)), "times": times} for key, times in sorted(self._times.items())]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace(self._file, json.dumps(content).encode())

    async def run(self) -> None:
        """Saves every second what has changed, until it is cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            self.save()


class Sessions:
    """Keeps the sessions of roles that end at a known time, in a file that is replaced whole with each new one."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, dict[str, Any]]:
        """The sessions that have not ended, by access key; none if the file is damaged: whoever needs one asks anew."""
        try:
            sessions = json.loads(self._file.read_bytes())
            return {key: session for key, session in sessions.items() if session["Expiration"] > time.time()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError):
            logger.warning("%s is damaged: programs that work with a session of a role have to ask anew.", self._file)
            return {}

    def write(self, sessions: dict[str, dict[str, Any]]) -> None:
        """Writes those of the sessions that end. A function's has no end: it comes back with the function's process."""
        lasting = {
            key: session for key, session in sessions.items() if isinstance(session.get("Expiration"), float | int)
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace(self._file, json.dumps(lasting, default=str).encode())


def install(record: AccessRecord, sessions: Sessions) -> None:
    """Patches ministack's judgement."""
    from ministack import app
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id
    from ministack.services import dynamodb, s3, ses, sns, sqs, sts

    require(ses, "_identities")
    require(s3, "_bucket_encryption")
    require(dynamodb, "_tables")
    require(sqs, "_queue_by_arn", ("arn",))
    require(sns, "_topic_by_arn_any_scope", ("topic_arn",))
    require(sts, "_sessions")
    require(app, "extract_region")

    pin_origin = require(app, "pin_request_origin", ("source_ip", "secure_transport"))
    enforce = require(
        iam_evaluator,
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    )

    def pin_origin_of_machine(source_ip: str, secure_transport: bool) -> None:
        pin_origin(source_ip, secure_transport or _is_loopback(source_ip))

    def enforce_and_report(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        refusal = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        caller = (sts._sessions.get(access_key_id) or {}).get("Arn", "")
        if isinstance(refusal, iam_evaluator.EvalResult):
            record.note(role_of(refusal.principal_arn), iam_action, resource_arn, reason_of(refusal))
            logger.warning("%s", describe(refusal, iam_action, resource_arn))
        elif refusal is None and caller:
            record.note(role_of(caller), iam_action, resource_arn)
            for action, key, context in key_actions(iam_action, resource_arn):
                refused = enforce_and_report(access_key_id, action, "kms", region, key, context)
                if refused is not None:
                    return refused
        return refusal

    register_session = require(sts, "register_session", ("access_key", "session"))

    parse = require(iam_evaluator, "parse_policy_document", ("doc",))
    parse_text = functools.lru_cache(_PARSED_POLICIES)(parse)

    def parse_once(doc: str | dict) -> list:
        return parse_text(doc) if isinstance(doc, str) else parse(doc)

    def register_and_keep(access_key: str, session: dict[str, Any]) -> None:
        register_session(access_key, session)
        if "Expiration" in session:
            sessions.write(sts._sessions)

    enforce_ses = require(app, "_enforce_ses_v2", ("method", "path", "headers", "body", "query_params", "request_id"))
    enforce_data_plane = require(app, "_enforce_data_plane")

    def enforce_mail(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any], request_id: str
    ) -> tuple | None:
        if not is_sending(method, path):
            return enforce_ses(method, path, headers, body, query_params, request_id)
        try:
            mail = json.loads(body)
        except ValueError:
            mail = {}
        scope = f"arn:aws:ses:{app.extract_region(headers, query_params)}:{get_account_id()}"
        for resource in mail_resources(mail, ses._identities):
            denied = enforce_data_plane(
                "sesv2",
                "ses:SendEmail",
                headers,
                query_params,
                request_id,
                resource_arn=f"{scope}:{resource}",
                service_context=mail_context(mail),
                named_resource=f"{scope}:{resource}",
            )
            if denied:
                return denied
        return None

    # Functions inherit the environment, and on AWS there is no such variable.
    os.environ.pop("AUTH")
    app._enforce_ses_v2 = enforce_mail
    app.pin_request_origin = pin_origin_of_machine
    iam_evaluator.enforce = enforce_and_report
    iam_evaluator.parse_policy_document = parse_once
    sts.register_session = register_and_keep
    sts._sessions.update(sessions.read())


def mail_resources(mail: dict[str, Any], identities: Any) -> Iterator[str]:  # noqa: ANN401
    """What a mail is judged on: the sender's own identity, else that of its domain; and the configuration set."""
    address = parseaddr(mail.get("FromEmailAddress", ""))[1]
    yield f"identity/{address if address in identities else address.rpartition('@')[2]}"
    if configuration_set := mail.get("ConfigurationSetName"):
        yield f"configuration-set/{configuration_set}"


def mail_context(mail: dict[str, Any]) -> dict[str, Any]:
    """SES's own condition keys of a mail: from whom, and to whom."""
    name, address = parseaddr(mail.get("FromEmailAddress", ""))
    recipients = [parseaddr(to)[1] for kind in mail.get("Destination", {}).values() for to in kind]
    context = {"ses:FromAddress": address, "ses:Recipients": recipients, "ses:ApiVersion": "2"}
    return {**context, "ses:FromDisplayName": name} if name else context


def refusal_message(refusal: Any, right: Right) -> str:  # noqa: ANN401 - ministack's EvalResult
    """A refusal in the words that AWS's services use."""
    from ministack.core.iam_actions import identity_denial_message

    return identity_denial_message(right.action, refusal.principal_arn, right.resource, refusal.decision == "Deny")


def judge_as_role(role_arn: str, session_name: str, right: Right, region: str) -> str | None:
    """Judges what a service of the emulator does in a role's name, without a request of its own.

    Returns:
        why it is refused, as AWS words it; None where it is allowed.
    """
    from ministack.core import iam_evaluator
    from ministack.services import sts

    digest = hashlib.sha256(f"{role_arn}/{session_name}".encode()).hexdigest()
    key = f"ASIA{digest[:16].upper()}"
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session_name}",
            "UserId": f"{role}:{session_name}",
            # Nobody signs with it.
            "SecretAccessKey": secrets.token_hex(),
            "SessionToken": secrets.token_hex(),
        },
    )
    refusal = iam_evaluator.enforce(
        key, right.action, right.service, region, resource_arn=right.resource, service_context=dict(right.context)
    )
    if isinstance(refusal, iam_evaluator.AuthError):
        return refusal.message
    return None if refusal is None else refusal_message(refusal, right)


def role_of(principal: str) -> str:
    """The name of the role of a session's ARN; the ARN of whoever works without a role."""
    parts = principal.split("/")
    return parts[1] if ":assumed-role/" in principal else principal


def reason_of(refusal: Any) -> str:  # noqa: ANN401
    """Why a request was refused, as a clause."""
    if refusal.decision == "Deny":
        return f"a statement of {refusal.resource_policy_arn or 'the role'} denies it"
    return "no statement allows it"


def describe(refusal: Any, action: str, resource: str) -> str:  # noqa: ANN401
    """One sentence about a refused request: which role, what it wanted, why not, and where to mend it."""
    role = role_of(refusal.principal_arn)
    return (
        f"The role {role} was refused {action} on {resource}: {reason_of(refusal)}. See the role's policy in its stack."
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
