"""Patch: what is asked of SageMaker is judged before it goes on to the platform's own service.

ministack has no SageMaker, so it doesn't know which rights its operations need. They come from AWS's own tables
(sagemaker_actions.json, see ../update_sagemaker_actions.py):

- A request is judged on each kind of resource that the table gives and the request names, with the request's tags and
  with SageMaker's own condition keys.
- A role in a request is passed: the caller needs `iam:PassRole` for it. Its trust policy must name SageMaker, whoever
  passes it.
- Tags in a request need `sagemaker:AddTags` as well.

ministack has no CodePipeline either: what is asked of the platform's own is judged on the pipeline that it names.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from patches.authorization import Right, refusal_message
from patches.compatibility import require
from patches.service_principals import trusts_service

SERVICE = "sagemaker.amazonaws.com"

_TABLES = json.loads((Path(__file__).parent / "sagemaker_actions.json").read_bytes())
_ACTIONS: Mapping[str, Mapping[str, list[str]]] = {
    **_TABLES["actions"],
    # Newer than the tables. Who writes in batches needs the right to put as well (Developer Guide, Feature Store:
    # "Security and access control").
    "BatchWriteRecord": {"required": ["feature-group"], "dependent": ["sagemaker:PutRecord"]},
    "ListRecords": {"required": ["feature-group"]},
    "UpdateRecord": {"required": ["feature-group"]},
}
_RESOURCES: Mapping[str, str] = _TABLES["resources"]

#: Operations of SageMaker's runtimes, which a path names: botocore's models of sagemaker-runtime and
#: sagemaker-featurestore-runtime.
ROUTES = tuple(
    (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>arn:[^/]+/[^/]+|[^/]+)", path)), operation)
    for method, path, operation in (
        ("POST", "/endpoints/{EndpointName}/invocations", "InvokeEndpoint"),
        ("POST", "/endpoints/{EndpointName}/async-invocations", "InvokeEndpointAsync"),
        ("POST", "/endpoints/{EndpointName}/invocations-response-stream", "InvokeEndpointWithResponseStream"),
        ("POST", "/BatchGetRecord", "BatchGetRecord"),
        ("POST", "/BatchWriteRecord", "BatchWriteRecord"),
        ("PUT", "/FeatureGroup/{FeatureGroupName}", "PutRecord"),
        ("GET", "/FeatureGroup/{FeatureGroupName}", "GetRecord"),
        ("DELETE", "/FeatureGroup/{FeatureGroupName}", "DeleteRecord"),
        ("POST", "/FeatureGroup/{FeatureGroupName}/ListRecords", "ListRecords"),
        ("POST", "/FeatureGroup/{FeatureGroupName}/Record", "UpdateRecord"),
    )
)

#: Members of requests from which SageMaker's condition keys have their values, wherever they stand in a request.
_KEY_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "sagemaker:InstanceTypes": ("InstanceType",),
    "sagemaker:VpcSubnets": ("Subnets",),
    "sagemaker:VpcSecurityGroupIds": ("SecurityGroupIds",),
    "sagemaker:NetworkIsolation": ("EnableNetworkIsolation",),
    "sagemaker:InterContainerTrafficEncryption": ("EnableInterContainerTrafficEncryption",),
    "sagemaker:MaxRuntimeInSeconds": ("MaxRuntimeInSeconds",),
    "sagemaker:VolumeKmsKey": ("VolumeKmsKeyId",),
    "sagemaker:OutputKmsKey": ("KmsKeyId",),
    "sagemaker:ModelApprovalStatus": ("ModelApprovalStatus",),
    "sagemaker:FeatureGroupOfflineStoreS3Uri": ("S3Uri",),
    "sagemaker:FeatureGroupEnableOnlineStore": ("EnableOnlineStore",),
    "sagemaker:FeatureGroupDisableGlueTableCreation": ("DisableGlueTableCreation",),
}
_LISTS = {"sagemaker:InstanceTypes", "sagemaker:VpcSubnets", "sagemaker:VpcSecurityGroupIds"}
_PASSED_ROLES = ("RoleArn", "ExecutionRoleArn")


def operation_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, dict[str, Any]] | None:
    """The operation that a request is for, and the request's members; None for what is no operation of SageMaker."""
    target = headers.get("x-amz-target", "")
    if target.startswith("SageMaker."):
        return target.removeprefix("SageMaker."), _object(body)
    for expected, pattern, operation in ROUTES:
        match = pattern.fullmatch(path)
        if method == expected and match:
            # An invocation's body is the model's own, and has no members.
            members = {} if operation.startswith("InvokeEndpoint") else _object(body)
            return operation, {**members, **match.groupdict()}
    return None


