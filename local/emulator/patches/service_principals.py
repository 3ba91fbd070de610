"""What a policy lets an AWS service do, such as `sagemaker.amazonaws.com`: the principal of no account."""

from collections.abc import Mapping
from typing import Any


def lets_service(
    policy: str | dict | None, service: str, action: str, resource: str, context: Mapping[str, Any]
) -> bool:
    """Whether a resource's own policy lets a service do something.

    Args:
        policy: of a function, a topic, a key or a role; None lets nobody.
        service: the principal, such as `events.amazonaws.com`.
        action: such as `lambda:InvokeFunction`.
        resource: the ARN of what has the policy.
        context: the keys that conditions may ask for, in lower case, such as `aws:sourcearn`.
    """
    from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

    asked = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=resource.split(":")[3],
        service_context=dict(context),
    )
    return evaluate_resource_policy(policy, asked, service).decision == "Allow"


def trusts_service(role_arn: str, service: str) -> bool:
    """Whether there is this role, and its trust policy lets a service assume it for the role's account."""
    from ministack.services import iam

    account = role_arn.split(":")[4] if role_arn.count(":") > 4 else ""
    role = iam._roles.get_scoped(account, None, role_arn.rpartition("/")[2]) if account else None
    if role is None:
        return False
    trust = role.get("AssumeRolePolicyDocument", "{}")
    return lets_service(trust, service, "sts:AssumeRole", role_arn, {"aws:sourceaccount": account})
