from pathlib import Path

import pytest

from tests.commands import command
from tests.surveys import survey, write_training_job


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of a finished training job; tests only read it. Its log lies in `train.log`."""
    base = tmp_path_factory.mktemp("trained")
    write_training_job(base, survey(1600))
    result = command("train", base, TRAINING_JOB_NAME="job-1")
    assert result.returncode == 0, result.stdout + result.stderr
    (base / "train.log").write_text(result.stdout)
    return base
