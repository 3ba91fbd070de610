"""The state machine's own features that the ML workflow stands on, executed by the emulator."""

import json
import time

import pytest
from conftest import ACCOUNT, REGION, ROLE, Emulator, FakeSageMaker, allow, eventually, policy_of

TRAIN = "arn:aws:states:::sagemaker:createTrainingJob.sync"
PROCESS = "arn:aws:states:::sagemaker:createProcessingJob.sync"


@pytest.fixture(autouse=True)
def forget(shared_sagemaker: FakeSageMaker):
    shared_sagemaker.requests.clear()
    shared_sagemaker.answers.clear()


def statuses(kind: str, *following: str, **more):
    """A Describe answer that goes through the given statuses and stays at the last."""
    left = list(following)

    def answer(body: bytes):
        status = left.pop(0) if len(left) > 1 else left[0]
        return {**json.loads(body), f"{kind}Status": status, "CreationTime": 1700000000.25, **more}

    return answer


def task(resource: str, arguments: dict, **more) -> dict:
    return {
        "StartAt": "Only",
        "States": {"Only": {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **more}},
    }


def test_a_training_job_is_waited_for_and_its_description_is_the_result(emulator, shared_sagemaker):
    shared_sagemaker.answers["DescribeTrainingJob"] = statuses(
        "TrainingJob",
        "InProgress",
        "Completed",
        ModelArtifacts={"S3ModelArtifacts": "s3://b/model.tar.gz"},
        FinalMetricDataList=[{"MetricName": "validation:rmse", "Value": 2.05, "Timestamp": 1700000001.5}],
        TrainingTimeInSeconds=3,
    )
    arguments = {
        "TrainingJobName": "{% 'train-' & $states.context.Execution.Name %}",
        "Tags": [{"Key": "environment", "Value": "local"}],
    }
    arn = emulator.start_execution(task(TRAIN, arguments), name="first")
    done = emulator.finish(arn)
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"]) == {
        "TrainingJobName": "train-first",
        "TrainingJobStatus": "Completed",
        "CreationTime": 1700000000250,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "FinalMetricDataList": [{"MetricName": "validation:rmse", "Value": 2.05, "Timestamp": 1700000001500}],
        "TrainingTimeInSeconds": 3,
    }
    assert shared_sagemaker.calls("CreateTrainingJob") == [
        {
            "TrainingJobName": "train-first",
            "Tags": [
                {"Key": "environment", "Value": "local"},
                {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"},
            ],
        }
    ]


def test_a_failed_job_fails_the_state_with_its_description_as_cause(emulator, shared_sagemaker):
    shared_sagemaker.answers["DescribeProcessingJob"] = statuses(
        "ProcessingJob", "InProgress", "Failed", FailureReason="row 3: height", ExitMessage="row 3: height"
    )
    done = emulator.run(task(PROCESS, {"ProcessingJobName": "p"}))
    assert (done["status"], done["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(done["cause"])["FailureReason"] == "row 3: height"
    assert json.loads(done["cause"])["ProcessingJobStatus"] == "Failed"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("ValidationException", "SageMaker.AmazonSageMakerException"),
        ("ThrottlingException", "SageMaker.AmazonSageMakerException"),
        ("ResourceInUse", "SageMaker.ResourceInUseException"),
        ("ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        ("ResourceNotFound", "SageMaker.ResourceNotFoundException"),
    ],
)
def test_errors_of_creation_have_the_names_that_aws_gives_them(emulator, shared_sagemaker, code, name):
    shared_sagemaker.answers["CreateProcessingJob"] = (400, {"__type": code, "message": "because"})
    done = emulator.run(task(PROCESS, {"ProcessingJobName": "p"}))
    assert (done["status"], done["error"]) == ("FAILED", name)
    assert done["cause"].startswith("because (Service: AmazonSageMaker; Status Code: 400;")
    assert code in done["cause"]


def test_a_retried_task_sees_its_count_and_a_catch_by_name_sees_the_error(emulator, shared_sagemaker):
    shared_sagemaker.answers["CreateTrainingJob"] = (400, {"__type": "ThrottlingException", "message": "slow down"})
    definition = {
        "StartAt": "Train",
        "States": {
            "Train": {
                "Type": "Task",
                "Resource": TRAIN,
                "Arguments": {"TrainingJobName": "{% 'train-' & $string($states.context.State.RetryCount) %}"},
                "Retry": [
                    {
                        "ErrorEquals": ["SageMaker.AmazonSageMakerException"],
                        "IntervalSeconds": 1,
                        "MaxAttempts": 2,
                        "BackoffRate": 100,
                        "MaxDelaySeconds": 1,
                        "JitterStrategy": "FULL",
                    }
                ],
                "Catch": [
                    {"ErrorEquals": ["SageMaker.ResourceInUseException"], "Next": "Wrong"},
                    {
                        "ErrorEquals": ["SageMaker.AmazonSageMakerException"],
                        "Assign": {"reason": "{% $states.errorOutput.Cause %}"},
                        "Output": {"error": "{% $states.errorOutput.Error %}"},
                        "Next": "Caught",
                    },
                ],
                "End": True,
            },
            "Wrong": {"Type": "Fail", "Error": "Wrong"},
            "Caught": {
                "Type": "Fail",
                "Error": "{% $states.input.error & '!' %}",
                "Cause": "{% 'seen: ' & $reason %}",
            },
        },
    }
    done = emulator.run(definition)
    assert [call["TrainingJobName"] for call in shared_sagemaker.calls("CreateTrainingJob")] == [
        "train-0",
        "train-1",
        "train-2",
    ]
    assert done["error"] == "SageMaker.AmazonSageMakerException!"
    assert done["cause"].startswith("seen: slow down")


def test_stopping_an_execution_stops_its_job_and_it_stays_aborted(emulator, shared_sagemaker):
    shared_sagemaker.answers["DescribeTrainingJob"] = statuses("TrainingJob", "InProgress")
    arn = emulator.start_execution(
        task(TRAIN, {"TrainingJobName": "long"}, Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}])
    )
    eventually(lambda: "DescribeTrainingJob" in shared_sagemaker.operations())
    emulator.client("stepfunctions").stop_execution(executionArn=arn, error="Changed", cause="mind")
    eventually(lambda: shared_sagemaker.calls("StopTrainingJob") == [{"TrainingJobName": "long"}])
    time.sleep(1.5)
    assert emulator.execution(arn)["status"] == "ABORTED"
    assert shared_sagemaker.operations().count("CreateTrainingJob") == 1


