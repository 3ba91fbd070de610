"""Patches of API Gateway's HTTP APIs: AWS's names, limits and errors.

What is changed, and why:

- An API's endpoint is `https://<id>.execute-api.<region>.amazonaws.com`, so that what is synthesized for AWS (an origin
  of CloudFront, an output) means the same here, and that name is answered when it comes as the Host.
- A function that throws is a 500 that tells nothing, not a 502 with the error's message.
- Requests above AWS's limits are a 413.
- OPTIONS of an API without a CORS configuration goes to the API's route, as any other method does; it was a 403.
- The event of payload format 2.0 has no `pathParameters: null`, which AWS leaves out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from patches.compatibility import require

#: HTTP API quotas: the payload of a request; and Lambda's, of the event that carries it.
_LARGEST_PAYLOAD_BYTES = 10 * 1024 * 1024
_LARGEST_EVENT_BYTES = 6 * 1024 * 1024

#: Whole name of an API's endpoint; ministack's identifiers are eight hexadecimal digits.
ENDPOINT = re.compile(r"^([a-f0-9]{8})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?::\d+)?$")


def _answer(status: int, message: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}, separators=(",", ":")),
    }


def install(region: str) -> None:
    """Patches ministack's API Gateway.

    Args:
        region: of every API's endpoint name.
    """
    from ministack import app
    from ministack.services import apigateway

    require(app, "_EXECUTE_API_RE")
    app._EXECUTE_API_RE = ENDPOINT
    require(apigateway, "_HOST")
    apigateway._HOST = f"{region}.amazonaws.com"
    _install_endpoint(apigateway)
    _install_proxy(apigateway)
    _install_options(apigateway)


def _install_endpoint(apigateway: Any) -> None:  # noqa: ANN401 - a module
    create = require(apigateway, "_create_api", ("data",))
    port = require(apigateway, "_PORT")
    require(apigateway, "_api_endpoint_scheme", ("protocol",))
    apigateway._api_endpoint_scheme = lambda protocol: "wss" if protocol == "WEBSOCKET" else "https"

    def create_api(data: dict[str, Any]) -> tuple:
        status, headers, body = create(data)
        for api in apigateway._apis.values():
            api["apiEndpoint"] = api["apiEndpoint"].removesuffix(f":{port}")
        created = json.loads(body)
        if "apiEndpoint" in created:
            created["apiEndpoint"] = created["apiEndpoint"].removesuffix(f":{port}")
            body = json.dumps(created).encode()
        return status, headers, body

    apigateway._create_api = create_api


def _install_proxy(apigateway: Any) -> None:  # noqa: ANN401 - a module
    invoke = require(apigateway, "_invoke_lambda_proxy")
    run = require(apigateway, "run_reentrant", ("fn", "args", "thread_name"))

    async def invoke_within_limits(*arguments: Any, **options: Any) -> tuple:  # noqa: ANN401
        body, headers = arguments[6], arguments[5]
        is_text = apigateway._v2_request_body_is_text(headers.get("content-type"))
        event_bytes = len(body or b"") * (1 if is_text else 4 / 3)
        if len(body or b"") > _LARGEST_PAYLOAD_BYTES or event_bytes > _LARGEST_EVENT_BYTES:
            refused = _answer(413, "Request Entity Too Large")
            return refused["statusCode"], refused["headers"], refused["body"].encode()
        return await invoke(*arguments, **options)

    async def run_as_aws(function: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        record, event = arguments[0], arguments[1] if len(arguments) > 1 else None
        if isinstance(event, Mapping) and event.get("version") == "2.0" and "rawPath" in event:
            event = {name: value for name, value in event.items() if value is not None}
            result = await run(function, record, event, *arguments[2:], **options)
            if result.get("error") and not result.get("throttle"):
                return {"body": _answer(500, "Internal Server Error")}
            return result
        return await run(function, *arguments, **options)

    apigateway._invoke_lambda_proxy = invoke_within_limits
    apigateway.run_reentrant = run_as_aws


class _RoutedOptions(str):
    """OPTIONS for the API's routes: it looks like the method, and is not what ministack answers before any route."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def _install_options(apigateway: Any) -> None:  # noqa: ANN401 - a module
    """Routes OPTIONS where no CORS configuration answers it."""
    execute = require(
        apigateway,
        "_handle_execute_in_scope",
        (
            "api_id", "stage", "path", "method", "headers", "body", "query_params", "owner_account_id", "owner_region",
            "raw_query_string",
        ),
    )  # fmt: skip
    match_route = require(apigateway, "_match_route", ("api_id", "method", "path"))

    async def execute_as_aws(api_id: str, stage: str, path: str, method: str, *rest: Any, **options: Any) -> tuple:  # noqa: ANN401
        api = apigateway._apis.get(api_id)
        if method == "OPTIONS" and api and not api.get("corsConfiguration"):
            method = _RoutedOptions(method)
        return await execute(api_id, stage, path, method, *rest, **options)

    def match_by_name(api_id: str, method: str, path: str) -> Any:  # noqa: ANN401
        return match_route(api_id, _plain(method), path)

    apigateway._handle_execute_in_scope = execute_as_aws
    apigateway._match_route = match_by_name


def _plain(method: str) -> str:
    return "".join(method) if isinstance(method, _RoutedOptions) else method