def rights(operation: str, request: Mapping[str, Any], region: str, account: str) -> Iterator[Right]:
    """The rights that an operation needs, in the order in which they are judged.

    Args:
        operation: as in the API, such as `CreateTrainingJob`.
        request: the operation's members.
        region: of the request.
        account: that owns what the request names.
    """
    action = _ACTIONS.get(operation, {})
    context = _context(action.get("keys", []), request)
    resources = list(_resources(action, request, f"arn:aws:sagemaker:{region}:{account}:"))
    if not resources:
        if action.get("required"):
            # The service refuses what lacks the name of its resource.
            return
        resources = ["*"]
    for resource in resources:
        yield Right("sagemaker", f"sagemaker:{operation}", resource, context)
    dependent = action.get("dependent", [])
    if "sagemaker:PutRecord" in dependent:
        yield from (Right("sagemaker", "sagemaker:PutRecord", resource, context) for resource in resources)
    if "sagemaker:AddTags" in dependent and request.get("Tags"):
        yield Right("sagemaker", "sagemaker:AddTags", resources[0], context)
    for role in passed_roles(operation, request):
        passing = {"iam:PassedToService": SERVICE, "iam:AssociatedResourceArn": resources[0]}
        yield Right("iam", "iam:PassRole", role, passing)


def passed_roles(operation: str, request: Mapping[str, Any]) -> list[str]:
    """ARNs of the roles that an operation hands to SageMaker."""
    if "iam:PassRole" not in _ACTIONS.get(operation, {}).get("dependent", []):
        return []
    return [role for member in _PASSED_ROLES for role in _values(request, member) if isinstance(role, str)]


def pipeline_right(operation: str, request: Mapping[str, Any], region: str, account: str) -> Right:
    """The right that an operation of CodePipeline needs: on the pipeline that it names, if it names one."""
    name = request.get("name") or request.get("pipelineName")
    resource = f"arn:aws:codepipeline:{region}:{account}:{name}" if name else "*"
    return Right("codepipeline", f"codepipeline:{operation}", resource, {})


