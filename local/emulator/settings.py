"""The launcher's settings, read once from the environment and checked before anything of the emulator is imported."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it, its value and what was expected."""


@dataclass(frozen=True)
class Settings:
    """What the platform decides about one emulator process."""

    host: str
    port: int
    region: str
    account: str
    state_directory: Path
    object_directory: Path
    mail_directory: Path
    sagemaker_url: str
    pipeline_url: str | None

    @property
    def endpoint(self) -> str:
        """The address for any AWS client. An IP address makes the SDKs choose path-style S3 by themselves."""
        return f"http://{self.host}:{self.port}"

    @property
    def access_file(self) -> Path:
        """Counts what roles asked for: see patches/authorization.py."""
        return self.state_directory / "access" / "requests.json"

    @property
    def sessions_file(self) -> Path:
        """Keeps the sessions of roles: see patches/authorization.py."""
        return self.state_directory / "access" / "sessions.json"

    @property
    def temporary_directory(self) -> Path:
        """Holds what the emulator needs only while it runs."""
        return self.state_directory / "temporary"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Reads the settings.

    Raises:
        SettingsError: a variable is missing, or its value is not what it must be.
    """

    def text(name: str, pattern: str, expected: str, default: str | None = None) -> str:
        value = environment.get(name, default)
        if value is None:
            raise SettingsError(f"{name} is not set: expected {expected}.")
        if not re.fullmatch(pattern, value):
            raise SettingsError(f"{name} is {value!r}: expected {expected}.")
        return value

    host = environment.get("BIND_HOST", "127.0.0.1")
    try:
        loopback = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(
            f"BIND_HOST is {host!r}: expected a loopback IPv4 address such as 127.0.0.1, "
            "because whoever reaches the emulator can run programs as its user."
        )
    port = int(text("GATEWAY_PORT", r"\d{1,5}", "a port from 1 to 65535"))
    if not 1 <= port <= 65535:
        raise SettingsError(f"GATEWAY_PORT is {port}: expected a port from 1 to 65535.")

    def service(name: str, what: str) -> str:
        url = text(name, r"http://[^/?#]+/?", f"the {what}'s address as http://127.0.0.1:<port>")
        parts = urlsplit(url)
        try:
            served = ipaddress.ip_address(parts.hostname or "").is_loopback and parts.port is not None
        except ValueError:
            served = False
        if not served:
            raise SettingsError(f"{name} is {url!r}: expected a loopback address with a port.")
        return url.rstrip("/")

    state_directory = text("STATE_DIR", r"/.+", "an absolute path")
    return Settings(
        host=host,
        port=port,
        region=text("MINISTACK_REGION", r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region such as eu-west-1"),
        account=text("MINISTACK_ACCOUNT_ID", r"\d{12}", "an account of twelve digits"),
        state_directory=Path(state_directory),
        object_directory=Path(text("S3_DATA_DIR", r"/.+", "an absolute path")),
        mail_directory=Path(text("MAIL_DIR", r"/.+", "an absolute path", f"{state_directory}/mail")),
        sagemaker_url=service("SAGEMAKER_URL", "SageMaker service"),
        pipeline_url=service("PIPELINE_URL", "pipeline") if "PIPELINE_URL" in environment else None,
    )


#: Host variables that a program on this machine may need. Nothing else of the host reaches the emulator or a Lambda.
_HOST_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL")


def clean_environment(settings: Settings, host: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the emulator's process, which its Lambda functions inherit.

    Real credentials, profiles, endpoints and proxies of the host are left behind by listing what stays, not what goes.
    """
    kept = {name: host[name] for name in _HOST_VARIABLES if name in host}
    return {
        **kept,
        "LANG": kept.get("LANG", "C.UTF-8"),
        # Unpacked functions lie here, and are removed at the next start if a kill left them.
        "TMPDIR": str(settings.temporary_directory),
        "TZ": "UTC",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": settings.endpoint,
        "BIND_HOST": settings.host,
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_HOST": settings.host,
        "MINISTACK_REGION": settings.region,
        "MINISTACK_ACCOUNT_ID": settings.account,
        # Requests of roles are judged by their policies; the account's own key may do everything, as root does on AWS.
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.state_directory),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.object_directory),
        "ATHENA_DATA_DIR": str(settings.object_directory),
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": host.get("LOG_LEVEL", "WARNING"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # No Docker: the emulator would otherwise remove containers that carry its label.
        "DOCKER_HOST": f"unix://{settings.state_directory}/no-docker",
    }
