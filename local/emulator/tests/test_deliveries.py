"""What one service hands to another needs the receiver's policy, or the right of a function's role."""

import contextlib
import json
import time
import urllib.error
import urllib.request

import pytest
from conftest import ACCOUNT, EVERYTHING, REGION, Emulator, allow, eventually, policy_of, refusal

CODE = "exports.handler = async (event) => ({ statusCode: 200, body: 'called' });"


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> str:
    arn = emulator.function("called", CODE)
    emulator.client("lambda").get_waiter("function_active_v2").wait(FunctionName="called")
    return arn


@contextlib.contextmanager
def permission(emulator: Emulator, principal: str, source: str):
    functions = emulator.client("lambda")
    functions.add_permission(
        FunctionName="called",
        StatementId="one",
        Action="lambda:InvokeFunction",
        Principal=principal,
        SourceArn=source,
    )
    yield
    functions.remove_permission(FunctionName="called", StatementId="one")


def refused(emulator: Emulator, text: str) -> int:
    return emulator.log.read_text().count(text)


def test_an_api_calls_a_function_that_lets_its_route_do_so(emulator: Emulator, function: str):
    gateway = emulator.client("apigatewayv2")
    api = gateway.create_api(Name="called", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="GET /api/one", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    url = f"{emulator.url}/_aws/execute-api/{api}/$default/api/one"
    scope = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}"

    def status() -> int:
        try:
            return urllib.request.urlopen(url).status
        except urllib.error.HTTPError as error:
            return error.code

    assert status() == 500
    with permission(emulator, "apigateway.amazonaws.com", f"{scope}/*/*/api/one"):
        assert status() == 200
    with permission(emulator, "apigateway.amazonaws.com", f"{scope}/*/*/api/two"):
        assert status() == 500
    with permission(emulator, "events.amazonaws.com", f"{scope}/*/*/api/one"):
        assert status() == 500
    assert refused(emulator, f"apigateway.amazonaws.com was refused lambda:InvokeFunction on {function}") == 3


def test_a_rule_and_a_topic_call_a_function_that_lets_them(emulator: Emulator, function: str):
    events, topics = emulator.client("events"), emulator.client("sns")
    rule = events.put_rule(Name="called", EventPattern=json.dumps({"source": ["test"]}))["RuleArn"]
    events.put_targets(Rule="called", Targets=[{"Id": "one", "Arn": function}])
    topic = topics.create_topic(Name="called")["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)

    def tell() -> None:
        events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": "{}"}])
        topics.publish(TopicArn=topic, Message="m")

    def calls(service: str) -> int:
        return refused(emulator, f"{service}.amazonaws.com was refused lambda:InvokeFunction")

    tell()
    eventually(lambda: calls("events") == 1 and calls("sns") == 1)
    with permission(emulator, "events.amazonaws.com", rule):
        tell()
        eventually(lambda: calls("sns") == 2)
    with permission(emulator, "sns.amazonaws.com", topic):
        tell()
        eventually(lambda: calls("events") == 2)
    time.sleep(0.3)
    assert (calls("events"), calls("sns")) == (2, 2)


def test_an_alarm_and_a_rule_reach_a_topic_by_its_policy_and_a_rule_without_a_source(emulator: Emulator):
    topics, queues = emulator.client("sns"), emulator.client("sqs")
    alarms, events = emulator.client("cloudwatch"), emulator.client("events")
    topic = topics.create_topic(Name="told")["TopicArn"]
    queue = queues.create_queue(QueueName="told")["QueueUrl"]
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn}
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy_of(everyone)})
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    alarms.put_metric_alarm(
        AlarmName="told", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    )  # fmt: skip
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["told"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "one", "Arn": topic}])

    def told(*statements: dict) -> list[str]:
        """What reaches the topic under this policy."""
        topics.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy_of(*statements))
        alarms.set_alarm_state(AlarmName="told", StateValue="OK", StateReason="r")
        alarms.set_alarm_state(AlarmName="told", StateValue="ALARM", StateReason="r")
        events.put_events(Entries=[{"Source": "told", "DetailType": "t", "Detail": "{}"}])
        found = []
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for message in queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                content = json.loads(json.loads(message["Body"])["Message"])
                found.append("alarm" if "AlarmName" in content else "event")
        return sorted(found)

    def publish(service: str, **condition: object) -> dict:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": topic}
        return {**statement, **({"Condition": condition} if condition else {})}

    own = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert told(publish("cloudwatch.amazonaws.com", **own)) == ["alarm"]
    assert told(publish("events.amazonaws.com")) == ["event"]
    assert told(publish("events.amazonaws.com", **own)) == []

    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    service = {"Service": "cloudwatch.amazonaws.com"}
    uses = {"Effect": "Allow", "Principal": service, "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}
    keys = emulator.client("kms")
    for statements, expected in (([owner], []), ([owner, uses], ["alarm"])):
        key = keys.create_key(Policy=policy_of(*statements))["KeyMetadata"]["Arn"]
        topics.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
        assert told(publish("cloudwatch.amazonaws.com")) == expected


def test_a_function_reads_a_stream_with_its_roles_rights(emulator: Emulator, function: str):
    tables = emulator.client("dynamodb")
    stream = tables.create_table(
        TableName="read",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    verbs = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    create = emulator.client("lambda").create_event_source_mapping
    mapping = {"FunctionName": "called", "EventSourceArn": stream, "StartingPosition": "LATEST"}
    for missing in verbs:
        emulator.role(*(allow(f"dynamodb:{verb}", stream) for verb in verbs if verb != missing))
        assert refusal(create, **mapping) == "InvalidParameterValueException"
    emulator.role(*(allow(f"dynamodb:{verb}", stream) for verb in verbs))
    assert create(**mapping)["EventSourceArn"] == stream
    emulator.role(EVERYTHING)
