"""What a service tells of a resource is what it was made with: otherwise Terraform would change it at every plan."""

import base64
import json
import urllib.request

from conftest import ACCOUNT, EVERYTHING, REGION

DEFINITION = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})


def test_a_state_machine_keeps_its_tracing(emulator):
    states = emulator.client("stepfunctions")
    role = emulator.role(EVERYTHING)

    def machine(name: str, **options) -> str:
        return states.create_state_machine(name=name, definition=DEFINITION, roleArn=role, **options)["stateMachineArn"]

    def tracing(arn: str) -> dict:
        return states.describe_state_machine(stateMachineArn=arn)["tracingConfiguration"]

    traced = machine("traced", tracingConfiguration={"enabled": True})
    assert tracing(traced) == {"enabled": True}
    states.update_state_machine(stateMachineArn=traced, definition=DEFINITION)
    assert tracing(traced) == {"enabled": True}
    states.update_state_machine(stateMachineArn=traced, tracingConfiguration={"enabled": False})
    assert tracing(traced) == {"enabled": False}
    assert tracing(machine("untraced")) == {"enabled": False}


def test_an_alarm_has_one_kind_of_statistic(emulator):
    cloudwatch = emulator.client("cloudwatch")
    alarm = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "ModelLatency",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(AlarmName="percentile", ExtendedStatistic="p99", **alarm)
    cloudwatch.put_metric_alarm(AlarmName="sum", Statistic="Sum", **alarm)
    percentile, total = cloudwatch.describe_alarms()["MetricAlarms"]
    assert (percentile.get("Statistic"), percentile["ExtendedStatistic"]) == (None, "p99")
    assert (total["Statistic"], total.get("ExtendedStatistic")) == ("Sum", None)


def test_a_headers_policy_tells_of_no_headers_that_it_neither_adds_nor_removes(emulator):
    cloudfront = emulator.client("cloudfront")
    security = {"ContentTypeOptions": {"Override": True}}
    removed = {"Quantity": 1, "Items": [{"Header": "Server"}]}
    added = {"Quantity": 1, "Items": [{"Header": "X-From", "Value": "the sea", "Override": True}]}

    def described(name: str, **parts) -> list[dict]:
        made = cloudfront.create_response_headers_policy(
            ResponseHeadersPolicyConfig={"Name": name, "SecurityHeadersConfig": security, **parts}
        )
        policy = made["ResponseHeadersPolicy"]
        configuration = cloudfront.get_response_headers_policy_config(Id=policy["Id"])["ResponseHeadersPolicyConfig"]
        whole = cloudfront.get_response_headers_policy(Id=policy["Id"])["ResponseHeadersPolicy"]
        return [
            each["ResponseHeadersPolicyConfig"] if "Id" in each else each for each in (policy, whole, configuration)
        ]

    for configuration in described("plain"):
        assert configuration["SecurityHeadersConfig"] == security
        assert configuration.keys().isdisjoint({"CustomHeadersConfig", "RemoveHeadersConfig"})
    for configuration in described("both", CustomHeadersConfig=added, RemoveHeadersConfig=removed):
        assert configuration["CustomHeadersConfig"] == added
        assert configuration["RemoveHeadersConfig"] == removed


def test_the_registrys_password_is_one_that_docker_clients_take_for_ecrs(emulator):
    (authorization,) = emulator.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(authorization["authorizationToken"]).decode().partition(":")
    assert (user, json.loads(base64.b64decode(password))["type"]) == ("AWS", "DATA_KEY")


def test_the_emulator_is_the_proxy_for_names_that_sdks_put_before_its_address(emulator):
    emulator.client("s3").create_bucket(
        Bucket="tagged", CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": [{"Key": "a", "Value": "b"}]}
    )

    def ask(host: str) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"http://{host}/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Atagged",
            headers={
                "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/s3/aws4_request, "
                "SignedHeaders=host, Signature=none",
                "X-Amz-Account-Id": ACCOUNT,
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": emulator.url}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    status, body = ask(f"{ACCOUNT}.127.0.0.1:{emulator.port}")
    assert (status, b"<Key>a</Key><Value>b</Value>" in body) == (200, True), body
    # It serves its own names and is a way to no other machine.
    status, body = ask("example.com")
    assert (status, b"is not served here" in body) == (403, True)