def test_a_time_limit_of_the_machine_ends_the_execution_and_stops_its_job(emulator, shared_sagemaker):
    shared_sagemaker.answers["DescribeTrainingJob"] = statuses("TrainingJob", "InProgress")
    done = emulator.run({**task(TRAIN, {"TrainingJobName": "long"}), "TimeoutSeconds": 4})
    assert (done["status"], done["error"]) == ("TIMED_OUT", "States.Timeout")
    eventually(lambda: shared_sagemaker.calls("StopTrainingJob") == [{"TrainingJobName": "long"}])


def test_a_time_limit_of_the_task_is_caught_as_timeout_and_stops_its_job(emulator, shared_sagemaker):
    shared_sagemaker.answers["DescribeTrainingJob"] = statuses("TrainingJob", "InProgress")
    definition = task(
        TRAIN,
        {"TrainingJobName": "long"},
        TimeoutSeconds=4,
        Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Late"}],
    )
    definition["States"]["Late"] = {"Type": "Succeed", "Output": "late"}
    done = emulator.run(definition)
    assert (done["status"], done["output"]) == ("SUCCEEDED", '"late"')
    eventually(lambda: shared_sagemaker.calls("StopTrainingJob") == [{"TrainingJobName": "long"}])


def test_a_service_that_is_gone_for_a_while_fails_no_execution(make_emulator):
    first = FakeSageMaker()
    port = first.server_port
    first.answers["DescribeTrainingJob"] = statuses("TrainingJob", "InProgress")
    emulator = make_emulator(first.url).start()
    arn = emulator.start_execution(task(TRAIN, {"TrainingJobName": "t"}))
    eventually(lambda: "DescribeTrainingJob" in first.operations())
    first.close()
    time.sleep(2)
    assert emulator.execution(arn)["status"] == "RUNNING"
    second = FakeSageMaker(port)
    second.answers["DescribeTrainingJob"] = statuses("TrainingJob", "Completed")
    assert emulator.finish(arn)["status"] == "SUCCEEDED"
    assert "CreateTrainingJob" not in second.operations()
    second.close()


def test_an_integration_that_sagemaker_lacks_fails_with_the_list_of_those_it_has(emulator):
    done = emulator.run(task("arn:aws:states:::sagemaker:createTrainingJobs.sync", {}))
    assert (done["status"], done["error"]) == ("FAILED", "States.Runtime")
    assert "createTrainingJob[.sync]" in done["cause"]


def test_jsonata_context_choice_assign_and_the_output_of_end_states(emulator):
    definition = {
        "StartAt": "Begin",
        "States": {
            "Begin": {
                "Type": "Pass",
                "Assign": {
                    "id": "{% $states.context.Execution.Id %}",
                    "name": "{% $states.context.Execution.Name %}",
                    "started": "{% $toMillis($states.context.Execution.StartTime) > 0 %}",
                },
                "Output": {"rmse": "{% $states.input.rmse %}"},
                "Next": "GoodEnough",
            },
            "GoodEnough": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.rmse <= 2.3 %}", "Next": "Registered"}],
                "Default": "BelowThreshold",
                "Output": {"missed": "{% $states.input.rmse - 2 %}"},
            },
            "Registered": {
                "Type": "Succeed",
                "Output": {"outcome": "registered", "of": "{% [$id, $name, $started] %}"},
            },
            "BelowThreshold": {
                "Type": "Fail",
                "Error": "BelowQualityThreshold",
                "Cause": "{% 'missed by ' & $string($states.input.missed) %}",
            },
        },
    }
    arn = emulator.start_execution(definition, {"rmse": 2.0})
    assert json.loads(emulator.finish(arn)["output"]) == {
        "outcome": "registered",
        "of": [arn, arn.split(":")[-1], True],
    }
    done = emulator.run(definition, {"rmse": 3})
    assert (done["status"], done["error"], done["cause"]) == ("FAILED", "BelowQualityThreshold", "missed by 1")


