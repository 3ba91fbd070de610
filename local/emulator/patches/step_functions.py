"""Patches of Step Functions: SageMaker's `.sync` tasks, stopping, time limits, and what its JSONata lacks.

What is changed, and why:

- `arn:aws:states:::sagemaker:<action>[.sync]` is unknown to ministack: it is added to its table of integrations.
- A stopped execution went on: its thread slept through retries, called the next task and could end as FAILED.
- A state machine's `TimeoutSeconds` was ignored; an execution now ends as TIMED_OUT, and its SageMaker job is stopped.
- `Retry` ignored `MaxDelaySeconds` and `JitterStrategy`.
- JSONata's `Output` of a Succeed state and of a Choice's default were ignored.
- What a task does is judged by the state machine's role: a function's call, and for a SageMaker job what `.sync` needs
  too ("Integrate SageMaker AI with Step Functions", Step Functions Developer Guide). A task whose rights are not known
  here is refused.
"""

import contextlib
import contextvars
import json
import random
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patches.authorization import Right, judge_as_role
from patches.compatibility import require
from patches.sagemaker_authorization import rights
from patches.service_principals import trusts_service

#: The execution on whose thread (or branch's thread) we are.
_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)
#: Set once the running task's own TimeoutSeconds has passed.
_abandoned: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("abandoned", default=None)

#: Between two looks at a job: each is a few milliseconds of this machine, and the next task waits for it.
_POLL_SECONDS = 0.2
_SLOWEST_RETRY_SECONDS = 2.0
#: For how long a SageMaker service that does not answer is asked again before the task fails.
SERVICE_GONE_SECONDS = 60.0
_STARTED_BY_STEP_FUNCTIONS = {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}


class ExecutionStopped(SystemExit):
    """Ends an execution's thread. Being no `Exception`, no Retry or Catch of ministack's interpreter takes it."""


@dataclass(frozen=True)
class Job:
    """How one kind of SageMaker job is followed: names as in the API."""

    kind: str

    @property
    def name(self) -> str:
        """The member that names the job."""
        return f"{self.kind}Name"

    @property
    def status(self) -> str:
        """The member that tells how the job is doing."""
        return f"{self.kind}Status"


#: Optimised integrations that Step Functions has, by the action's name in the resource ARN; a job can be waited for.
ACTIONS: dict[str, Job | None] = {
    "createProcessingJob": Job("ProcessingJob"),
    "createTrainingJob": Job("TrainingJob"),
    "createTransformJob": Job("TransformJob"),
    "createHyperParameterTuningJob": Job("HyperParameterTuningJob"),
    "createModel": None,
    "createEndpointConfig": None,
    "createEndpoint": None,
    "updateEndpoint": None,
}

#: SageMaker's modelled errors, as the SDK behind Step Functions names them; all others are its general exception.
_MODELLED_ERRORS = {
    "ResourceInUse": "ResourceInUseException",
    "ResourceLimitExceeded": "ResourceLimitExceededException",
    "ResourceNotFound": "ResourceNotFoundException",
    "ConflictException": "ConflictException",
}


