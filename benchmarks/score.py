"""What the artefact predicts: `python score.py MODEL.onnx UNSEEN_FOLDER PREDICTIONS.csv`, `abalone` on the path."""

import sys
from pathlib import Path

from abalone.feature_contract import load_contract
from abalone.predictor import Predictor
from abalone.rows import read_data_set


def main(artefact: Path, folder: Path, predictions: Path) -> None:
    """Writes identifier, rings and both ends of the interval, in the data set's order."""
    contract = load_contract()
    rows = read_data_set(contract, folder)
    predicted = Predictor(contract, artefact).predict(rows.features)
    columns = zip(rows.record_ids, predicted.rings, predicted.low, predicted.high, strict=True)
    lines = (f"{identifier},{rings:.6f},{low:.6f},{high:.6f}\n" for identifier, rings, low, high in columns)
    predictions.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
