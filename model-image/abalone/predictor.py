"""Runs the artefact with ONNX Runtime and nothing else, so that serving starts fast and stays small."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from abalone.errors import JobError
from abalone.feature_contract import Contract
from abalone.rows import Features

ARTEFACT = "model.onnx"
# Bounds the memory of one run: 320 hidden values of 4 bytes each, twice, times this, is about 40 MB.
BATCH = 16_384


@dataclass(frozen=True)
class Training:
    """What a model learnt from: how many rows, and when the last of these animals was measured (UTC, as text).

    Artefacts of earlier versions do not have the time.
    """

    rows: int
    newest_event: str | None


@dataclass(frozen=True)
class Predictions:
    """Rings and the ends of their interval, one value a row."""

    rings: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Predictor:
    """A trained model.

    Raises:
        JobError: the artefact is missing, damaged, or made for another feature contract.
    """

    def __init__(self, contract: Contract, artefact: Path) -> None:
        """Loads the ONNX file `artefact`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            content = artefact.read_bytes()
            # The time of training: SageMaker's archive keeps the file's time.
            self.trained_at = datetime.fromtimestamp(artefact.stat().st_mtime, UTC)
        except OSError as error:
            raise JobError(f"{artefact} cannot be read ({error.strerror}): train a model first.") from error
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises many unrelated types for a damaged file
            raise JobError(f"{artefact} is not an ONNX model that this image can run: {error}") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            self.name = metadata["name"]
            self.confidence = float(metadata["confidence"])
            trained_for = tuple(json.loads(metadata["features"]))
            may_lack = frozenset(json.loads(metadata.get("optional", "[]")))
            self.training = Training(int(metadata["training_rows"]), metadata.get("newest_event"))
            self.settings: dict[str, Any] = json.loads(metadata.get("settings", "{}"))
        except (KeyError, ValueError) as error:
            raise JobError(f"{artefact} was not made by this image's `train`: its metadata has no {error}.") from error
        if trained_for != contract.feature_names:
            raise JobError(
                f"{artefact} was trained for the features {', '.join(trained_for)}, the contract has "
                f"{', '.join(contract.feature_names)}: train a model for the current contract."
            )
        if not contract.optional_names <= may_lack:
            raise JobError(
                f"{artefact} was trained for rows that have {', '.join(sorted(contract.optional_names - may_lack))}, "
                "which is optional in the contract: train a model for the current contract."
            )

    def predict(self, features: Features) -> Predictions:
        """Rings with their interval for rows that keep the contract."""
        category = np.array(features.category, dtype=np.object_)
        parts = [
            self._session.run(
                ["rings", "low", "high"],
                {"sex": category[start : start + BATCH], "measures": features.measures[start : start + BATCH]},
            )
            for start in range(0, max(len(features), 1), BATCH)
        ]
        if len(parts) == 1:
            return Predictions(*parts[0])
        return Predictions(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
