"""Patch of STS: AWS's own services assume only roles that trust them.

On AWS, a service such as SageMaker assumes a role as its service principal. Here it does so with the account's own
key, and ministack lets that key assume a role that trusts any service. The session's name tells which service it is:
the role must trust this one. The log names a refused role, and what to do. Like any service that works for the account,
the key tells the account in `aws:SourceAccount`.
"""

import json
import logging
from typing import Any

from patches.compatibility import require

logger = logging.getLogger("emulator.service_roles")

#: Service principals by the session name that the service uses on AWS.
SERVICES = {"SageMaker": "sagemaker.amazonaws.com", "AmazonMWAA-airflow": "airflow-env.amazonaws.com"}


def install() -> None:
    """Patches ministack's judgement of trust policies."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id, get_region

    names_service = require(iam_evaluator, "_service_principal_matches", ("principal", "service"))
    judge = require(iam_evaluator, "evaluate_trust_policy", ("trust_doc", "caller_arn", "ctx"))

    def judge_service(trust_doc: str | dict, caller_arn: str, ctx: Any = None) -> bool:  # noqa: ANN401
        if ctx is not None and caller_arn.endswith(":root"):
            ctx.service_context.setdefault("aws:sourceaccount", get_account_id())
        if ctx is None or ctx.action != "sts:AssumeRole" or ctx.principal_type != "Root":
            return judge(trust_doc, caller_arn, ctx)
        service = SERVICES.get(ctx.service_context.get("sts:rolesessionname"))
        if service is None:
            return judge(trust_doc, caller_arn, ctx)

        if service == "airflow-env.amazonaws.com":
            # Airflow runs without an MWAA environment here. The stacks give the environment the name of its role.
            name = ctx.resource_arn.rpartition("/")[2]
            source = f"arn:aws:airflow:{get_region()}:{ctx.principal_account}:environment/{name}"
            ctx.service_context["aws:sourcearn"] = source

        def applies(principal: Any) -> bool:  # noqa: ANN401
            return principal == "*" or names_service(principal, service)

        allowed = judge(statements_for(trust_doc, applies), caller_arn, ctx)
        if not allowed:
            role = ctx.resource_arn.rsplit("/", 1)[-1]
            logger.warning(
                "%s cannot assume the role %s: its trust policy does not allow it. "
                "See the role's assume_role_policy in its stack.",
                service,
                role,
            )
        return allowed

    iam_evaluator.evaluate_trust_policy = judge_service


def statements_for(trust_doc: str | dict, applies: Any) -> dict[str, Any]:  # noqa: ANN401
    """The statements of a trust policy whose principal `applies`, as statements for everybody."""
    try:
        document = json.loads(trust_doc) if isinstance(trust_doc, str) else trust_doc
    except ValueError:
        document = {}
    statements = document.get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    chosen = [one for one in statements if isinstance(one, dict) and applies(one.get("Principal"))]
    return {**document, "Statement": [{**one, "Principal": "*"} for one in chosen]}
