"""The folders through which SageMaker and a container exchange files."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """SageMaker's layout under a base folder: `/opt/ml`, unless `SAGEMAKER_BASE_DIR` moves it."""

    base: Path

    @classmethod
    def from_environment(cls) -> "Folders":
        """The layout of this process."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))

    def channel(self, name: str) -> Path:
        """The input channel `name` of a training job."""
        return self.base / "input" / "data" / name

    @property
    def hyperparameters(self) -> Path:
        """The JSON file with a training job's hyperparameters."""
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        """Where training leaves the artefact, and where an endpoint finds it unpacked."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """The folder for the reason of a failure."""
        return self.base / "output"

    @property
    def processing_input(self) -> Path:
        """The inputs of a processing job, each in its own folder."""
        return self.base / "processing" / "input"

    @property
    def processing_output(self) -> Path:
        """The outputs of a processing job, each in its own folder."""
        return self.base / "processing" / "output"

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders that a job writes into."""
        return (self.model, self.output, self.processing_output)
