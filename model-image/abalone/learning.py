"""Learning: an ensemble of small networks, and an interval whose width depends on the animal.

Rings grow in proportion, so the networks learn the logarithm of the rings. Every network is trained without one fold of
the training rows, so its errors on that fold are those for unseen rows. From these errors, one more network learns how
large the ensemble's error is for such an animal (its *spread*). Conformal calibration then finds how many spreads below
and above the estimate the interval must reach to hold the wanted share of labels (locally weighted: Lei et al. 2018,
"Distribution-Free Predictive Inference for Regression"). It uses the validation rows, which no network has seen, and
the errors on the folds (cross-conformal: Vovk 2015): with a few hundred validation rows alone, the share would be
uncertain by two percent. A single network has slightly larger errors than the ensemble, which makes the interval
slightly wider. The spread was learnt from the same errors, which makes it slightly narrower. Measurements show that the
two cancel out.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from abalone.feature_contract import Contract
from abalone.features import FeaturePipeline, add_features, compute_features, fit_features, graph_inputs
from abalone.graph import Graph
from abalone.rows import DataSet

# With fewer rows there is too little to learn from, and a fold has too few rows to measure an error.
FEWEST_TRAINING_ROWS = 50
# The metrics of the training job are computed on these rows; fewer show nothing about a model.
FEWEST_VALIDATION_ROWS = 20
# The spread is a share of the rings. A spread near zero would promise a precision that no model has.
SMALLEST_SPREAD = 0.02
# The spread is smoother than the rings: a smaller network with more regularisation is enough.
SPREAD_LAYERS = (16,)
SPREAD_REGULARISATION = 1.0
# Rows per call of a network: with millions at once, its layers would need gigabytes.
ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults were chosen by ten-fold cross-validation on UCI's survey."""

    seed: int = 20250131
    networks: int = 5
    hidden_units: int = 64
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.002
    regularisation: float = 0.1
    confidence: float = 0.9


@dataclass(frozen=True)
class Network:
    """Weights of a fully connected network with ReLU between its layers."""

    weights: list[NDArray[np.float64]]
    biases: list[NDArray[np.float64]]

    def add_to(self, graph: Graph, features: str) -> str:
        """Adds the network's nodes and returns the name of its output, one column."""
        value = features
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = graph.add("Gemm", value, graph.constant(weights), graph.constant(bias))
            if layer < len(self.weights) - 1:
                value = graph.add("Relu", value)
        return value

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The network's output for rows of features."""
        starts = range(0, len(features), ROWS_AT_A_TIME)
        parts = [self._predict(features[start : start + ROWS_AT_A_TIME]) for start in starts]
        return np.concatenate(parts) if parts else np.empty(0)

    def _predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = features.astype(np.float64)
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = value @ weights + bias
            if layer < len(self.weights) - 1:
                value = np.maximum(value, 0)
        return value[:, 0]


@dataclass(frozen=True)
class Ensemble:
    """Networks for the logarithm of the rings and for its spread, with the ends of the interval in spreads."""

    pipeline: FeaturePipeline
    networks: list[Network]
    spread: Network
    correction: float
    below: float
    above: float


def _train_network(
    features: NDArray[np.float32],
    targets: NDArray[np.float64],
    layers: tuple[int, ...],
    regularisation: float,
    settings: Settings,
    seed: int,
) -> Network:
    # With standardised targets, the learning rate fits every survey; the last layer restores the scale.
    mean, deviation = float(targets.mean()), float(targets.std()) or 1.0
    regressor = MLPRegressor(
        hidden_layer_sizes=layers,
        alpha=regularisation,
        batch_size=min(settings.batch_size, len(features)),
        learning_rate_init=settings.learning_rate,
        max_iter=settings.epochs,
        n_iter_no_change=settings.epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The limit of epochs is intended: it is part of the regularisation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(features.astype(np.float64), (targets - mean) / deviation)
    weights, biases = regressor.coefs_, regressor.intercepts_
    return Network([*weights[:-1], weights[-1] * deviation], [*biases[:-1], biases[-1] * deviation + mean])


def _spread(network: Network, features: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.maximum(network.predict(features), SMALLEST_SPREAD)


def conformal_ends(scores: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """How many spreads below (zero or less) and above (zero or more) the estimate the interval reaches.

    Each end leaves out half of what the confidence allows, with the correction for a finite number of rows: the
    ceil((n + 1)(1 - a / 2))-th smallest score, or the outermost one when there are too few rows for that.
    """
    ordered = np.sort(scores)
    rank = min(math.ceil((len(ordered) + 1) * (1 + confidence) / 2), len(ordered))
    return min(float(ordered[len(ordered) - rank]), 0.0), max(float(ordered[rank - 1]), 0.0)


def learn(contract: Contract, training: DataSet, validation: DataSet, settings: Settings) -> Ensemble:
    """Trains the ensemble. The same rows and settings give the same weights."""
    pipeline = fit_features(contract, training.features)
    features = compute_features(contract, training.features, pipeline)
    targets = np.log(training.labels)
    layers = (settings.hidden_units, settings.hidden_units)
    folds = np.random.default_rng(settings.seed).permutation(len(training)) % settings.networks

    networks: list[Network] = []
    errors = np.empty(len(training))
    for index in range(settings.networks):
        inside = folds != index
        network = _train_network(
            features[inside], targets[inside], layers, settings.regularisation, settings, settings.seed + index
        )
        errors[~inside] = targets[~inside] - network.predict(features[~inside])
        networks.append(network)

    spread = _train_network(
        features, np.abs(errors), SPREAD_LAYERS, SPREAD_REGULARISATION, settings, settings.seed + settings.networks
    )
    estimates = np.mean([network.predict(features) for network in networks], axis=0)
    # The exponential of a mean logarithm is a geometric mean, too low for the rings' own mean (Duan 1983, smearing).
    correction = math.log(training.labels.mean() / np.exp(estimates).mean())

    honest = (errors - correction) / _spread(spread, features)
    unseen = compute_features(contract, validation.features, pipeline)
    estimates = np.mean([network.predict(unseen) for network in networks], axis=0) + correction
    scores = (np.log(validation.labels) - estimates) / _spread(spread, unseen)
    below, above = conformal_ends(np.concatenate([honest, scores]), settings.confidence)
    return Ensemble(pipeline, networks, spread, correction, below, above)


def export(contract: Contract, ensemble: Ensemble, metadata: dict[str, str]) -> bytes:
    """The whole model as one ONNX file: from sex and measures to `rings`, `low` and `high`."""
    graph = Graph()
    features = add_features(graph, contract, ensemble.pipeline)
    outputs = [network.add_to(graph, features) for network in ensemble.networks]
    mean = graph.add("Div", graph.add("Sum", *outputs), graph.constant(len(outputs)))
    logarithm = graph.add("Add", mean, graph.constant(ensemble.correction))
    spread = graph.add("Max", ensemble.spread.add_to(graph, features), graph.constant(SMALLEST_SPREAD))

    for name, spreads in (("rings", None), ("low", ensemble.below), ("high", ensemble.above)):
        value = logarithm
        if spreads is not None:
            value = graph.add("Add", logarithm, graph.add("Mul", spread, graph.constant(spreads)))
        flat = graph.add("Squeeze", graph.add("Exp", value), graph.constant([1], np.int64))
        limits = graph.constant(contract.label.minimum), graph.constant(contract.label.maximum)
        graph.add("Clip", flat, *limits, output=name)
    return graph.serialize(graph_inputs(contract), {name: ["rows"] for name in ("rings", "low", "high")}, metadata)
