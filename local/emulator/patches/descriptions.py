"""Patches of what a service tells of its resources: Terraform compares it with what it asked for, at every plan.

What is changed, and why:

- Step Functions forgot a state machine's `tracingConfiguration`: every plan switched tracing on again.
- CloudWatch said `Statistic: Average` of an alarm on a percentile, which has an `ExtendedStatistic` and no `Statistic`.
- CloudFront told of the headers that a response headers policy adds or removes even where there are none.
- ECR's password for Docker was a plain word; Terraform's Docker provider takes one that is base64 of JSON, as AWS's is.
"""

import base64
import copy
import json
from typing import Any

from patches.compatibility import require

#: Tracing of a state machine that nobody has set ("DescribeStateMachine" of Step Functions' API reference).
_NO_TRACING = {"enabled": False}


def install() -> None:
    """Patches ministack's Step Functions, CloudWatch, CloudFront and ECR."""
    _install_tracing()
    _install_alarms()
    _install_headers_policies()
    _install_registry_password()


def _install_tracing() -> None:
    from ministack.services import stepfunctions

    machines = require(stepfunctions, "_state_machines")
    create = require(stepfunctions, "_create_state_machine", ("data",))
    update = require(stepfunctions, "_update_state_machine", ("data",))
    describe = require(stepfunctions, "_describe_state_machine", ("data",))

    def remember(arn: str, data: dict[str, Any]) -> None:
        if "tracingConfiguration" in data:
            machines[arn]["tracingConfiguration"] = copy.deepcopy(data["tracingConfiguration"])

    def create_with_tracing(data: dict[str, Any]) -> tuple:
        answer = create(data)
        if answer[0] == 200:
            remember(json.loads(answer[2])["stateMachineArn"], data)
        return answer

    def update_with_tracing(data: dict[str, Any]) -> tuple:
        answer = update(data)
        if answer[0] == 200:
            remember(data["stateMachineArn"], data)
        return answer

    def describe_with_tracing(data: dict[str, Any]) -> tuple:
        status, headers, body = describe(data)
        if status != 200:
            return status, headers, body
        return status, headers, json.dumps({"tracingConfiguration": _NO_TRACING, **json.loads(body)}).encode()

    stepfunctions._create_state_machine = create_with_tracing
    stepfunctions._update_state_machine = update_with_tracing
    stepfunctions._describe_state_machine = describe_with_tracing


def _install_alarms() -> None:
    from ministack.services import cloudwatch

    alarms = require(cloudwatch, "_alarms")
    put = require(cloudwatch, "_put_metric_alarm", ("params", "cbor_data", "is_cbor", "is_json"))

    def put_metric_alarm(
        params: dict[str, Any], cbor_data: dict[str, Any], is_cbor: bool, is_json: bool = False
    ) -> tuple:
        answer = put(params, cbor_data, is_cbor, is_json)
        name = cbor_data.get("AlarmName") or cloudwatch._p(params, "AlarmName")
        if answer[0] == 200 and alarms[name].get("ExtendedStatistic"):
            alarms[name].pop("Statistic", None)
        return answer

    require(cloudwatch, "_p", ("params", "key", "default"))
    cloudwatch._put_metric_alarm = put_metric_alarm


def _install_headers_policies() -> None:
    from ministack.services import cloudfront

    build = require(cloudfront, "_build_rhp_config_xml", ("parent", "cfg"))

    def build_without_empty_parts(parent: Any, cfg: dict[str, Any]) -> None:  # noqa: ANN401 - an XML element
        build(parent, cfg)
        for part in list(parent):
            if part.tag in ("CustomHeadersConfig", "RemoveHeadersConfig") and part.find("Items") is None:
                parent.remove(part)

    cloudfront._build_rhp_config_xml = build_without_empty_parts
    require(cloudfront, "_RHP_SPEC")["build_config"] = build_without_empty_parts


def _install_registry_password() -> None:
    from ministack.services import ecr

    authorize = require(ecr, "_get_authorization_token", ("data",))

    def get_authorization_token(data: dict[str, Any]) -> tuple:
        status, headers, body = authorize(data)
        answer = json.loads(body)
        for authorization in answer["authorizationData"]:
            password = {
                "payload": "local",
                "version": "2",
                "type": "DATA_KEY",
                "expiration": authorization["expiresAt"],
            }
            encoded = base64.b64encode(json.dumps(password).encode())
            authorization["authorizationToken"] = base64.b64encode(b"AWS:" + encoded).decode()
        return status, headers, json.dumps(answer).encode()

    ecr._get_authorization_token = get_authorization_token
