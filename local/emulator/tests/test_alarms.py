"""An alarm goes off for its own metric's own dimensions, and time clears it."""

import datetime
import time

import pytest
from conftest import eventually

ALARM = {
    "Namespace": "AWS/SageMaker",
    "MetricName": "Invocation5XXErrors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


class Alarms:
    """Alarms of one endpoint a test, so that no test sees another's points."""

    def __init__(self, client, endpoint: str) -> None:
        self.client = client
        self.endpoint = endpoint

    def make(self, name: str, of: dict[str, str] | None = None, **options) -> None:
        own = dimensions(EndpointName=self.endpoint, **(of or {}))
        self.client.put_metric_alarm(AlarmName=f"{self.endpoint}-{name}", Dimensions=own, **{**ALARM, **options})

    def put(self, *values: float, of: dict[str, str] | None = None, minutes_ago: float = 0) -> None:
        when = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes_ago)
        own = dimensions(EndpointName=self.endpoint, **(of or {}))
        data = {"MetricName": ALARM["MetricName"], "Dimensions": own, "Timestamp": when, "Values": list(values)}
        self.client.put_metric_data(Namespace=ALARM["Namespace"], MetricData=[data])

    def state(self, name: str) -> str:
        (alarm,) = self.client.describe_alarms(AlarmNames=[f"{self.endpoint}-{name}"])["MetricAlarms"]
        return alarm["StateValue"]


def early_in(period: float) -> None:
    """Waits for the end of a period of so many seconds where it is near: what is put and judged then lies in one."""
    while time.time() % period > period - min(5, period / 2):
        time.sleep(0.05)


@pytest.fixture
def alarms(emulator, request) -> Alarms:
    early_in(ALARM["Period"])
    return Alarms(emulator.client("cloudwatch"), request.node.name.replace("_", "-"))


def test_other_dimensions_don_t_count(alarms):
    alarms.make("old", {"EndpointConfigName": "old"})
    alarms.make("new", {"EndpointConfigName": "new"})
    alarms.make("both")
    alarms.put(1, of={"EndpointConfigName": "new"})
    assert (alarms.state("old"), alarms.state("new"), alarms.state("both")) == ("OK", "ALARM", "OK")


def test_so_many_periods_must_be_above(alarms):
    alarms.make("three-of-five", EvaluationPeriods=5, DatapointsToAlarm=3)
    for minutes in (1, 2):
        alarms.put(1, 1, 1, minutes_ago=minutes)
    assert alarms.state("three-of-five") == "OK"
    alarms.put(1, minutes_ago=3)
    assert alarms.state("three-of-five") == "ALARM"


def test_what_was_put_before_the_alarms_periods_counts_no_more(alarms):
    alarms.make("errors")
    alarms.put(1, minutes_ago=2)
    assert alarms.state("errors") == "OK"


def test_missing_data_is_what_the_alarm_says_it_is(alarms):
    expected = {"breaching": "ALARM", "notBreaching": "OK", "missing": "INSUFFICIENT_DATA"}
    for treatment in expected:
        alarms.make(treatment, TreatMissingData=treatment)
    assert {treatment: alarms.state(treatment) for treatment in expected} == expected


def test_time_clears_it_and_an_alarm_that_ignores_missing_data_stays(alarms):
    short = {"Period": 5}
    alarms.make("clears", **short)
    alarms.make("stays", TreatMissingData="ignore", **short)
    early_in(short["Period"])
    alarms.put(1)
    assert (alarms.state("clears"), alarms.state("stays")) == ("ALARM", "ALARM")
    eventually(lambda: alarms.state("clears") == "OK")
    assert alarms.state("stays") == "ALARM"


def test_a_percentile_is_judged_period_by_period(alarms):
    latency = {"MetricName": ALARM["MetricName"], "Threshold": 100.0, "ExtendedStatistic": "p99"}
    options = {name: value for name, value in {**ALARM, **latency}.items() if name != "Statistic"}
    own = dimensions(EndpointName=alarms.endpoint)
    alarms.client.put_metric_alarm(AlarmName=f"{alarms.endpoint}-slow", Dimensions=own, **options)
    alarms.put(*[10.0] * 140)
    assert alarms.state("slow") == "OK"
    alarms.put(*[500.0] * 10)
    assert alarms.state("slow") == "ALARM"


def test_what_somebody_has_set_stays_for_a_period(alarms):
    alarms.make("set")
    alarms.client.set_alarm_state(
        AlarmName=f"{alarms.endpoint}-set", StateValue="ALARM", StateReason="somebody tries it"
    )
    alarms.put(1, of={"EndpointConfigName": "other"})
    assert alarms.state("set") == "ALARM"
