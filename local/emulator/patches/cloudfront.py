"""Patches of CloudFront: the distribution that is synthesized for AWS works unchanged.

What is changed, and why:

- An origin named `<api>.execute-api.<region>.amazonaws.com` was refused, so that no request reaches the real AWS. It is
  served inside the emulator, as ministack itself does for S3 origins, load balancers and function URLs.
- A bucket's policy that refuses plain HTTP (`aws:SecureTransport`) refused CloudFront too, which comes by HTTPS on AWS.
- A bucket that lets CloudFront list it says 404 of an object that isn't there; every such answer was a 403.
- A viewer's Host is `<id>.cloudfront.net`, or `<id>.cloudfront.localhost`, which browsers resolve by themselves.
"""

import asyncio
import http.client
import re
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from patches.api_gateway import ENDPOINT
from patches.asgi import Application, Receive, Scope, Send
from patches.compatibility import require

_ERROR = "Error from cloudfront"


def install() -> None:
    """Patches ministack's CloudFront."""
    from ministack import app
    from ministack.core import iam_evaluator
    from ministack.services import apigateway, cloudfront

    require(app, "_CLOUDFRONT_HOST_RE")
    app._CLOUDFRONT_HOST_RE = re.compile(r"^([a-z0-9]+)\.cloudfront\.(?:net|localhost)(?::\d+)?$")

    fetch = require(
        cloudfront,
        "_fetch_from_origin",
        (
            "origin", "method", "uri", "query_string", "headers", "body", "viewer_is_https", "client_ip", "viewer_xff",
            "dist_arn",
        ),
    )  # fmt: skip
    execute = require(
        app,
        "_handle_execute_api_request",
        ("host", "path", "method", "headers", "body", "query_params", "raw_path", "raw_query_string"),
    )
    find_api = require(apigateway, "find_api_scope", ("api_id",))
    origin_headers = require(
        cloudfront, "_origin_request_headers", ("origin", "headers", "client_ip", "viewer_x_forwarded_for")
    )
    origin_host = require(cloudfront, "_normalize_origin_host", ("host",))
    connect_target = require(cloudfront, "_origin_connect_target", ("origin", "viewer_is_https"))
    gather = require(cloudfront, "_multidict_from_pairs", ("pairs",))
    pin_origin = require(iam_evaluator, "pin_request_origin")

    async def fetch_from_origin(
        origin: dict[str, Any],
        method: str,
        uri: str,
        query_string: str,
        headers: dict[str, Any],
        body: bytes,
        viewer_is_https: bool,
        client_ip: str,
        viewer_xff: str,
        dist_arn: str,
    ) -> tuple:
        host = origin_host(origin["domain_name"])
        api = ENDPOINT.match(host)
        if origin.get("s3_bucket"):
            pin_origin(client_ip, True)
        if origin.get("s3_bucket") or api is None or find_api(api[1]) is None:
            return await fetch(
                origin, method, uri, query_string, headers, body, viewer_is_https, client_ip, viewer_xff, dist_arn
            )
        if not connect_target(origin, viewer_is_https)[2]:
            raise cloudfront.OriginUnreachable(f"{host} answers HTTPS only")
        sent = {name.lower(): value for name, value in origin_headers(origin, headers, client_ip, viewer_xff).items()}
        if sent.get("host", "").split(":", 1)[0].lower() != host:
            # As on AWS, when a policy forwards the viewer's Host.
            return 403, "Forbidden", {"content-type": "application/json"}, b'{"message":"Forbidden"}'
        sent.update({"x-forwarded-proto": "https", "x-forwarded-port": "443"})
        target = origin.get("origin_path", "") + uri
        try:
            status, answered, data = await asyncio.wait_for(
                execute(
                    host,
                    unquote(target),
                    method,
                    sent,
                    body or b"",
                    parse_qs(query_string, keep_blank_values=True),
                    raw_path=target,
                    raw_query_string=query_string,
                ),
                origin.get("read_timeout", 30),
            )
        except TimeoutError as error:
            raise cloudfront.OriginTimeout(f"{host} did not answer in time") from error
        pairs = [
            (name, value)
            for name, values in answered.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return status, http.client.responses.get(status, ""), gather(pairs), data

    cloudfront._fetch_from_origin = fetch_from_origin
    _install_missing_objects()


def _install_missing_objects() -> None:
    from ministack.core import iam_evaluator
    from ministack.services import s3

    serve = require(
        s3,
        "serve_cloudfront_origin_fetch",
        ("bucket_name", "key", "method", "headers", "source_arn", "oai_id"),
    )
    find_bucket = require(s3, "_ensure_bucket", ("name",))
    owner_of = require(s3, "_bucket_owner_account", ("name",))
    policies = require(s3, "_bucket_policies")
    error = require(s3, "_error")
    region = require(s3, "get_region", ())
    context = require(iam_evaluator, "EvalContext")
    evaluate = require(iam_evaluator, "evaluate_resource_policy")

    def may_list(bucket: str, source_arn: str) -> bool:
        policy = policies.get_scoped(owner_of(bucket), None, bucket)
        if not policy or not source_arn:
            return False
        asked = context(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action="s3:ListBucket",
            resource_arn=f"arn:aws:s3:::{bucket}",
            region=region(),
            service_context={"aws:sourcearn": source_arn},
        )
        return evaluate(policy, asked, service="cloudfront.amazonaws.com").decision == "Allow"

    def serve_origin(
        bucket_name: str, key: str, method: str, headers: dict[str, Any], source_arn: str = "", oai_id: str = ""
    ) -> tuple:
        answer = serve(bucket_name, key, method, headers, source_arn=source_arn, oai_id=oai_id)
        bucket = find_bucket(bucket_name)
        if answer[0] != 403 or bucket is None or key in bucket["objects"] or not may_list(bucket_name, source_arn):
            return answer
        return error("NoSuchKey", "The specified key does not exist.", 404, f"/{bucket_name}/{key}")

    s3.serve_cloudfront_origin_fetch = serve_origin


def serve_viewers(application: Application) -> Application:
    """Wraps the ASGI application: a distribution's Host reaches the distribution and nothing else.

    ministack looks at paths before it looks at the Host, so that `/health`, `/login` or even `POST /_ministack/reset`
    of a website would be the emulator's own.
    """
    from ministack import app
    from ministack.core.responses import set_request_account_id, set_request_region
    from ministack.services import cloudfront

    label_of = require(app, "_parse_cloudfront_dataplane_host", ("host",))
    find = require(cloudfront, "find_distribution_for_label", ("label",))
    read_body = require(app, "_read_request_body", ("receive", "method", "headers"))
    incomplete = require(app, "_IncompleteRequestBody")
    disconnected = require(app, "_RequestBodyDisconnected")
    with_date = require(app, "_with_date_header", ("send",))
    answer = require(app, "_send_if_handled", ("send", "response", "receive", "head"))
    error_page = require(cloudfront, "_cf_error_response", ("status", "explanation", "x_cache"))
    serve = require(
        app,
        "_handle_cloudfront_dataplane_request",
        ("host", "path", "raw_path", "raw_query_string", "method", "headers", "body", "query_params", "client_ip"),
    )

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value.decode("latin-1") for name, value in scope.get("headers", []) if name == b"host"), "")
        label = label_of(host) if scope["type"] == "http" else None
        if label is None:
            await application(scope, receive, send)
            return
        set_request_account_id("")
        set_request_region(None)
        if find(label) is None:
            await answer(with_date(send), error_page(403, "This distribution does not exist.", _ERROR), receive)
            return
        headers: dict[str, str] = {}
        for raw_name, value in scope["headers"]:
            name, text = raw_name.decode("latin-1").lower(), value.decode("latin-1")
            joint = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{joint}{text}" if name in headers else text
        try:
            body = await read_body(receive, scope["method"], headers)
        except disconnected:
            return
        except incomplete as error:
            body = error.body
        query = scope.get("query_string", b"").decode("latin-1")
        response = await serve(
            host,
            scope["path"],
            (scope.get("raw_path") or quote(scope["path"]).encode()).decode("ascii"),
            query,
            scope["method"],
            headers,
            body,
            parse_qs(query, keep_blank_values=True),
            (scope.get("client") or ("127.0.0.1",))[0],
        )
        await answer(with_date(send), response, receive, head=scope["method"] == "HEAD")

    return gateway
