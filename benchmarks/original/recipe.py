"""The original recipe, whole: a Keras network (64-64-1, 200 epochs, batch 8) on rows that are normalised one by one.

    python recipe.py TRAIN.csv UNSEEN.csv MODEL.keras PREDICTIONS.csv

The files are data sets as the model image's `process` writes them. What is not known of the original is what
Keras' own tutorials take: ReLU, Adam, mean squared error.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

SEXES = ("F", "I", "M")
MEASURES = ("length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight")
# The original's rows are UCI's, in 200 mm and 200 g: to normalise a row mixes its columns, so that their units matter.
UNIT = 200.0


def read(file: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Identifiers, features, normalised row by row, and labels."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    features = np.array(
        [
            [*(float(row["sex"] == sex) for sex in SEXES), *(float(row[name]) / UNIT for name in MEASURES)]
            for row in rows
        ]
    )
    labels = np.array([float(row["rings"]) for row in rows])
    return [row["record_id"] for row in rows], tf.keras.utils.normalize(features, axis=1), labels


def main(train: Path, unseen: Path, model_file: Path, predictions: Path) -> None:
    """Trains, saves the model, and writes identifiers with what it predicts."""
    tf.keras.utils.set_random_seed(1)
    _, features, labels = read(train)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((features.shape[1],)),
            tf.keras.layers.Dense(64, activation="relu"),
            tf.keras.layers.Dense(64, activation="relu"),
            tf.keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(features, labels, epochs=200, batch_size=8, verbose=0)
    model.save(model_file)
    identifiers, features, _ = read(unseen)
    estimates = zip(identifiers, model.predict(features, verbose=0)[:, 0], strict=True)
    predictions.write_text("".join(f"{name},{estimate:.6f}\n" for name, estimate in estimates), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