def test_an_undefined_result_of_jsonata_is_an_error_that_can_be_caught(emulator):
    definition = task("arn:aws:states:::sagemaker:createModel", {"ModelName": "{% $states.input.missing.deeper %}"})
    definition["States"]["Only"]["Catch"] = [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Caught"}]
    definition["States"]["Caught"] = {"Type": "Succeed", "Output": "{% $states.input.Error %}"}
    done = emulator.run(definition)
    assert (done["status"], done["output"]) == ("SUCCEEDED", '"States.QueryEvaluationError"')


JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/abalone-1"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/acme-local-trained"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule"
SYNC_RIGHTS = [
    ("sagemaker:CreateTrainingJob", JOB),
    ("sagemaker:DescribeTrainingJob", JOB),
    ("sagemaker:AddTags", JOB),
    ("iam:PassRole", JOB_ROLE),
    ("events:PutRule", RULE),
    ("events:PutTargets", RULE),
    ("events:DescribeRule", RULE),
]


def run_as(emulator: Emulator, definition: dict, *statements: dict) -> dict:
    """Runs a state machine whose role has these statements only."""
    emulator.role(*(statements or [allow("s3:GetObject", "*")]))
    states = emulator.client("stepfunctions")
    name = f"judged-{time.monotonic_ns()}"
    machine = states.create_state_machine(
        name=name, definition=json.dumps({"QueryLanguage": "JSONata", **definition}), roleArn=ROLE
    )["stateMachineArn"]
    return emulator.finish(states.start_execution(stateMachineArn=machine)["executionArn"])


@pytest.fixture(scope="module")
def job_role(emulator: Emulator) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    emulator.client("iam").create_role(RoleName="acme-local-trained", AssumeRolePolicyDocument=policy_of(trust))
    return JOB_ROLE


@pytest.mark.parametrize("missing", [None, *(action for action, _ in SYNC_RIGHTS)])
def test_a_waited_for_job_needs_each_of_the_rights_that_aws_names(emulator, shared_sagemaker, job_role, missing):
    shared_sagemaker.answers["DescribeTrainingJob"] = statuses("TrainingJob", "Completed")
    statements = [allow(action, resource) for action, resource in SYNC_RIGHTS if action != missing]
    request = {"TrainingJobName": "abalone-1", "RoleArn": job_role}
    done = run_as(emulator, task(TRAIN, request), *statements)
    if missing is None:
        assert done["status"] == "SUCCEEDED"
        return
    assert done["error"] == "SageMaker.AmazonSageMakerException"
    assert f"{ROLE.rpartition('/')[2]}/" in done["cause"]
    assert f"is not authorized to perform: {missing} on resource: {dict(SYNC_RIGHTS)[missing]}" in done["cause"]


def test_a_function_is_called_only_with_the_right_to_invoke_it(emulator):
    function = emulator.function("judged", "exports.handler = async () => 1;")
    emulator.client("lambda").get_waiter("function_active_v2").wait(FunctionName="judged")
    for name in (function, "judged"):
        definition = task("arn:aws:states:::lambda:invoke", {"FunctionName": name})
        assert run_as(emulator, definition, allow("lambda:InvokeFunction", function))["status"] == "SUCCEEDED"
        done = run_as(emulator, definition, allow("lambda:InvokeFunction", f"{function}-of-others"))
        assert done["error"] == "Lambda.AWSLambdaException"
        assert f"is not authorized to perform: lambda:InvokeFunction on resource: {function}" in done["cause"]


def test_a_role_that_does_not_trust_step_functions_runs_nothing(emulator, job_role):
    states = emulator.client("stepfunctions")
    definition = {"QueryLanguage": "JSONata", **task(TRAIN, {"TrainingJobName": "a"})}
    machine = states.create_state_machine(name="untrusted", definition=json.dumps(definition), roleArn=job_role)
    done = emulator.finish(states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"])
    assert "states.amazonaws.com" in done["cause"]
    assert job_role in done["cause"]


def test_a_task_whose_rights_are_not_known_is_refused_with_the_place_to_add_them(emulator):
    done = run_as(emulator, task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "q", "MessageBody": "b"}))
    assert done["error"] == "States.Runtime"
    assert "sqs:sendMessage needs are not known here" in done["cause"]
    assert "step_functions.py" in done["cause"]