class SageMakerError(Exception):
    """SageMaker answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def state_error(self) -> str:
        """The name under which a Retry or Catch finds it."""
        return f"SageMaker.{_MODELLED_ERRORS.get(self.code, 'AmazonSageMakerException')}"

    @property
    def cause(self) -> str:
        """The cause as Step Functions words it."""
        return f"{self.message} (Service: AmazonSageMaker; Status Code: {self.status}; Error Code: {self.code})"


class SageMakerClient:
    """The few SageMaker calls that a task makes, blocking: each execution has a thread of its own."""

    def __init__(self, url: str, account: str, region: str) -> None:
        self._url = url
        self._authorization = (
            f"AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/sagemaker/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=local"
        )
        # The emulator's environment has no proxy, and a loopback address must not meet one.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Calls one operation.

        Raises:
            SageMakerError: SageMaker refused.
            OSError: the service cannot be reached.
        """
        message = urllib.request.Request(  # noqa: S310 - the address is checked to be http on loopback
            self._url,
            data=json.dumps(request).encode(),
            method="POST",
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"SageMaker.{operation}",
                "Authorization": self._authorization,
                "Connection": "close",
            },
        )
        try:
            with self._opener.open(message, timeout=60) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                content = json.loads(text)
            except ValueError:
                content = {}
            code = str(content.get("__type") or content.get("code") or "InternalFailure").rpartition("#")[2]
            reason = content.get("message") or content.get("Message") or text.decode("utf-8", "replace")
            raise SageMakerError(error.code, code, reason) from None

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a resource; none if there is no such resource, or the service doesn't answer."""
        try:
            return {tag["Key"]: tag["Value"] for tag in self.call("ListTags", {"ResourceArn": arn}).get("Tags", [])}
        except (SageMakerError, OSError, ValueError):
            return {}

    def call_patiently(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Calls an operation, again and again while the service is gone or not well, for a bounded time.

        Raises:
            SageMakerError: SageMaker refused, throttled, or stayed away for SERVICE_GONE_SECONDS.
        """
        deadline = time.monotonic() + SERVICE_GONE_SECONDS
        pause = 0.25
        while True:
            try:
                return self.call(operation, request)
            except SageMakerError as error:
                if error.status < 500 or time.monotonic() > deadline:
                    raise
            except (OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise SageMakerError(
                        503,
                        "ServiceUnavailable",
                        f"The SageMaker service at {self._url} did not answer for {SERVICE_GONE_SECONDS:.0f} seconds "
                        f"({error}). Run `make up` to start it again.",
                    ) from error
            pause_unless_stopped(pause)
            pause = min(pause * 1.5, _SLOWEST_RETRY_SECONDS)


def pause_unless_stopped(seconds: float) -> None:
    """Sleeps, and ends the thread as soon as its execution is no longer running.

    Raises:
        ExecutionStopped: the execution was stopped or timed out, or the task's time is over.
    """
    end = time.monotonic() + seconds
    while True:
        raise_if_stopped()
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.2))


def raise_if_stopped() -> None:
    """Ends the thread if its execution is no longer running.

    Raises:
        ExecutionStopped: the execution was stopped or timed out, or the task's time is over.
    """
    execution = _execution.get()
    abandoned = _abandoned.get()
    if (execution is not None and execution["status"] != "RUNNING") or (abandoned is not None and abandoned.is_set()):
        raise ExecutionStopped


def state_value(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A described job as a state's result: times are milliseconds since 1970, as Step Functions gives them."""
    if isinstance(value, dict):
        return {
            key: round(item * 1000)
            if (key.endswith("Time") or key == "Timestamp")
            and isinstance(item, (int, float))
            and not isinstance(item, bool)
            else state_value(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [state_value(item) for item in value]
    return value


def _install_sagemaker_tasks(states: Any, client: SageMakerClient) -> None:  # noqa: ANN401 - a module
    """Adds SageMaker's actions to the table of integrations, from which ministack serves `Task` states."""
    execution_error = require(states, "_ExecutionError")

    def run(resource: str, arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        action, _, pattern = resource.rpartition(":sagemaker:")[2].partition(".")
        job = ACTIONS.get(action)
        if action not in ACTIONS or pattern not in ("", "sync") or (pattern == "sync" and job is None):
            raise execution_error(
                "States.Runtime",
                f"The resource {resource} does not exist: expected one of "
                + ", ".join(f"{name}[.sync]" if kind else name for name, kind in ACTIONS.items())
                + ".",
            )
        if not isinstance(arguments, dict):
            raise execution_error(
                "States.Runtime", f"The arguments of {resource} are {arguments!r}: expected an object."
            )
        raise_if_stopped()
        operation, request = sagemaker_request(action, arguments, waits=pattern == "sync")
        try:
            created = client.call_patiently(operation, request)
            return created if pattern == "" or job is None else follow(job, request[job.name])
        except SageMakerError as error:
            raise execution_error(error.state_error, error.cause) from error

    def follow(job: Job, name: str) -> dict[str, Any]:
        _judge_job(states, f"Describe{job.kind}", job, name)
        try:
            while True:
                description = client.call_patiently(f"Describe{job.kind}", {job.name: name})
                status = description.get(job.status)
                if status == "Completed":
                    return state_value(description)
                if status in ("Failed", "Stopped"):
                    raise execution_error(
                        "States.TaskFailed", json.dumps(state_value(description), separators=(",", ":"))
                    )
                pause_unless_stopped(_POLL_SECONDS)
        except ExecutionStopped:
            # Best effort, as on AWS: the job may have ended in the meantime.
            with contextlib.suppress(SageMakerError, OSError, ValueError, execution_error):
                _judge_job(states, f"Stop{job.kind}", job, name)
                client.call(f"Stop{job.kind}", {job.name: name})
            raise

    require(states, "_SERVICE_DISPATCH")["arn:aws:states:::sagemaker:"] = run
    require(states, "_AWS_SDK_SERVICE_MAP")["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    require(states, "_AWS_SDK_ERROR_PREFIX")["sagemaker"] = "SageMaker"


def sagemaker_request(action: str, arguments: Mapping[str, Any], *, waits: bool) -> tuple[str, dict[str, Any]]:
    """The operation of SageMaker that a task calls, and its request: with a tag of its own where the task waits."""
    tags = {"Tags": [*arguments.get("Tags", []), _STARTED_BY_STEP_FUNCTIONS]} if waits else {}
    return action[0].upper() + action[1:], {**arguments, **tags}


def task_rights(resource: str, arguments: Any, region: str, account: str) -> list[Right]:  # noqa: ANN401 - any JSON
    """The rights that a task needs before it does anything.

    Args:
        resource: of the `Task` state, such as `arn:aws:states:::lambda:invoke`.
        arguments: of the state, evaluated.
        region: of the state machine.
        account: of the state machine.

    Raises:
        LookupError: this kind of task is not known here.
    """
    members = arguments if isinstance(arguments, dict) else {}
    if ":function:" in resource or "states:::lambda:invoke" in resource:
        function = str(resource if ":function:" in resource else members.get("FunctionName", ""))
        scope = f"arn:aws:lambda:{region}:{account}:function:"
        return [Right("lambda", "lambda:InvokeFunction", scope + function.rpartition(":function:")[2], {})]
    match = re.fullmatch(r"arn:[^:]+:states:::(aws-sdk:)?sagemaker:(\w+?)(\.sync)?", resource)
    if match is None:
        raise LookupError(resource)
    waits = match[3] is not None
    operation, request = sagemaker_request(match[2], members, waits=waits)
    needed = list(rights(operation, request, region, account))
    if waits:
        rule = f"arn:aws:events:{region}:{account}:rule/StepFunctionsGetEventsForSageMaker{operation[6:]}sRule"
        needed += [Right("events", f"events:{verb}", rule, {}) for verb in ("PutTargets", "PutRule", "DescribeRule")]
    return needed


def _install_judgement(states: Any) -> None:  # noqa: ANN401 - a module
    """Judges tasks by the role of their state machine."""
    invoke_resource = require(states, "_invoke_resource", ("resource", "input_data"))
    invoke_with_callback = require(states, "_invoke_with_callback", ("resource", "input_data", "token", "state_def"))
    execution_error = require(states, "_ExecutionError")

    def judge(resource: str, arguments: Any) -> None:  # noqa: ANN401 - any JSON
        if ":activity:" in resource:
            return
        try:
            needed = task_rights(resource, arguments, states.get_region(), states.get_account_id())
        except LookupError:
            raise execution_error(
                "States.Runtime",
                f"The rights that {resource} needs are not known here: add them to `task_rights` in "
                "local/emulator/patches/step_functions.py, from the Step Functions Developer Guide.",
            ) from None
        for right in needed:
            _judge(states, right)

    def invoke(resource: str, input_data: Any) -> Any:  # noqa: ANN401 - any JSON
        judge(resource, input_data)
        return invoke_resource(resource, input_data)

    def invoke_and_wait(resource: str, input_data: Any, token: str, state_def: dict[str, Any]) -> Any:  # noqa: ANN401
        judge(resource.replace(".waitForTaskToken", ""), input_data)
        return invoke_with_callback(resource, input_data, token, state_def)

    states._invoke_resource = invoke
    states._invoke_with_callback = invoke_and_wait


def _judge(states: Any, right: Right) -> None:  # noqa: ANN401 - a module
    """Fails the running task, with the error that its service would give, if the state machine's role lacks a right."""
    execution = _execution.get()
    machine = states._state_machines.get(execution["stateMachineArn"]) if execution else None
    if machine is None:
        return
    role = machine["roleArn"]
    if not trusts_service(role, "states.amazonaws.com"):
        raise states._ExecutionError(
            "States.Runtime",
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
            f"the provided role {role}.",
        )
    refused = judge_as_role(role, execution["name"], right, states.get_region())
    if refused is None:
        return
    if right.service == "lambda":
        cause = f"{refused} (Service: AWSLambda; Status Code: 403; Error Code: AccessDeniedException)"
        raise states._ExecutionError("Lambda.AWSLambdaException", cause)
    error = SageMakerError(400, "AccessDeniedException", refused)
    raise states._ExecutionError(error.state_error, error.cause)


def _judge_job(states: Any, operation: str, job: Job, name: str) -> None:  # noqa: ANN401 - a module
    for right in rights(operation, {job.name: name}, states.get_region(), states.get_account_id()):
        _judge(states, right)


def _install_stopping(states: Any) -> None:  # noqa: ANN401 - a module
    """Makes a stopped or timed-out execution end at once, and stay what it is."""
    run_execution = require(states, "_run_execution", ("exec_arn",))
    fail_execution = require(states, "_fail_execution", ("execution", "error", "cause"))
    invoke_resource = require(states, "_invoke_resource", ("resource", "input_data"))
    invoke_with_timeout = require(states, "_invoke_resource_with_timeout", ("resource", "input_data", "timeout"))
    add_event = require(states, "_add_event", ("execution", "event_type", "details"))
    emit_status = require(states, "_emit_execution_status_event", ("execution",))
    require(states, "_scaled_sleep", ("seconds",))
    require(states, "_SFN_WAIT_SCALE")

    def time_out(execution: dict[str, Any]) -> None:
        if execution["status"] != "RUNNING":
            return
        execution["status"] = "TIMED_OUT"
        execution["stopDate"] = states.now_iso()
        execution["error"] = "States.Timeout"
        add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
        emit_status(execution)

    def run(exec_arn: str) -> None:
        execution = states._executions.get(exec_arn)
        timer = None
        if execution is not None:
            _execution.set(execution)
            machine = states._state_machines.get(execution["stateMachineArn"]) or {}
            with contextlib.suppress(ValueError):
                limit = json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
                if isinstance(limit, (int, float)):
                    # The timer's thread needs the account and the region that the execution is stored under.
                    timer = threading.Timer(limit, contextvars.copy_context().run, (time_out, execution))
                    timer.daemon = True
                    timer.start()
        try:
            run_execution(exec_arn)
        finally:
            if timer is not None:
                timer.cancel()

    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail_execution(execution, error, cause)

    def invoke(resource: str, input_data: Any) -> Any:  # noqa: ANN401 - any JSON
        raise_if_stopped()
        return invoke_resource(resource, input_data)

    def invoke_for(resource: str, input_data: Any, timeout: float) -> Any:  # noqa: ANN401 - any JSON
        abandoned = threading.Event()
        token = _abandoned.set(abandoned)
        try:
            return invoke_with_timeout(resource, input_data, timeout)
        except states._ExecutionError as error:
            if error.error == "States.Timeout":
                abandoned.set()
            raise
        finally:
            _abandoned.reset(token)

    states._run_execution = run
    states._fail_execution = fail
    states._invoke_resource = invoke
    states._invoke_resource_with_timeout = invoke_for
    states._scaled_sleep = lambda seconds: pause_unless_stopped(seconds * states._SFN_WAIT_SCALE)


def _install_retry_delays(states: Any) -> None:  # noqa: ANN401 - a module
    """Makes `Retry` keep to MaxDelaySeconds and JitterStrategy.

    ministack computes `IntervalSeconds * BackoffRate ** attempt` from the retrier that this function returns, so the
    delay is worked out here and handed over as an interval without backoff.
    """
    find = require(states, "_find_matching_retrier", ("retriers", "error", "retry_counts"))

    def find_with_delay(retriers: list[dict[str, Any]], error: str, retry_counts: dict[int, int]) -> tuple:
        retrier, index = find(retriers, error, retry_counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)  # noqa: S311 - it spreads retries, it guards nothing
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1.0}, index

    states._find_matching_retrier = find_with_delay


def _install_jsonata_outputs(states: Any) -> None:  # noqa: ANN401 - a module
    """Makes `Output` of a JSONata Succeed state, and of a Choice that falls to its default, count."""
    output_path = require(states, "_apply_output_path", ("state_def", "data", "ctx"))
    choice = require(states, "_execute_choice", ("state_def", "raw_input", "ctx"))
    rule_holds = require(states, "_evaluate_jsonata_choice_rule", ("rule", "raw_input", "ctx"))
    query_language = require(states, "_state_query_language", ("state_def", "ctx"))
    jsonata_output = require(
        states, "_apply_jsonata_output", ("state_def", "raw_input", "ctx", "result", "error_output", "default")
    )

    def apply_output_path(state_def: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        if state_def.get("Type") == "Succeed" and query_language(state_def, ctx) == "JSONata":
            return jsonata_output(state_def, data, ctx, default=data)
        return output_path(state_def, data, ctx)

    def execute_choice(state_def: dict[str, Any], raw_input: Any, ctx: dict[str, Any] | None = None) -> tuple:  # noqa: ANN401
        output, chosen = choice(state_def, raw_input, ctx)
        if (
            "Output" not in state_def
            or query_language(state_def, ctx) != "JSONata"
            or chosen != state_def.get("Default")
        ):
            return output, chosen
        if any(rule_holds(rule, raw_input, ctx) for rule in state_def.get("Choices", [])):
            return output, chosen
        return jsonata_output(state_def, raw_input, ctx, default=raw_input), chosen

    states._apply_output_path = apply_output_path
    states._execute_choice = execute_choice


def install(client: SageMakerClient) -> None:
    """Patches ministack's Step Functions."""
    from ministack.services import stepfunctions as states

    _install_sagemaker_tasks(states, client)
    _install_judgement(states)
    _install_stopping(states)
    _install_retry_delays(states)
    _install_jsonata_outputs(states)