class Judge:
    """Judges requests for SageMaker and CodePipeline, as ministack judges those for its own services."""

    def __init__(self, tags_of: Callable[[str], dict[str, str]]) -> None:
        """Makes the judge.

        Args:
            tags_of: the tags of a resource of SageMaker, by its ARN; asked only where a condition wants them.
        """
        from ministack import app
        from ministack.core import iam_evaluator, responses
        from ministack.core.router import extract_access_key_id
        from ministack.services import tagging

        self._account_of_key = require(app, "_request_account_scope", ("access_key_id",))
        self._region_of = require(app, "extract_region")
        self._pin_origin = require(app, "pin_request_origin", ("source_ip", "secure_transport"))
        self._pin_request = require(app, "pin_signed_request")
        self._pin_body = require(app, "pin_signed_body", ("body",))
        self._set_account = require(responses, "set_request_account_id")
        self._set_region = require(responses, "set_request_region")
        self._account = require(responses, "get_account_id", ())
        self._is_account_key = require(iam_evaluator, "_is_root_key", ("access_key_id",))
        self._evaluator = iam_evaluator
        tags_of_others = require(tagging, "resource_tags", ("arn",))
        tagging.resource_tags = lambda arn: (
            tags_of(arn) if arn.split(":")[2:3] == ["sagemaker"] else tags_of_others(arn)
        )
        self._key_of: Callable[..., str] = extract_access_key_id

    def must_read(self, headers: Mapping[str, str]) -> bool:
        """Whether a request can't be passed on as it comes: all but those of the account's key that pass no role."""
        operation = headers.get("x-amz-target", "").removeprefix("SageMaker.")
        passes = "iam:PassRole" in _ACTIONS.get(operation, {}).get("dependent", [])
        return passes or not self._is_account_key(self._key_of(headers, {}))

    def refusal(
        self, scope: Mapping[str, Any], headers: dict[str, str], query: dict[str, list[str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """What is answered to a request that AWS would refuse; None for what may go on."""
        key = self._key_of(headers, query)
        region = self._region_of(headers, query)
        self._set_account(self._account_of_key(key) if key else "")
        self._set_region(region)
        self._pin_origin((scope.get("client") or ("127.0.0.1",))[0], False)
        self._pin_request(scope["method"], _raw_path(scope), query, scope["headers"])
        self._pin_body(body)
        is_json = "x-amz-target" in headers
        needed, passed = self._needed(scope, headers, body, region)
        for right in needed:
            refusal = self._evaluator.enforce(
                key, right.action, right.service, region, resource_arn=right.resource, service_context=right.context
            )
            if isinstance(refusal, self._evaluator.AuthError):
                return _answer(refusal.code, refusal.message, 400 if is_json else 403)
            if refusal is not None:
                return _answer("AccessDeniedException", refusal_message(refusal, right), 400 if is_json else 403)
        for role in passed:
            if not trusts_service(role, SERVICE):
                return _answer("ValidationException", untrusted(role), 400)
        return None

    def _needed(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], body: bytes, region: str
    ) -> tuple[list[Right], list[str]]:
        """The rights that a request needs, and the roles that it passes."""
        target = headers.get("x-amz-target", "")
        if target.startswith("CodePipeline_"):
            return [pipeline_right(target.partition(".")[2], _object(body), region, self._account())], []
        asked = operation_of(scope["method"], scope["path"], headers, body)
        if asked is None:
            # The service itself says that there is no such operation.
            return [], []
        return list(rights(*asked, region, self._account())), passed_roles(*asked)


def untrusted(role: str) -> str:
    """SageMaker's own words about a role that it can't assume."""
    return (
        f"Could not assume role {role}. Please ensure that the role exists and allows principal '{SERVICE}' to assume "
        "the role."
    )


def _answer(code: str, message: str, status: int) -> tuple[int, dict[str, str], bytes]:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-ErrorType": code,
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    return status, headers, json.dumps({"__type": code, "message": message, "Message": message}).encode()


def _raw_path(scope: Mapping[str, Any]) -> str:
    return (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")


def _object(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except ValueError:
        # The service says what is wrong with it, once it is known that the caller may ask at all.
        return {}
    return members if isinstance(members, dict) else {}


def _values(value: Any, member: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    """The values of all members of this name, wherever they stand."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == member:
                yield item
            else:
                yield from _values(item, member)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item, member)


def _resources(action: Mapping[str, list[str]], request: Mapping[str, Any], scope: str) -> Iterator[str]:
    if arn := request.get("ResourceArn"):
        yield str(arn)
        return
    for kind in [*action.get("required", []), *action.get("optional", [])]:
        template = _RESOURCES.get(kind, "")
        variables = re.findall(r"\$\{(\w+)\}", template)
        if len(variables) != 1:
            continue
        for name in _names(request, variables[0]):
            yield name if name.startswith("arn:") else scope + template.replace(f"${{{variables[0]}}}", name)
        if kind == "model-package" and "model-package-group" in action.get("optional", []):
            # A version gets its number from its group only when it is made.
            for group in _names(request, "ModelPackageGroupName"):
                yield f"{scope}model-package/{group.rpartition('/')[2]}/*"


def _names(request: Mapping[str, Any], variable: str) -> list[str]:
    """What a request names where the table has a variable such as `ModelPackageName`: names, or ARNs."""
    members = [variable, f"{variable.removesuffix('Name')}Arn"]
    if variable.endswith("JobDefinitionName"):
        members.append("JobDefinitionName")
    for member in members:
        named = [request[member]] if member in request else list(_values(request, member))
        if named := [name for name in named if isinstance(name, str) and name]:
            return list(dict.fromkeys(named))
    return []


def _context(keys: list[str], request: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    tags = [tag for tag in request.get("Tags") or [] if isinstance(tag, dict) and "Key" in tag]
    if tags:
        context["aws:TagKeys"] = [tag["Key"] for tag in tags]
        context.update({f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags})
    for key in keys:
        found = [item for member in _KEY_MEMBERS.get(key, ()) for item in _values(request, member)]
        flat = [item for value in found for item in (value if isinstance(value, list) else [value])]
        texts = [str(item).lower() if isinstance(item, bool) else str(item) for item in flat]
        if texts:
            context[key] = texts if key in _LISTS else texts[0]
    return context
