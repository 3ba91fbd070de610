"""Patch: what one service hands to another is judged by the receiver's policy, or by the role of a function.

ministack judges what SNS sends to queues, and delivers the rest unasked. On AWS:

- API Gateway, EventBridge and SNS call a function only if its own policy allows them to, for the API's route, the rule
  or the topic ("Viewing resource-based IAM policies in Lambda", Lambda Developer Guide).
- CloudWatch and EventBridge publish to a topic, and EventBridge sends to a queue, by the policies of these. EventBridge
  tells a topic nothing of the rule: its policy can have no condition on the source ("Using resource-based policies for
  Amazon EventBridge", EventBridge User Guide).
- What is encrypted with a key of the account comes there only if the key's policy lets the service use it.
- A function reads a stream of DynamoDB, and tells a queue or a topic of records that it gave up, with its role.

What is refused stands in the log, with what to do.
"""

import contextvars
import json
import logging
from collections.abc import Mapping
from typing import Any

from patches.authorization import Right, judge_as_role
from patches.compatibility import require
from patches.encryption_keys import key_lets_service, key_of
from patches.service_principals import lets_service

logger = logging.getLogger("emulator.deliveries")

_rule_arn: contextvars.ContextVar[str] = contextvars.ContextVar("rule_arn", default="")

_STREAM_RIGHTS = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")


def install() -> None:
    """Patches ministack's API Gateway, CloudWatch, EventBridge, Lambda and SNS."""
    from ministack.services import apigateway, cloudwatch, eventbridge, lambda_svc, sns, sqs

    _install_api(apigateway, lambda_svc)
    _install_rules(eventbridge, lambda_svc, sns, sqs)
    _install_topics(sns, lambda_svc)
    _install_alarms(cloudwatch, sns)
    _install_streams(lambda_svc)


def allows_call(function: Mapping[str, Any], service: str, source_arn: str) -> bool:
    """Whether a function's own policy lets a service such as `sns.amazonaws.com` call it, and the log if not."""
    arn = function["config"]["FunctionArn"]
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": arn.split(":")[4]}
    allowed = lets_service(function.get("policy"), service, "lambda:InvokeFunction", arn, source)
    return _told(allowed, service, "lambda:InvokeFunction", arn, source_arn)


def _told(allowed: bool, service: str, action: str, arn: str, source_arn: str) -> bool:
    if not allowed:
        logger.warning(
            "%s was refused %s on %s for %s: the policy of what it goes to, or of the key that encrypts it, does not "
            "allow it. See the permission or the policy beside it in its stack.",
            service,
            action,
            arn,
            source_arn or "an event",
        )
    return allowed


def _key_allows(resource: str, service: str, context: dict[str, Any]) -> bool:
    key = key_of(resource)
    return key is None or key_lets_service(key, service, context)


def _install_api(apigateway: Any, lambda_svc: Any) -> None:  # noqa: ANN401 - modules
    invoke = require(apigateway, "_invoke_lambda_proxy")
    reference = require(apigateway, "_extract_lambda_ref_from_integration_uri")

    async def invoke_if_allowed(
        integration: dict[str, Any],
        api_id: str,
        stage: str,
        *rest: Any,  # noqa: ANN401 - handed on as they come
        **named: Any,  # noqa: ANN401
    ) -> tuple:
        account, region = named.get("owner_account_id"), named.get("owner_region")
        function, _, _ = lambda_svc._get_func_record_for_ref_in_scope(
            reference(integration.get("integrationUri", "")), account_id=account, region=region
        )
        if function is not None:
            route = named.get("route_key") or (rest[5] if len(rest) > 5 else "$default")
            source = f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage}/{route.replace(' ', '', 1)}"
            if not allows_call(function, "apigateway.amazonaws.com", source):
                return (
                    500,
                    {"Content-Type": "application/json"},
                    json.dumps({"message": "Internal Server Error"}).encode(),
                )
        return await invoke(integration, api_id, stage, *rest, **named)

    apigateway._invoke_lambda_proxy = invoke_if_allowed


