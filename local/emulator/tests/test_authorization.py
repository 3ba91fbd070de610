"""Every request of a role is judged by its policies, as AWS would judge it."""

import json

import pytest
from conftest import ACCOUNT, REGION, Roles, allow, eventually, policy_of, refusal

BUCKET = "acme-local-judged"


@pytest.fixture(scope="module")
def roles(emulator) -> Roles:
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Roles(emulator)


def test_a_role_may_do_what_a_statement_allows_and_nothing_else(roles):
    s3 = roles.client("s3", roles.session(allow("s3:PutObject", f"arn:aws:s3:::{BUCKET}/surveys/*")))
    s3.put_object(Bucket=BUCKET, Key="surveys/a.csv", Body=b"1")
    assert refusal(s3.put_object, Bucket=BUCKET, Key="models/a", Body=b"1") == "AccessDenied"
    assert refusal(s3.get_object, Bucket=BUCKET, Key="surveys/a.csv") == "AccessDenied"


def test_a_boundary_refuses_what_the_roles_own_policy_allows(roles):
    everything = allow("*", "*")
    s3 = roles.client("s3", roles.session(everything, boundary=(allow("s3:ListBucket", "*"),)))
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] >= 0
    assert refusal(s3.put_object, Bucket=BUCKET, Key="a", Body=b"1") == "AccessDenied"


def test_loopback_counts_as_tls_and_a_deny_of_plain_text_refuses_nobody(roles):
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": plain}
    s3 = roles.client("s3", roles.session(allow("s3:ListBucket", "*"), deny))
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] >= 0


def test_the_log_names_role_action_and_resource(roles):
    s3 = roles.client("s3", roles.session(allow("s3:ListBucket", "*")))
    refusal(s3.put_object, Bucket=BUCKET, Key="a", Body=b"1")
    role = f"acme-local-judged-{roles.count}"
    sentence = f"The role {role} was refused s3:PutObject on arn:aws:s3:::{BUCKET}/a: no statement allows it."
    eventually(lambda: sentence in roles.emulator.log.read_text())


def test_a_mail_is_judged_by_its_identity_its_configuration_set_and_its_addresses(roles):
    ses = roles.emulator.client("sesv2")
    ses.create_email_identity(EmailIdentity="judged.example")
    ses.create_configuration_set(ConfigurationSetName="judged")
    scope = f"arn:aws:ses:{REGION}:{ACCOUNT}:"
    resources = [f"{scope}identity/judged.example", f"{scope}configuration-set/judged"]
    addresses = {
        "StringEquals": {"ses:FromAddress": "website@judged.example"},
        "ForAllValues:StringEquals": {"ses:Recipients": "office@judged.example"},
    }
    statement = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": resources, "Condition": addresses}
    mail = {
        "FromEmailAddress": "website@judged.example",
        "Destination": {"ToAddresses": ["office@judged.example"]},
        "ConfigurationSetName": "judged",
        "Content": {"Simple": {"Subject": {"Data": "a"}, "Body": {"Text": {"Data": "b"}}}},
    }
    allowed = roles.client("sesv2", roles.session(statement))
    allowed.send_email(**mail)
    others = {"Destination": {"ToAddresses": ["office@judged.example", "zoe@example.com"]}}
    assert refusal(allowed.send_email, **mail | others) == "AccessDeniedException"
    assert refusal(allowed.send_email, **mail | {"FromEmailAddress": "a@other.example"}) == "AccessDeniedException"
    without_set = roles.client("sesv2", roles.session({**statement, "Resource": resources[0]}))
    assert refusal(without_set.send_email, **mail) == "AccessDeniedException"


