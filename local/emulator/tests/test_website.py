"""A website as it is synthesized for AWS: CloudFront before a bucket (origin access control) and an HTTP API."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
from conftest import ACCOUNT, REGION, Emulator

ECHO = """
exports.handler = async (event) => {
  if (event.rawPath === "/api/throw") throw new Error("secret detail");
  if (event.rawPath === "/api/forbidden") return { statusCode: 403, body: "no" };
  if (event.rawPath === "/api/cookies") return { cookies: ["a=1", "b=2"], statusCode: 200, headers: { "x-mine": "y" } };
  return {
    statusCode: 201,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(event),
  };
};
"""
#: AWS's managed policies.
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


@dataclass
class Website:
    emulator: Emulator
    api_id: str
    api_endpoint: str
    domain: str

    def get(self, path: str, *, method: str = "GET", body: bytes | None = None, host: str = "", **headers: str):
        """Status, headers and body of a request that the viewer makes."""
        url = self.emulator.url + path
        shown = {"Host": host or self.domain, "X-Forwarded-Proto": "https", **headers}
        request = urllib.request.Request(url, data=body, method=method, headers=shown)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
        try:
            with opener.open(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


@pytest.fixture(scope="module")
def website(emulator: Emulator) -> Website:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="acme-local-site", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, kind, text in (
        ("index.html", "text/html", "home"),
        ("404.html", "text/html", "lost"),
        ("a b.css", "text/css", "css"),
    ):
        s3.put_object(
            Bucket="acme-local-site", Key=key, Body=text.encode(), ContentType=kind, CacheControl="max-age=60"
        )
    function = emulator.function("echo", ECHO)
    emulator.client("lambda").add_permission(
        FunctionName="echo", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    gateway = emulator.client("apigatewayv2")
    api = gateway.create_api(Name="acme", ProtocolType="HTTP")
    integration = gateway.create_integration(
        ApiId=api["ApiId"],
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations",
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    for route in ("ANY /api/predict", "$default"):
        gateway.create_route(ApiId=api["ApiId"], RouteKey=route, Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)

    cloudfront = emulator.client("cloudfront")
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "site",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    policy = cloudfront.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": "security",
            "SecurityHeadersConfig": {
                "ContentTypeOptions": {"Override": True},
                "FrameOptions": {"FrameOption": "DENY", "Override": True},
                "ReferrerPolicy": {"ReferrerPolicy": "no-referrer", "Override": True},
                "ContentSecurityPolicy": {"ContentSecurityPolicy": "default-src 'self'", "Override": True},
                "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Override": True},
            },
        }
    )["ResponseHeadersPolicy"]["Id"]
    behaviour = {
        "ViewerProtocolPolicy": "redirect-to-https",
        "ResponseHeadersPolicyId": policy,
        "Compress": True,
    }
    distribution = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {
                "Quantity": 2,
                "Items": [
                    {
                        "Id": "site",
                        "DomainName": f"acme-local-site.s3.{REGION}.amazonaws.com",
                        "OriginAccessControlId": control,
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    },
                    {
                        "Id": "api",
                        "DomainName": api["ApiEndpoint"].removeprefix("https://"),
                        "CustomOriginConfig": {
                            "HTTPPort": 80,
                            "HTTPSPort": 443,
                            "OriginProtocolPolicy": "https-only",
                            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
                        },
                    },
                ],
            },
            "DefaultCacheBehavior": {
                **behaviour,
                "TargetOriginId": "site",
                "CachePolicyId": CACHING_OPTIMIZED,
                "AllowedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
            },
            "CacheBehaviors": {
                "Quantity": 1,
                "Items": [
                    {
                        **behaviour,
                        "PathPattern": "/api/*",
                        "TargetOriginId": "api",
                        "CachePolicyId": CACHING_DISABLED,
                        "OriginRequestPolicyId": ALL_VIEWER_EXCEPT_HOST,
                        "AllowedMethods": {
                            "Quantity": 7,
                            "Items": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
                            "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
                        },
                    }
                ],
            },
            "CustomErrorResponses": {
                "Quantity": 1,
                "Items": [
                    {"ErrorCode": 403, "ResponsePagePath": "/404.html", "ResponseCode": "404", "ErrorCachingMinTTL": 10}
                ],
            },
        }
    )["Distribution"]
    s3.put_bucket_policy(
        Bucket="acme-local-site",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": ["arn:aws:s3:::acme-local-site", "arn:aws:s3:::acme-local-site/*"],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    },
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": ["arn:aws:s3:::acme-local-site", "arn:aws:s3:::acme-local-site/*"],
                        "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
                    },
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudfront.amazonaws.com"},
                        "Action": "s3:GetObject",
                        "Resource": "arn:aws:s3:::acme-local-site/*",
                        "Condition": {"StringEquals": {"AWS:SourceArn": distribution["ARN"]}},
                    },
                ],
            }
        ),
    )
    return Website(emulator, api["ApiId"], api["ApiEndpoint"], distribution["DomainName"])


def test_names_are_those_of_aws(website):
    assert website.api_endpoint == f"https://{website.api_id}.execute-api.{REGION}.amazonaws.com"
    assert website.domain.endswith(".cloudfront.net")
    found = website.emulator.client("apigatewayv2").get_api(ApiId=website.api_id)
    assert found["ApiEndpoint"] == website.api_endpoint


def test_the_default_root_object_and_files_come_from_the_bucket_with_security_headers(website):
    status, headers, body = website.get("/")
    assert (status, body, headers["content-type"], headers["cache-control"]) == (
        200,
        b"home",
        "text/html",
        "max-age=60",
    )
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"] == "max-age=60; includeSubDomains"
    assert website.get("/a%20b.css?v=1")[2] == b"css"


def test_a_page_that_is_not_there_is_the_error_page_with_404(website):
    status, headers, body = website.get("/nothing.html")
    assert (status, body, headers["x-content-type-options"]) == (404, b"lost", "nosniff")


def test_a_bucket_that_cloudfront_may_list_says_404_of_what_is_missing(website):
    s3 = website.emulator.client("s3")
    before = s3.get_bucket_policy(Bucket="acme-local-site")["Policy"]
    policy = json.loads(before)
    *_, reads = policy["Statement"]
    lists = {**reads, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::acme-local-site"}
    foreign = {"StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/EOTHER"}}
    for statement, expected in (({**lists, "Condition": foreign}, b"lost"), (lists, b"NoSuchKey")):
        policy["Statement"] = [*policy["Statement"][:3], statement]
        s3.put_bucket_policy(Bucket="acme-local-site", Policy=json.dumps(policy))
        status, _, body = website.get("/nothing.html")
        assert (status, expected in body) == (404, True)
        assert website.get("/")[2] == b"home"
    s3.put_bucket_policy(Bucket="acme-local-site", Policy=before)


def test_the_api_behind_the_website_sees_the_request_as_on_aws(website):
    sent = json.dumps({"length": 91, "name": "é"}).encode()
    status, headers, body = website.get(
        "/api/predict?a=1&a=2&b=%20x", method="POST", body=sent, **{"Content-Type": "application/json", "X-Own": "1"}
    )
    event = json.loads(body)
    assert status == 201
    assert headers["x-frame-options"] == "DENY"
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /api/predict"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/api/predict"
    assert event["rawQueryString"] == "a=1&a=2&b=%20x"
    assert event["queryStringParameters"] == {"a": "1,2", "b": " x"}
    assert (event["body"], event["isBase64Encoded"]) == (sent.decode(), False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["stage"] == "$default"
    assert event["requestContext"]["accountId"] == ACCOUNT
    assert event["requestContext"]["domainName"] == website.api_endpoint.removeprefix("https://")
    assert event["headers"]["host"] == website.api_endpoint.removeprefix("https://")
    assert (event["headers"]["x-own"], event["headers"]["x-forwarded-proto"]) == ("1", "https")
    assert "pathParameters" not in event


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_any_method_reaches_the_route(website, method):
    status, _, body = website.get("/api/predict", method=method)
    assert status == 201
    assert method == "HEAD" or json.loads(body)["requestContext"]["http"]["method"] == method


def test_the_default_route_takes_the_rest(website):
    assert json.loads(website.get("/api/other/deep")[2])["routeKey"] == "$default"


def test_a_throwing_function_is_a_500_that_tells_nothing(website):
    status, _, body = website.get("/api/throw")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_a_403_of_the_api_becomes_the_error_page_as_on_aws(website):
    assert website.get("/api/forbidden")[::2] == (404, b"lost")


@pytest.mark.parametrize(
    "path", ["/health", "/_ministack/health", "/_aws/execute-api/x", "/login", "/iceberg/v1", "/v2/email"]
)
def test_paths_of_the_emulator_belong_to_the_website_on_its_own_address(website, path):
    assert website.get(path)[::2] == (404, b"lost")


def test_a_visitor_cannot_reach_the_emulators_administration(website):
    assert website.get("/_ministack/reset", method="POST", body=b"")[0] == 403
    assert website.get("/")[2] == b"home"


def test_cookies_and_headers_come_through(website):
    _, headers, _ = website.get("/api/cookies")
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers["x-mine"] == "y"


def test_http_is_redirected_and_unknown_methods_and_distributions_are_refused(website):
    status, headers, _ = website.get("/index.html", **{"X-Forwarded-Proto": "http"})
    assert (status, headers["location"]) == (301, f"https://{website.domain}/index.html")
    assert website.get("/index.html", method="DELETE")[0] == 403
    status, _, body = website.get("/_ministack/health", host="d0000000000000.cloudfront.net")
    assert status == 403
    assert b"This distribution does not exist." in body


@pytest.mark.parametrize("kind", ["path", "host"])
def test_the_api_answers_directly_too(website, kind):
    if kind == "path":
        host, prefix = f"127.0.0.1:{website.emulator.port}", f"/_aws/execute-api/{website.api_id}/$default"
    else:
        host, prefix = website.api_endpoint.removeprefix("https://"), ""
    status, _, body = website.get(f"{prefix}/api/predict?x=1", host=host)
    event = json.loads(body)
    assert status == 201
    assert (event["rawPath"], event["routeKey"], event["rawQueryString"]) == ("/api/predict", "ANY /api/predict", "x=1")


@pytest.mark.parametrize("through", ["cloudfront", "path", "host"])
@pytest.mark.parametrize(("path", "route"), [("/api/predict", "ANY /api/predict"), ("/api/other", "$default")])
def test_options_reaches_the_function_of_an_api_without_cors(website, through, path, route):
    host, prefix = {
        "cloudfront": (website.domain, ""),
        "path": (f"127.0.0.1:{website.emulator.port}", f"/_aws/execute-api/{website.api_id}/$default"),
        "host": (website.api_endpoint.removeprefix("https://"), ""),
    }[through]
    asked = {"Origin": "http://127.0.0.1:8080", "Access-Control-Request-Method": "POST"}
    status, _, body = website.get(prefix + path, method="OPTIONS", host=host, **asked)
    event = json.loads(body)
    assert status == 201
    assert (event["routeKey"], event["requestContext"]["http"]["method"]) == (route, "OPTIONS")


def test_cors_and_routes_of_options_work_as_on_aws(website):
    gateway = website.emulator.client("apigatewayv2")
    target = gateway.get_routes(ApiId=website.api_id)["Items"][0]["Target"]
    own = gateway.create_route(ApiId=website.api_id, RouteKey="OPTIONS /api/own", Target=target)["RouteId"]
    host = website.api_endpoint.removeprefix("https://")
    assert json.loads(website.get("/api/own", method="OPTIONS", host=host)[2])["routeKey"] == "OPTIONS /api/own"
    gateway.delete_route(ApiId=website.api_id, RouteId=own)
    cors = gateway.create_api(
        Name="cors",
        ProtocolType="HTTP",
        CorsConfiguration={"AllowOrigins": ["http://127.0.0.1:8080"], "AllowMethods": ["GET"]},
    )
    host = cors["ApiEndpoint"].removeprefix("https://")
    status, headers, _ = website.get("/x", method="OPTIONS", host=host, Origin="http://127.0.0.1:8080")
    assert (status, headers["access-control-allow-origin"]) == (204, "http://127.0.0.1:8080")
    bare = gateway.create_api(Name="bare", ProtocolType="HTTP")
    gateway.create_stage(ApiId=bare["ApiId"], StageName="$default", AutoDeploy=True)
    status, _, body = website.get("/x", method="OPTIONS", host=bare["ApiEndpoint"].removeprefix("https://"))
    assert (status, json.loads(body)) == (404, {"message": "Not Found"})
    for each in (cors, bare):
        gateway.delete_api(ApiId=each["ApiId"])


def test_the_website_and_the_api_need_no_signature_and_let_in_links(website):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert website.get("/", **link)[2] == b"home"
    api = f"/_aws/execute-api/{website.api_id}/$default/api/predict"
    here = f"127.0.0.1:{website.emulator.port}"
    page = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
    assert website.get(api, method="POST", body=b"{}", host=here, **page)[0] == 201
    assert website.get("/api/predict", method="POST", body=b"{}", Origin="https://evil.example")[0] == 403


def test_large_requests_have_the_limits_of_aws(website):
    text = {"Content-Type": "text/plain"}
    assert website.get("/api/predict", method="POST", body=b"x" * (5 << 20), **text)[0] == 201
    status, _, body = website.get("/api/predict", method="POST", body=b"x" * (11 << 20), **text)
    assert (status, json.loads(body)) == (413, {"message": "Request Entity Too Large"})


def test_the_website_is_there_after_a_restart(website):
    website.emulator.save()
    website.emulator.kill()
    website.emulator.start()
    assert website.get("/")[2] == b"home"
    assert website.get("/api/predict")[0] == 201
    assert website.get("/nothing.html")[::2] == (404, b"lost")
