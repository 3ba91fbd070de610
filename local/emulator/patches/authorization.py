"""Patch of the judgement of requests: what AWS would refuse to a role is refused here, and said in the log.

ministack judges every request by the policies of the role that makes it (`AUTH=true`, see settings.py). What is added:

- Loopback counts as TLS for `aws:SecureTransport`: no request leaves the machine, so nobody could read it on its way.
- A mail is judged on the identity that sends it and on its configuration set, with the addresses from and to which it
  goes ("Actions, resources, and condition keys for Amazon Simple Email Service v2", Service Authorization Reference).
  ministack judges it on `*`, which no policy of least privilege allows.
- A refusal stands in the log with role, action and resource, and says what to do: the program that was refused often
  shows its own words only.
"""

import ipaddress
import json
import logging
import os
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any

from patches.compatibility import require

logger = logging.getLogger("emulator.authorization")


def install() -> None:
    """Patches ministack's judgement."""
    from ministack import app
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id
    from ministack.services import ses

    require(ses, "_identities")
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
        if isinstance(refusal, iam_evaluator.EvalResult):
            logger.warning("%s", describe(refusal, iam_action, resource_arn))
        return refusal

    enforce_ses = require(app, "_enforce_ses_v2", ("method", "path", "headers", "body", "query_params", "request_id"))
    enforce_data_plane = require(app, "_enforce_data_plane")

    def enforce_mail(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any], request_id: str
    ) -> tuple | None:
        if method != "POST" or not path.rstrip("/").endswith("/outbound-emails"):
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


def describe(refusal: Any, action: str, resource: str) -> str:  # noqa: ANN401
    """One sentence about a refused request: which role, what it wanted, why not, and where to mend it."""
    role = refusal.principal_arn.split("/")[1] if "/" in refusal.principal_arn else refusal.principal_arn
    if refusal.decision == "Deny":
        owner = refusal.resource_policy_arn or "the role"
        reason = f"a statement of {owner} denies it"
    else:
        reason = "no statement allows it"
    return f"The role {role} was refused {action} on {resource}: {reason}. See the role's policy in its stack."


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
