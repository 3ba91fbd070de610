"""Patch of CloudWatch's alarms: what releases of endpoints are rolled back by, and what wakes people.

What is changed, and why:

- An alarm was judged by every point of its metric, whatever the dimensions: the errors of one endpoint or function set
  off the alarms of all others. Now by the points of its own dimensions alone.
- It was judged over all its periods at once. Now period by period, so many of which must be above its threshold
  (`DatapointsToAlarm`), as `TreatMissingData` says of those without any point.
- Time never cleared it, only a later good point did. Now whoever asks for alarms learns what they are by now; what
  `SetAlarmState` has set stays for one period.

("Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data" in the CloudWatch User Guide.)
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from patches.compatibility import require

logger = logging.getLogger("emulator")

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def install() -> None:
    """Patches ministack's CloudWatch."""
    from ministack.services import cloudwatch

    original = require(cloudwatch, "_evaluate_alarm", ("alarm",))
    for name in ("_calc_stats", "_stat_value", "_dims_key", "_metrics", "_alarms", "_p"):
        require(cloudwatch, name)
    for name in ("_record_history", "_dispatch_alarm_actions", "_evaluate_parent_alarms"):
        require(cloudwatch, name)

    #: When somebody has set an alarm's state, by its ARN.
    set_at: dict[str, float] = {}
    set_state = require(cloudwatch, "_set_alarm_state", ("params", "cbor_data", "is_cbor", "is_json"))

    def set_alarm_state(
        params: dict[str, Any], cbor_data: dict[str, Any], is_cbor: bool, is_json: bool = False
    ) -> tuple:
        answer = set_state(params, cbor_data, is_cbor, is_json)
        alarm = cloudwatch._alarms.get(cbor_data.get("AlarmName") or cloudwatch._p(params, "AlarmName"))
        if answer[0] == 200 and alarm is not None:
            set_at[alarm["AlarmArn"]] = time.time()
        return answer

    def evaluate(alarm: dict[str, Any]) -> None:
        if time.time() - set_at.get(alarm["AlarmArn"], 0) < int(alarm.get("Period") or 60):
            return
        # Bands of anomalies are judged as ministack does.
        if not alarm.get("Namespace") or alarm.get("ComparisonOperator") not in _COMPARISONS:
            original(alarm)
            return
        state, reason = judge(alarm, time.time())
        change(alarm, state, reason)

    def judge(alarm: dict[str, Any], now: float) -> tuple[str | None, str]:
        """The state, None where it stays as it is, and the reason."""
        period = int(alarm.get("Period") or 60)
        periods = int(alarm.get("EvaluationPeriods") or 1)
        needed = int(alarm.get("DatapointsToAlarm") or periods)
        missing = alarm.get("TreatMissingData") or "missing"
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        operator, threshold = alarm["ComparisonOperator"], float(alarm.get("Threshold") or 0)
        breaches = _COMPARISONS[operator]
        values = datapoints(alarm, statistic, period, periods, now)
        known = [value for value in values if value is not None]
        above = [value for value in known if breaches(value, threshold)]
        count = len(above) + (len(values) - len(known) if missing == "breaching" else 0)
        if count >= needed:
            shown = ", ".join(str(value) for value in above) or "none at all"
            datapoint = f"{count} of {periods} datapoints ({statistic} {shown})"
            return "ALARM", f"Threshold Crossed: {datapoint} {operator} {threshold}"
        if known or missing == "notBreaching":
            return "OK", f"{count} of {periods} datapoints {operator} {threshold}, fewer than {needed}"
        if missing == "missing":
            return "INSUFFICIENT_DATA", f"No datapoint in {periods} periods of {period} seconds"
        return None, ""

    def datapoints(alarm: dict[str, Any], statistic: str, period: int, periods: int, now: float) -> list[float | None]:
        """The statistic of each of the last periods, the present one included; None where there was no point."""
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []}
        points = cloudwatch._metrics.get(
            (alarm["Namespace"], alarm.get("MetricName"), cloudwatch._dims_key(dimensions)), []
        )
        present = math.floor(now / period)
        found: list[float | None] = []
        for number in range(present - periods + 1, present + 1):
            own = [point for point in points if math.floor(point["Timestamp"] / period) == number]
            found.append(cloudwatch._stat_value(cloudwatch._calc_stats(own), statistic, own) if own else None)
        return found

    def change(alarm: dict[str, Any], state: str | None, reason: str) -> None:
        before = alarm["StateValue"]
        if state is None or state == before:
            return
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    def evaluate_all() -> None:
        for alarm in cloudwatch._alarms.values():
            try:
                evaluate(alarm)
            except Exception:  # one alarm that can't be judged must not hide the others
                logger.exception("The alarm %s can't be judged", alarm.get("AlarmName"))

    def judged_first(describe: Callable[..., tuple]) -> Callable[..., tuple]:
        def describe_judged(*arguments: Any) -> tuple:  # noqa: ANN401 - handed on as they come
            evaluate_all()
            return describe(*arguments)

        return describe_judged

    parameters = ("params", "cbor_data", "is_cbor", "is_json")
    for name in ("_describe_alarms", "_describe_alarms_for_metric"):
        setattr(cloudwatch, name, judged_first(require(cloudwatch, name, parameters)))
    cloudwatch._set_alarm_state = set_alarm_state
    cloudwatch._evaluate_alarm = evaluate
