"""The state machine's own features that the ML workflow stands on, executed by the emulator."""

import json
import time

import pytest
from conftest import FakeSageMaker, eventually

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
