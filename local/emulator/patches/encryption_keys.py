"""What is encrypted with a key of the account needs rights to the key, which ministack does not ask for.

On AWS a service asks KMS in the caller's name, or in its own name for what it delivers itself:

- S3: `kms:Decrypt` for an object that is read, `kms:GenerateDataKey` for one that is written ("Protecting data with
  SSE-KMS", S3 User Guide).
- DynamoDB: `kms:Decrypt` for each access to a table's data ("How DynamoDB uses AWS KMS", DynamoDB Developer Guide).
- SQS and SNS: both for what is sent or published, `kms:Decrypt` for what is received ("Key management", their guides).
"""

import re
from collections.abc import Iterator
from typing import Any

from patches.service_principals import lets_service

_DATA_KEY, _DECRYPT = "kms:GenerateDataKey", "kms:Decrypt"

_S3 = {"s3:GetObject": (_DECRYPT,), "s3:GetObjectVersion": (_DECRYPT,), "s3:PutObject": (_DATA_KEY,)}
_SQS = {"sqs:SendMessage": (_DATA_KEY, _DECRYPT), "sqs:ReceiveMessage": (_DECRYPT,)}
_SNS = {"sns:Publish": (_DATA_KEY, _DECRYPT)}
#: Of a table's items or stream; all others are about the table itself.
_DATA_OF_TABLES = re.compile(r"dynamodb:(\w*Item|Query|Scan|GetRecords|PartiQL\w+)")


def key_actions(action: str, resource: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a request needs of the key with which its resource is encrypted.

    Yields:
        the action of KMS, the key's ARN, and the keys that conditions may ask for.
    """
    actions = _S3.get(action) or _SQS.get(action) or _SNS.get(action) or ()
    if _DATA_OF_TABLES.fullmatch(action):
        actions = (_DECRYPT,)
    key = key_of(resource) if actions else None
    if key is None:
        return
    _, _, service, region, *_ = resource.split(":")
    via = {"kms:ViaService": f"{service}.{region or key.split(':')[3]}.amazonaws.com"}
    for each in actions:
        yield each, key, via


def key_of(resource: str) -> str | None:
    """The ARN of the account's key with which a bucket, table, queue or topic is encrypted, if one is named."""
    from ministack.services import dynamodb, s3, sns, sqs

    parts = resource.split(":", 5)
    if len(parts) < 6:
        return None
    service, name = parts[2], parts[5]
    key: str | None = None
    if service == "s3":
        found = re.search(r"<KMSMasterKeyID>([^<]+)<", s3._bucket_encryption.get(name.partition("/")[0]) or "")
        key = found[1] if found else None
    elif service == "dynamodb":
        table = dynamodb._tables.get(name.split("/")[1]) if "/" in name else None
        key = ((table or {}).get("SSEDescription") or {}).get("KMSMasterKeyArn")
    elif service == "sqs":
        key = (sqs._queue_by_arn(resource) or {}).get("attributes", {}).get("KmsMasterKeyId")
    elif service == "sns":
        key = (sns._topic_by_arn_any_scope(resource) or {}).get("attributes", {}).get("KmsMasterKeyId")
    # A key that AWS manages for a service asks nobody of the account.
    return key if key and key.startswith("arn:") and ":key/" in key else None


def key_lets_service(key: str, service: str, context: dict[str, Any]) -> bool:
    """Whether a key's own policy lets a service such as `events.amazonaws.com` encrypt what it delivers."""
    from ministack.core.iam_evaluator import _resource_policy

    found = _resource_policy("kms", key)
    policy = found[0] if found else None
    return all(lets_service(policy, service, action, key, context) for action in (_DATA_KEY, _DECRYPT))
