"""Sets Airflow up before anything imports it: its own database, and no access to any AWS but a test's own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from platform_under_test import ACCOUNT, REGION, VARIABLES_PATH, Platform, running

HOME = Path(tempfile.mkdtemp(prefix="airflow-"))
DAGS = Path(__file__).resolve().parents[1]

for name in [name for name in os.environ if name.startswith(("AWS_", "AIRFLOW"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    # As the environment's options have it (modules/airflow-environment.ts).
    "AIRFLOW__SECRETS__BACKEND": (
        "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    ),
    "AIRFLOW__SECRETS__BACKEND_KWARGS": (
        f'{{"connections_prefix": null, "config_prefix": null, "variables_prefix": "{VARIABLES_PATH}"}}'
    ),
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "test",
    # Nothing answers here: a test that needs AWS starts it.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    """Airflow's own database."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdout=subprocess.PIPE)
    yield
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def one_api() -> None:
    """The API for tasks of Airflow 3, made once: Airflow would build it again for each task."""
    try:
        from airflow.sdk.execution_time import supervisor
    except ImportError:  # Airflow 2 has no such API.
        return
    supervisor.in_process_api_server = cache(supervisor.in_process_api_server)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture
def platform(started: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The services, without a survey."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
    started.empty()
    return started