def test_what_is_encrypted_with_a_key_needs_rights_to_the_key(roles):
    emulator = roles.emulator
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    emulator.client("s3").create_bucket(
        Bucket="acme-local-encrypted", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    emulator.client("s3").put_bucket_encryption(
        Bucket="acme-local-encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    queue = emulator.client("sqs").create_queue(QueueName="encrypted", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    objects = allow("s3:*Object", "arn:aws:s3:::acme-local-encrypted/*")
    messages = allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:encrypted")
    asked = {"Bucket": "acme-local-encrypted", "Key": "a"}

    def through(service: str, *actions: str) -> list[dict]:
        via = {"StringEquals": {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}}
        return [allow(f"kms:{action}", key, **via) for action in actions]

    writer = roles.client("s3", roles.session(objects, *through("s3", "GenerateDataKey")))
    writer.put_object(**asked, Body=b"1")
    assert refusal(writer.get_object, **asked) == "AccessDenied"
    reader = roles.client("s3", roles.session(objects, *through("s3", "Decrypt")))
    reader.get_object(**asked)
    assert refusal(reader.put_object, **asked, Body=b"1") == "AccessDenied"
    assert refusal(roles.client("s3", roles.session(objects, *through("sqs", "Decrypt"))).get_object, **asked)
    role = f"acme-local-judged-{roles.count}"
    eventually(lambda: f"The role {role} was refused kms:Decrypt on {key}" in emulator.log.read_text())
    message = {"QueueUrl": queue, "MessageBody": "m"}
    both = through("sqs", "GenerateDataKey", "Decrypt")
    roles.client("sqs", roles.session(messages, *both)).send_message(**message)
    for only in both:
        assert "AccessDenied" in refusal(roles.client("sqs", roles.session(messages, only)).send_message, **message)


def test_strangers_are_refused(roles):
    credentials = roles.session(allow("s3:*", "*"))
    wrong_secret = roles.client("s3", {**credentials, "SecretAccessKey": "guessed"})
    assert refusal(wrong_secret.list_objects_v2, Bucket=BUCKET) == "SignatureDoesNotMatch"
    unknown = {**credentials, "AccessKeyId": "ASIAUNKNOWNUNKNOWN00"}
    assert refusal(roles.client("s3", unknown).list_objects_v2, Bucket=BUCKET) == "InvalidAccessKeyId"
    without_token = {**credentials, "SessionToken": "guessed"}
    assert refusal(roles.client("s3", without_token).list_objects_v2, Bucket=BUCKET) == "InvalidToken"


def test_a_role_whose_trust_policy_names_a_service_is_nobody_elses(roles):
    iam = roles.emulator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="acme-local-for-lambda", AssumeRolePolicyDocument=policy_of(trust))["Role"]
    sts = roles.client("sts", roles.session(allow("sts:AssumeRole", "*")))
    assert refusal(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="stranger") == "AccessDenied"


def test_the_accounts_key_assumes_a_services_role_as_a_service_of_the_account_does(roles):
    iam, sts = roles.emulator.client("iam"), roles.emulator.client("sts")
    for name, account in (("own", ACCOUNT), ("other", "210987654321")):
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        iam.create_role(RoleName=f"acme-local-{name}-account", AssumeRolePolicyDocument=policy_of(trust))
    own, other = (f"arn:aws:iam::{ACCOUNT}:role/acme-local-{name}-account" for name in ("own", "other"))
    assert "/SageMaker" in sts.assume_role(RoleArn=own, RoleSessionName="SageMaker")["AssumedRoleUser"]["Arn"]
    assert refusal(sts.assume_role, RoleArn=other, RoleSessionName="SageMaker") == "AccessDenied"


def test_a_session_survives_the_emulators_end_and_a_damaged_file_only_ends_sessions(make_emulator):
    emulator = make_emulator().start()
    roles = Roles(emulator)
    client = roles.client("sqs", roles.session(allow("sqs:ListQueues", "*")))
    emulator.save()
    emulator.kill()
    emulator.start()
    client.list_queues()
    assert refusal(client.create_queue, QueueName="a") == "AccessDenied"
    emulator.stop()
    (emulator.directory / "state" / "access" / "sessions.json").write_text("[1")
    emulator.start()
    assert refusal(client.list_queues) == "InvalidClientTokenId"
    roles.client("sqs", roles.session(allow("sqs:ListQueues", "*"))).list_queues()


def test_a_function_works_with_its_roles_rights(roles):
    emulator = roles.emulator
    code = """
    exports.handler = async () => ({ key: process.env.AWS_ACCESS_KEY_ID, token: process.env.AWS_SESSION_TOKEN });
    """
    emulator.function("judged", code)
    emulator.client("lambda").get_waiter("function_active_v2").wait(FunctionName="judged")
    answer = json.loads(emulator.client("lambda").invoke(FunctionName="judged")["Payload"].read())
    assert answer["key"].startswith("ASIA")
    assert answer["token"]


def test_what_roles_asked_for_is_counted_and_outlives_a_stop(make_emulator):
    emulator = make_emulator().start()
    roles = Roles(emulator)
    client = roles.client("sqs", roles.session(allow("sqs:ListQueues", "*")))
    client.list_queues()
    client.list_queues()
    refusal(client.create_queue, QueueName="a")
    assert emulator.stop() == 0
    record = emulator.directory / "state" / "access" / "requests.json"
    counted = {(one["role"], one["action"], one["why"]): one["times"] for one in json.loads(record.read_text())}
    assert counted == {
        ("acme-local-judged-1", "sqs:ListQueues", ""): 2,
        ("acme-local-judged-1", "sqs:CreateQueue", "no statement allows it"): 1,
    }
    record.write_text("half")
    emulator.start()
    roles.client("sqs", roles.session(allow("sqs:ListQueues", "*")))
    assert emulator.stop() == 0
