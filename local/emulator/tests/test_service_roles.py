"""A service, which works with the account's key, assumes only roles that trust it for this account."""

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator, eventually, policy_of


def trust(principal: object, **more: object) -> dict:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


SAGEMAKER = {"Service": "sagemaker.amazonaws.com"}
LAMBDA = {"Service": "lambda.amazonaws.com"}
OWN = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
FOREIGN = {"StringEquals": {"aws:SourceAccount": "999999999999"}}


def assume(emulator: Emulator, name: str, session: str, *statements: dict) -> str:
    """Makes a role with this trust policy and assumes it with the account's key; returns the refusal, or nothing."""
    role = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy_of(*statements))["Role"]
    try:
        answer = emulator.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=session)
    except ClientError as error:
        return error.response["Error"]["Code"]
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"
    return ""


@pytest.mark.parametrize(
    ("name", "statements", "refusal"),
    [
        ("trusting", [trust(SAGEMAKER, Condition=OWN)], ""),
        ("without-condition", [trust(SAGEMAKER)], ""),
        ("several-services", [trust({"Service": ["states.amazonaws.com", "sagemaker.amazonaws.com"]})], ""),
        ("foreign", [trust(SAGEMAKER, Condition=FOREIGN)], "AccessDenied"),
        ("of-another-service", [trust(LAMBDA)], "AccessDenied"),
        ("of-the-account", [trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], "AccessDenied"),
        ("denied", [trust(SAGEMAKER), {**trust(SAGEMAKER), "Effect": "Deny"}], "AccessDenied"),
    ],
)
def test_sagemaker_assumes_roles_that_trust_it_for_this_account(emulator, name, statements, refusal):
    assert assume(emulator, name, "SageMaker", *statements) == refusal
    if refusal:
        sentence = f"sagemaker.amazonaws.com cannot assume the role {name}: its trust policy does not allow it."
        eventually(lambda: sentence in emulator.log.read_text())


def test_any_other_session_may_be_of_a_role_that_trusts_a_service_or_the_account(emulator):
    assert assume(emulator, "for-lambda", "test", trust(LAMBDA, Condition=OWN)) == ""
    assert assume(emulator, "for-the-account", "test", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})) == ""
    assert assume(emulator, "for-a-stranger", "test", trust({"AWS": "999999999999"})) == "AccessDenied"


@pytest.mark.parametrize(("environment", "refusal"), [("own-airflow", ""), ("other-airflow", "AccessDenied")])
def test_airflow_assumes_the_role_of_its_own_environment(emulator, environment, refusal):
    source = {"ArnLike": {"aws:SourceArn": f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/own-airflow"}}
    mwaa = {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]}
    assert assume(emulator, environment, "AmazonMWAA-airflow", trust(mwaa, Condition=source)) == refusal
