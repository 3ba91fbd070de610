"""Patch of the judgement of requests: some are judged on the resources and condition keys that AWS uses.

ministack judges them on `*` or on less, so that a policy of least privilege allows nothing ("Actions, resources, and
condition keys", Service Authorization Reference):

- Athena: what is asked of a query, on the query's workgroup.
- CloudWatch: DescribeAlarms on each alarm that it names; PutMetricData with `cloudwatch:namespace`.
- CloudWatch Logs: on the log stream, `…:log-group:<group>:log-stream:<stream>`, as in AWS's error messages. The stream
  is empty if the request names none. So a policy needs the `:*` after a log group's ARN.
"""

import contextlib
import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from patches.compatibility import require

#: The content of the request that is being judged.
_request: ContextVar[Mapping[str, Any]] = ContextVar("_request")

#: Actions of CloudWatch Logs on resources that have ARNs of their own.
_OTHER_LOGS_ACTIONS = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})


def install() -> None:
    """Patches ministack's judgement."""
    from ministack.core import iam_actions, iam_evaluator
    from ministack.core.responses import get_account_id
    from ministack.services import athena

    require(athena, "_executions")
    extract = require(
        iam_actions,
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    )
    logs_context = require(
        iam_actions, "logs_service_context", ("action", "body", "resource_arn", "region", "account_id")
    )
    enforce = require(
        iam_evaluator,
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    )

    def extract_as_aws(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        resource = extract(service, method, path, headers, body, query_params, region, account_id)
        if service not in ("athena", "logs", "monitoring"):
            return resource
        request = content_of(body, query_params)
        _request.set(request)
        if service == "athena" and resource == "*":
            query = athena._executions.get(request.get("QueryExecutionId"))
            return f"arn:aws:athena:{region}:{account_id}:workgroup/{query['WorkGroup']}" if query else resource
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "logs" and ":log-group:" in resource and action not in _OTHER_LOGS_ACTIONS:
            return f"{resource.removesuffix(':*')}:log-stream:{request.get('logStreamName') or ''}"
        return resource

    def logs_context_of_group(action: str, body: bytes, resource_arn: str, region: str, account_id: str) -> dict:
        return logs_context(action, body, resource_arn.partition(":log-stream:")[0], region, account_id)

    def enforce_as_aws(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        resources = [resource_arn]
        if iam_action == "cloudwatch:PutMetricData":
            service_context = {**(service_context or {}), "cloudwatch:namespace": _request.get({}).get("Namespace")}
        elif iam_action == "cloudwatch:DescribeAlarms":
            names = _request.get({}).get("AlarmNames") or ["*"]
            resources = [f"arn:aws:cloudwatch:{region}:{get_account_id()}:alarm:{name}" for name in names]
        for resource in resources:
            refusal = enforce(access_key_id, iam_action, service, region, resource, service_context)
            if refusal is not None:
                return refusal
        return None

    iam_actions.extract_resource_arn = extract_as_aws
    iam_actions.logs_service_context = logs_context_of_group
    iam_evaluator.enforce = enforce_as_aws


def content_of(body: bytes, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a request, in any of AWS's protocols: JSON, CBOR, or a form with `AlarmNames.member.1`."""
    import cbor2

    with contextlib.suppress(ValueError):
        content = json.loads(body)
        return content if isinstance(content, dict) else {}
    if not parameters:
        with contextlib.suppress(cbor2.CBORDecodeError):
            content = cbor2.loads(body)
            return content if isinstance(content, dict) else {}
    content = {}
    for name, values in parameters.items():
        value = values[0] if isinstance(values, list) else values
        base, _, index = name.partition(".member.")
        if not index:
            content[base] = value
        elif index.isdecimal():
            content.setdefault(base, []).append(value)
    return content
