"""Requests are judged on the resources, and with the condition keys, that AWS takes."""

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Roles, allow, eventually


@pytest.fixture(scope="module")
def client_of(emulator):
    """Makes a client that works as a role with one statement."""
    roles = Roles(emulator)

    def make(service: str, action: str, resource: str, **condition):
        return roles.client(service, roles.session(allow(action, resource, **condition)))

    return make


def refused(call, **arguments) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), error
        return True
    return False


def test_what_is_asked_of_a_query_is_judged_on_its_workgroup(emulator, client_of):
    athena = emulator.client("athena")
    athena.create_work_group(Name="judged")
    query = athena.start_query_execution(
        QueryString="SELECT 1", WorkGroup="judged", ResultConfiguration={"OutputLocation": "s3://judged-results/"}
    )["QueryExecutionId"]
    workgroup = f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup"
    own = client_of("athena", "athena:GetQuery*", f"{workgroup}/judged")
    other = client_of("athena", "athena:GetQuery*", f"{workgroup}/other")
    assert not refused(own.get_query_execution, QueryExecutionId=query)
    assert refused(other.get_query_execution, QueryExecutionId=query)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [("judged:*", True), ("judged:log-stream:*", True), ("judged", False), ("judged:log-stream:b", False)],
)
def test_logs_are_judged_on_their_streams(emulator, client_of, resource, allowed):
    with_group = emulator.client("logs")
    if not with_group.describe_log_groups(logGroupNamePrefix="judged")["logGroups"]:
        with_group.create_log_group(logGroupName="judged")
    logs = client_of("logs", "logs:*", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{resource}")
    stream = {"logGroupName": "judged", "logStreamName": f"a-{resource.replace(':', '-').replace('*', 'all')}"}
    assert refused(logs.create_log_stream, **stream) is not allowed
    if allowed:
        assert not refused(logs.put_log_events, **stream, logEvents=[{"timestamp": 0, "message": "a"}])
        assert not refused(logs.describe_log_streams, logGroupName="judged")


def test_the_tags_of_a_log_group_are_conditions_of_its_streams(emulator, client_of):
    emulator.client("logs").create_log_group(logGroupName="tagged", tags={"Team": "ml"})
    resource = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:tagged:*"
    for team, allowed in (("ml", True), ("web", False)):
        logs = client_of("logs", "logs:*", resource, StringEquals={"aws:ResourceTag/Team": team})
        assert refused(logs.create_log_stream, logGroupName="tagged", logStreamName=team) is not allowed


def test_metrics_are_judged_with_their_namespace(emulator, client_of):
    own = {"cloudwatch:namespace": ["acme", "acme/other"]}
    cloudwatch = client_of("cloudwatch", "cloudwatch:PutMetricData", "*", StringEquals=own)
    # A large request is compressed.
    data = [{"MetricName": f"metric-{number}", "Value": number} for number in range(500)]
    for metrics in (data[:1], data):
        assert not refused(cloudwatch.put_metric_data, Namespace="acme", MetricData=metrics)
        assert refused(cloudwatch.put_metric_data, Namespace="foreign", MetricData=metrics)


def test_alarms_are_judged_one_by_one(emulator, client_of):
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm"
    cloudwatch = client_of("cloudwatch", "cloudwatch:DescribeAlarms", f"{arn}:own-*")
    assert not refused(cloudwatch.describe_alarms, AlarmNames=["own-1", "own-2"])
    assert refused(cloudwatch.describe_alarms, AlarmNames=["own-1", "foreign"])
    assert refused(cloudwatch.describe_alarms)
    sentence = f"was refused cloudwatch:DescribeAlarms on {arn}:foreign: no statement allows it."
    eventually(lambda: sentence in emulator.log.read_text())
