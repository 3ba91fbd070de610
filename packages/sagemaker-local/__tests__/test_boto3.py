"""The SageMaker service as boto3 sees it: pagers, waiters, error classes. `SAGEMAKER_ENDPOINT_URL` is its address.

Run by boto3.test.ts, which starts the service and the AWS endpoint with its S3.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

IMAGE = os.environ["TEST_IMAGE"]
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/acme-test"
BUCKET = "acme-test-boto3"


def client(service: str) -> Any:
    """A client that leaves the checking of parameters to the service."""
    return boto3.client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL" if service == "s3" else "SAGEMAKER_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


s3 = client("s3")
sagemaker = client("sagemaker")
runtime = client("sagemaker-runtime")
records = client("sagemaker-featurestore-runtime")


@pytest.fixture(scope="session", autouse=True)
def bucket() -> None:
    """A bucket with one training row."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="train/data.csv", Body=b"M,91\n")


def until(check: Callable[[], Any]) -> Any:
    """Waits for a truthy answer."""
    deadline = time.monotonic() + 60
    while not (result := check()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return result


def start_training(name: str, **hyperparameters: str) -> None:
    """Starts the fixture's training job."""
    sagemaker.create_training_job(
        TrainingJobName=name,
        HyperParameters=hyperparameters,
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:rmse", "Regex": "train:rmse=([0-9.]+);"}],
        },
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/train/"}},
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/model"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )


def test_from_training_to_prediction() -> None:
    """A job, its package, a model of it, an endpoint: each step by boto3's own waiters."""
    start_training("boto3-train", factor="4")
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="boto3-train", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    job = sagemaker.describe_training_job(TrainingJobName="boto3-train")
    assert job["TrainingJobStatus"] == "Completed"
    assert job["FinalMetricDataList"][0]["MetricName"] == "train:rmse"
    assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(1.93)
    assert job["TrainingEndTime"] >= job["TrainingStartTime"] >= job["CreationTime"]

    sagemaker.create_model_package_group(ModelPackageGroupName="boto3")
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="boto3",
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    sagemaker.create_model(
        ModelName="boto3", Containers=[{"ModelPackageName": arn, "Environment": {"A": "b"}}], ExecutionRoleArn=ROLE
    )
    variant = {"VariantName": "AllTraffic", "ModelName": "boto3", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="boto3", ProductionVariants=[{**variant, "InstanceType": "ml.t2.medium"}]
    )
    sagemaker.create_endpoint(EndpointName="boto3", EndpointConfigName="boto3")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="boto3", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    answer = runtime.invoke_endpoint(
        EndpointName="boto3", ContentType="text/csv", Body=b"2.5", CustomAttributes="trace=7"
    )
    assert answer["Body"].read().startswith(b"10.0 ")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["CustomAttributes"] == "trace=7"

    with pytest.raises(runtime.exceptions.ModelError) as refused:
        runtime.invoke_endpoint(EndpointName="boto3", ContentType="text/csv", Body=b"abc")
    assert refused.value.response["OriginalStatusCode"] == 400
    assert "abc" in json.loads(refused.value.response["OriginalMessage"])["error"]

    sagemaker.delete_endpoint(EndpointName="boto3")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="boto3", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_a_failed_job_fails_its_waiter_with_the_reason() -> None:
    """Processing and training jobs end their waiters when they fail."""
    start_training("boto3-crash", mode="fail-with-reason")
    until(lambda: sagemaker.describe_training_job(TrainingJobName="boto3-crash")["TrainingJobStatus"] == "Failed")
    sagemaker.create_processing_job(
        ProcessingJobName="boto3-fail",
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["process", "--fail"]},
        RoleArn=ROLE,
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    with pytest.raises(WaiterError, match="Failed"):
        sagemaker.get_waiter("processing_job_completed_or_stopped").wait(
            ProcessingJobName="boto3-fail", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    assert sagemaker.describe_processing_job(ProcessingJobName="boto3-fail")["FailureReason"] == (
        "AlgorithmError: the query returned no rows, exit code: 3"
    )


def test_records_reach_the_online_store() -> None:
    """Put, get, batch get and delete."""
    sagemaker.create_feature_group(
        FeatureGroupName="boto3",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "Fractional"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    until(lambda: sagemaker.describe_feature_group(FeatureGroupName="boto3")["FeatureGroupStatus"] == "Created")
    arn = sagemaker.describe_feature_group(FeatureGroupName="boto3")["FeatureGroupArn"]
    # The name may be the ARN, whose slash is escaped in the path; values may hold anything.
    for name, identifier in (("boto3", "plain"), (arn, "a/b c&d=é?%")):
        record = [{"FeatureName": "id", "ValueAsString": identifier}, {"FeatureName": "at", "ValueAsString": "1.5"}]
        records.put_record(FeatureGroupName=name, Record=record)
        found = records.get_record(FeatureGroupName=name, RecordIdentifierValueAsString=identifier)
        assert found["Record"] == record
        only = records.get_record(
            FeatureGroupName=name, RecordIdentifierValueAsString=identifier, FeatureNames=["at", "id"]
        )
        assert len(only["Record"]) == 2
    batch = records.batch_get_record(
        Identifiers=[{"FeatureGroupName": "boto3", "RecordIdentifiersValueAsString": ["plain", "missing"]}]
    )
    assert [found["RecordIdentifierValueAsString"] for found in batch["Records"]] == ["plain"]
    records.delete_record(FeatureGroupName="boto3", RecordIdentifierValueAsString="plain", EventTime="2")
    assert "Record" not in records.get_record(FeatureGroupName="boto3", RecordIdentifierValueAsString="plain")
    with pytest.raises(records.exceptions.ResourceNotFound):
        records.get_record(FeatureGroupName="missing", RecordIdentifierValueAsString="plain")


def test_pages_are_followed() -> None:
    """Every pager lists each resource once."""
    names = [f"paged-{index:02}" for index in range(23)]
    for name in names:
        sagemaker.create_experiment(ExperimentName=name)
        sagemaker.create_trial(TrialName=name, ExperimentName="paged-00")
        sagemaker.create_trial_component(TrialComponentName=name)
        sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    for operation, key, name_key in (
        ("list_experiments", "ExperimentSummaries", "ExperimentName"),
        ("list_trials", "TrialSummaries", "TrialName"),
        ("list_trial_components", "TrialComponentSummaries", "TrialComponentName"),
        ("list_models", "Models", "ModelName"),
    ):
        pages = list(sagemaker.get_paginator(operation).paginate(PaginationConfig={"PageSize": 7}))
        listed = [item[name_key] for page in pages for item in page[key]]
        assert [name for name in sorted(listed) if name.startswith("paged-")] == names
        assert all(len(page[key]) <= 7 for page in pages)


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("describe_training_job", {"TrainingJobName": "none"}, "ResourceNotFound", "Requested resource not found"),
        ("describe_processing_job", {"ProcessingJobName": "none"}, "ResourceNotFound", "Could not find requested job"),
        ("describe_feature_group", {"FeatureGroupName": "none"}, "ResourceNotFound", "can't find a FeatureGroup"),
        ("describe_trial", {"TrialName": "none"}, "ResourceNotFound", "Trial 'none' does not exist"),
        ("describe_model", {"ModelName": "none"}, "ValidationException", "Could not find model"),
        ("describe_endpoint", {"EndpointName": "none"}, "ValidationException", "Could not find endpoint"),
        (
            "describe_endpoint_config",
            {"EndpointConfigName": "none"},
            "ValidationException",
            "Could not find endpoint configuration",
        ),
        ("describe_model_package_group", {"ModelPackageGroupName": "none"}, "ValidationException", "does not exist"),
        ("describe_model_package", {"ModelPackageName": "none"}, "ValidationException", "does not exist"),
        ("delete_endpoint", {"EndpointName": "none"}, "ValidationException", "Could not find endpoint"),
        ("list_tags", {"ResourceArn": "arn:aws:s3:::bucket"}, "ValidationException", "arn:aws:s3:::bucket"),
        (
            "create_training_job",
            {"TrainingJobName": "x"},
            "ValidationException",
            "2 validation errors detected: Value null at 'roleArn'",
        ),
        ("list_models", {"MaxResults": 0}, "ValidationException", "greater than or equal to 1"),
        ("list_domains", {}, "UnsupportedOperationException", "ListDomains is not part of sagemaker-local"),
    ],
)
def test_errors_have_their_class_and_their_words(operation: str, request_: dict, code: str, message: str) -> None:
    """What boto3 raises is what it would raise on AWS."""
    with pytest.raises(ClientError) as raised:
        getattr(sagemaker, operation)(**request_)
    assert raised.value.response["Error"]["Code"] == code
    assert message in raised.value.response["Error"]["Message"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_modelled_errors_are_raised_as_their_own_class() -> None:
    """ResourceInUse and ResourceNotFound are exceptions of the client."""
    sagemaker.create_trial_component(TrialComponentName="once")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.associate_trial_component(TrialComponentName="once", TrialName="none")
    start_training("boto3-once")
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        start_training("boto3-once")
    with pytest.raises(runtime.exceptions.ValidationError):
        runtime.invoke_endpoint(EndpointName="none", Body=b"")
