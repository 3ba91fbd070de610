"""Feature engineering, as nodes of the artefact's own graph.

There is no second implementation: training runs these nodes to get its inputs, and the served artefact contains the
same nodes.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from abalone.feature_contract import Contract
from abalone.graph import Graph
from abalone.rows import Features

logger = logging.getLogger("abalone")

# Ratios of measures describe shapes and proportions instead of sizes. Height to length finds flat shells, whole weight
# to volume finds dense animals; shares of the whole weight change most with age.
RATIOS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("diameter", ("length",)),
    ("height", ("length",)),
    ("shucked_weight", ("whole_weight",)),
    ("viscera_weight", ("whole_weight",)),
    ("shell_weight", ("whole_weight",)),
    ("shell_weight", ("shucked_weight",)),
    ("whole_weight", ("length", "diameter", "height")),
)
# Replaces zero, which has no logarithm: a tenth of the smallest step of a measurement (0.05 g).
SMALLEST = 0.005
# A height this many times above or below what length and diameter predict is a typing error: in UCI's survey, nearly
# every row is within a factor of 1.9, a few differ by a factor of 2.2 to 11, and some are zero.
HEIGHT_FACTOR = 2.0
# An optional measure that fewer training rows have is not used: so few rows don't show how it depends on the age.
FEWEST_MEASURED = 50
# A standardised feature beyond this is clipped, so that one absurd measure can't lead the networks outside of what they
# know.
CLIP = 4.0


@dataclass(frozen=True)
class HeightModel:
    """Allometry: log(height) = intercept + length · log(length) + diameter · log(diameter), in mm."""

    intercept: float
    length: float
    diameter: float


@dataclass(frozen=True)
class Imputation:
    """Allometry of an optional measure, for rows without it: log(measure) = intercept + length · log(length)."""

    intercept: float
    length: float


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of every continuous feature over the training rows."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


@dataclass(frozen=True)
class FeaturePipeline:
    """Everything about the features that is learnt from training rows.

    Without a `scaling`, only the unscaled continuous features are made; the scaling is fitted to these.
    `imputations` has the optional measures that the model uses.
    """

    height: HeightModel
    imputations: dict[str, Imputation]
    scaling: Scaling | None


def fit_height(contract: Contract, measures: NDArray[np.float32]) -> HeightModel:
    """Fits the allometry of the height to rows in mm, twice: the second time without the heights that need a repair."""
    names = contract.measure_names
    columns = np.log(np.maximum(measures.astype(np.float64), SMALLEST))
    predictors = np.stack(
        [np.ones(len(columns)), columns[:, names.index("length")], columns[:, names.index("diameter")]], 1
    )
    height = columns[:, names.index("height")]
    plausible = measures[:, names.index("height")] > 0
    coefficients = np.zeros(3)
    for _ in range(2):
        coefficients = np.linalg.lstsq(predictors[plausible], height[plausible], rcond=None)[0]
        plausible = np.abs(height - predictors @ coefficients) <= np.log(HEIGHT_FACTOR)
    return HeightModel(*(float(value) for value in coefficients))


def fit_imputations(contract: Contract, measures: NDArray[np.float32]) -> dict[str, Imputation]:
    """Fits the allometry of each optional measure that enough rows have."""
    columns = np.log(np.maximum(measures.astype(np.float64), SMALLEST))
    predictors = np.stack([np.ones(len(columns)), columns[:, contract.measure_names.index("length")]], 1)
    imputations = {}
    for index, measure in enumerate(contract.measures):
        if not measure.optional:
            continue
        measured = ~np.isnan(measures[:, index])
        count = int(measured.sum())
        logger.info("%s: %d of %d training rows have it", measure.name, count, len(measures))
        if count < FEWEST_MEASURED:
            logger.warning("%s is not used: at least %d training rows must have it", measure.name, FEWEST_MEASURED)
            continue
        coefficients = np.linalg.lstsq(predictors[measured], columns[measured, index], rcond=None)[0]
        imputations[measure.name] = Imputation(*(float(value) for value in coefficients))
    return imputations


def require_measures(contract: Contract) -> None:
    """Checks that every row has the measures that the features need.

    Raises:
        ValueError: the contract lacks one of them, or one is optional.
    """
    required = {name for name in contract.measure_names if name not in contract.optional_names}
    needed = {"length", "diameter", "height", *(name for ratio in RATIOS for name in (ratio[0], *ratio[1]))}
    missing = sorted(needed - required)
    if missing:
        raise ValueError(
            f"survey/features.json has no required measure {', '.join(missing)}: model-image/abalone/features.py makes "
            "features of it. Change RATIOS and the height's repair there, or keep the measure required."
        )


def add_features(graph: Graph, contract: Contract, pipeline: FeaturePipeline) -> str:
    """Adds the nodes from the raw inputs `sex` and `measures` to the features, one row each, and returns their name."""
    logs = {}
    floored = graph.add("Log", graph.add("Max", "measures", graph.constant(SMALLEST)))
    for index, measure in enumerate(contract.measures):
        if not measure.optional or measure.name in pipeline.imputations:
            logs[measure.name] = graph.add("Gather", floored, graph.constant([index], np.int64), axis=1)
    for name, imputation in pipeline.imputations.items():
        logs[name] = _add_imputation(graph, logs, name, contract.measure_names.index(name), imputation)
    logs["height"] = _add_height_repair(graph, logs, pipeline.height)

    columns = list(logs.values())
    for numerator, denominators in RATIOS:
        ratio = logs[numerator]
        for denominator in denominators:
            ratio = graph.add("Sub", ratio, logs[denominator])
        columns.append(ratio)
    features = graph.add("Concat", *columns, axis=1)
    scaling = pipeline.scaling
    if scaling is None:
        return features

    centred = graph.add("Sub", features, graph.constant(scaling.mean))
    standardised = graph.add("Div", centred, graph.constant(scaling.deviation))
    clipped = graph.add("Clip", standardised, graph.constant(-CLIP), graph.constant(CLIP))
    column = graph.add("Unsqueeze", "sex", graph.constant([1], np.int64))
    is_category = graph.add("Equal", column, graph.constant([contract.categories], np.object_))
    return graph.add("Concat", clipped, graph.add("Cast", is_category, to=TensorProto.FLOAT), axis=1)


def _add_imputation(graph: Graph, logs: dict[str, str], name: str, index: int, imputation: Imputation) -> str:
    missing = graph.add("IsNaN", graph.add("Gather", "measures", graph.constant([index], np.int64), axis=1))
    by_length = graph.add("Mul", logs["length"], graph.constant(imputation.length))
    expected = graph.add("Add", by_length, graph.constant(imputation.intercept))
    return graph.add("Where", missing, expected, logs[name])


def _add_height_repair(graph: Graph, logs: dict[str, str], height: HeightModel) -> str:
    by_length = graph.add("Mul", logs["length"], graph.constant(height.length))
    by_diameter = graph.add("Mul", logs["diameter"], graph.constant(height.diameter))
    expected = graph.add("Add", graph.add("Add", by_length, by_diameter), graph.constant(height.intercept))
    distance = graph.add("Abs", graph.add("Sub", logs["height"], expected))
    plausible = graph.add("LessOrEqual", distance, graph.constant(np.log(HEIGHT_FACTOR)))
    return graph.add("Where", plausible, logs["height"], expected)


def graph_inputs(contract: Contract) -> dict[str, tuple[int, list[int | str]]]:
    """The raw inputs of the artefact: `sex` as text, `measures` in contract order in mm and g."""
    return {
        "sex": (TensorProto.STRING, ["rows"]),
        "measures": (TensorProto.FLOAT, ["rows", len(contract.measures)]),
    }


def compute_features(contract: Contract, features: Features, pipeline: FeaturePipeline) -> NDArray[np.float32]:
    """Runs the feature nodes alone, as training and tests do."""
    graph = Graph()
    name = add_features(graph, contract, pipeline)
    inputs = graph_inputs(contract)
    feeds = {"sex": np.array(features.category, dtype=np.object_), "measures": features.measures}
    if pipeline.scaling is None:
        inputs, feeds = {"measures": inputs["measures"]}, {"measures": features.measures}
    session = onnxruntime.InferenceSession(graph.serialize(inputs, {name: ["rows", "features"]}, {}))
    return session.run([name], feeds)[0]


def fit_features(contract: Contract, features: Features) -> FeaturePipeline:
    """Learns from training rows how to repair heights, how to replace missing measures, and how to scale.

    Raises:
        ValueError: the contract does not have the measures that the features need.
    """
    require_measures(contract)
    unscaled = FeaturePipeline(
        fit_height(contract, features.measures), fit_imputations(contract, features.measures), None
    )
    continuous = compute_features(contract, features, unscaled).astype(np.float64)
    deviation = continuous.std(axis=0)
    # A column that never varies has no information; divided by one, it is a harmless constant zero.
    scaling = Scaling(continuous.mean(axis=0), np.where(deviation > 1e-6, deviation, 1.0))
    return replace(unscaled, scaling=scaling)
