"""AWS clients, made the same way everywhere."""

import os
from typing import Any

import boto3
from botocore.config import Config


def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    """A client of the region that SageMaker names; it retries temporary errors."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return boto3.client(service, region_name=region, config=Config(retries={"mode": "standard", "max_attempts": 6}))