def _install_rules(eventbridge: Any, lambda_svc: Any, sns: Any, sqs: Any) -> None:  # noqa: ANN401 - modules
    invoke = require(eventbridge, "_invoke_target", ("target", "event", "rule", "view"))
    to_lambda = require(eventbridge, "_dispatch_to_lambda", ("arn", "payload"))
    to_sns = require(eventbridge, "_dispatch_to_sns", ("arn", "payload"))
    to_sqs = require(eventbridge, "_dispatch_to_sqs", ("spec", "payload", "sqs_parameters"))
    service = "events.amazonaws.com"

    def invoke_for_rule(target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> None:  # noqa: ANN401
        token = _rule_arn.set((rule or {}).get("Arn", ""))
        try:
            invoke(target, event, rule, view)
        finally:
            _rule_arn.reset(token)

    def call_if_allowed(arn: str, payload: str) -> None:
        function, _, _ = lambda_svc._get_func_record_for_ref(arn)
        if function is None or allows_call(function, service, _rule_arn.get()):
            to_lambda(arn, payload)

    def publish_if_allowed(arn: str, payload: str) -> None:
        allowed = sns.topic_policy_allows(arn, service, "", "") and _key_allows(arn, service, {})
        if _told(allowed, service, "sns:Publish", arn, ""):
            to_sns(arn, payload)

    def send_if_allowed(spec: Any, payload: str, sqs_parameters: dict[str, Any] | None = None) -> None:  # noqa: ANN401
        source = _rule_arn.get()
        context = {"aws:sourcearn": source, "aws:sourceaccount": spec.account_id}
        allowed = sqs.queue_policy_allows(str(spec), service, source, spec.account_id)
        allowed = allowed and _key_allows(str(spec), service, context)
        if _told(allowed, service, "sqs:SendMessage", str(spec), source):
            to_sqs(spec, payload, sqs_parameters)

    require(sqs, "queue_policy_allows", ("queue_arn", "service", "source_arn", "source_account"))
    require(sns, "topic_policy_allows", ("topic_arn", "service", "source_arn", "source_account"))
    eventbridge._invoke_target = invoke_for_rule
    eventbridge._dispatch_to_lambda = call_if_allowed
    eventbridge._dispatch_to_sns = publish_if_allowed
    eventbridge._dispatch_to_sqs = send_if_allowed


def _install_topics(sns: Any, lambda_svc: Any) -> None:  # noqa: ANN401 - modules
    deliver = require(sns, "_deliver_to_lambda")

    def deliver_if_allowed(endpoint: str, envelope: str, topic_arn: str, *rest: Any) -> None:  # noqa: ANN401
        function, _, _ = lambda_svc._get_func_record_for_ref(endpoint)
        if function is None or allows_call(function, "sns.amazonaws.com", topic_arn):
            deliver(endpoint, envelope, topic_arn, *rest)

    sns._deliver_to_lambda = deliver_if_allowed


def _install_alarms(cloudwatch: Any, sns: Any) -> None:  # noqa: ANN401 - modules
    dispatch = require(cloudwatch, "_dispatch_alarm_actions", ("alarm", "old_state", "new_state", "reason"))
    is_topic = require(cloudwatch, "_is_sns_action_arn")
    service = "cloudwatch.amazonaws.com"

    def dispatch_allowed(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
        source, account = alarm["AlarmArn"], alarm["AlarmArn"].split(":")[4]

        def may_tell(action: str) -> bool:
            context = {"aws:sourcearn": source, "aws:sourceaccount": account}
            allowed = not is_topic(action) or (
                sns.topic_policy_allows(action, service, source, account) and _key_allows(action, service, context)
            )
            return _told(allowed, service, "sns:Publish", action, source)

        lists = ("AlarmActions", "OKActions", "InsufficientDataActions")
        allowed = {name: [action for action in alarm.get(name) or [] if may_tell(action)] for name in lists}
        dispatch({**alarm, **allowed}, old_state, new_state, reason)

    cloudwatch._dispatch_alarm_actions = dispatch_allowed


def _install_streams(lambda_svc: Any) -> None:  # noqa: ANN401 - a module
    create = require(lambda_svc, "_create_esm", ("data",))
    tell = require(
        lambda_svc,
        "_send_ddb_stream_failure_record",
        ("esm", "func_rec", "batch", "stream_arn", "result", "condition"),
    )
    resolve = require(lambda_svc, "_resolve_existing_esm_function")
    error = require(lambda_svc, "error_response_json")

    def create_if_allowed(data: dict[str, Any]) -> tuple:
        source = data.get("EventSourceArn", "")
        name, _, wrong = resolve(data.get("FunctionName", ""))
        function = None if wrong else lambda_svc._functions.get(name)
        if function is None or source.split(":")[2:3] != ["dynamodb"]:
            return create(data)
        role = function["config"].get("Role", "")
        for verb in _STREAM_RIGHTS:
            right = Right("dynamodb", f"dynamodb:{verb}", source, {})
            if judge_as_role(role, name, right, source.split(":")[3]) is not None:
                return error(
                    "InvalidParameterValueException",
                    f"Cannot access stream {source}. Please ensure the role can perform the GetRecords, "
                    "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.",
                    400,
                )
        return create(data)

    def tell_if_allowed(
        esm: dict[str, Any],
        func_rec: dict[str, Any],
        batch: Any,  # noqa: ANN401 - handed on as they come
        stream_arn: str,
        result: Any,  # noqa: ANN401
        condition: str,
    ) -> None:
        config = func_rec.get("config") or func_rec
        to = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or ""
        service = to.split(":")[2] if to.count(":") > 4 else ""
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(service)
        right = Right(service, action or "", to, {})
        region = stream_arn.split(":")[3]
        # What is refused stands in the log.
        if action is None or judge_as_role(config.get("Role", ""), config["FunctionName"], right, region) is None:
            tell(esm, func_rec, batch, stream_arn, result, condition)

    lambda_svc._create_esm = create_if_allowed
    lambda_svc._send_ddb_stream_failure_record = tell_if_allowed
