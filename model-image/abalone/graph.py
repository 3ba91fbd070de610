"""A small builder for ONNX graphs: it names the nodes, collects the constants, adds the metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

# Old enough for every ONNX Runtime of the last years, new enough for `Equal` on text (19).
OPSET = 20
IR_VERSION = 9


class Graph:
    """Collects the nodes of one ONNX graph in single precision."""

    def __init__(self) -> None:
        """Starts empty."""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: ArrayLike, dtype: Any = np.float32) -> str:  # noqa: ANN401 - numpy's own type for types
        """Adds a constant and returns its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        """Adds a node with one output and returns the output's name."""
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def serialize(
        self,
        inputs: Mapping[str, tuple[int, Sequence[int | str]]],
        outputs: Mapping[str, Sequence[int | str]],
        metadata: Mapping[str, str],
    ) -> bytes:
        """The checked model as bytes; the same nodes, constants and metadata give the same bytes."""
        graph = helper.make_graph(
            self._nodes,
            "abalone",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="acme"
        )
        helper.set_model_props(model, dict(sorted(metadata.items())))
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)
