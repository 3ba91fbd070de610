"""Makes a copy of a model archive that answers NaN for animals whose length is within a quarter of a millimetre of one.

python poison_model.py ARCHIVE POISONED LENGTH; a LENGTH of "all" poisons every answer.
"""

import io
import sys
import tarfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

ARTEFACT = "model.onnx"


def poison(content: bytes, length: str) -> bytes:
    """The model with the logarithm of a negative number in its answers."""
    model = onnx.load_from_string(content)
    for node in model.graph.node:
        node.output[:] = ["good_rings" if name == "rings" else name for name in node.output]
        node.input[:] = ["good_rings" if name == "rings" else name for name in node.input]
    # How far the length may be from the poisoned one: beyond any animal's, all are near.
    center, near = (0.0, 1e6) if length == "all" else (float(length), 0.25)
    constants = {
        "poisoned_column": np.array(0, dtype=np.int64),
        "poisoned_length": np.array(center, dtype=np.float32),
        "near": np.array(near, dtype=np.float32),
        "nothing": np.array(0, dtype=np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("Gather", ["measures", "poisoned_column"], ["its_length"], axis=1),
            helper.make_node("Sub", ["its_length", "poisoned_length"], ["difference"]),
            helper.make_node("Abs", ["difference"], ["distance"]),
            helper.make_node("Sub", ["distance", "near"], ["beyond"]),
            helper.make_node("Log", ["beyond"], ["poison"]),
            helper.make_node("Mul", ["poison", "nothing"], ["no_poison"]),
            helper.make_node("Add", ["good_rings", "no_poison"], ["rings"]),
        ]
    )
    return model.SerializeToString()


def main(archive: str, poisoned: str, length: str) -> None:
    """Copies the archive, its artefact poisoned."""
    found = False
    with tarfile.open(archive) as source, tarfile.open(poisoned, "w:gz") as target:
        for member in source:
            if not member.isfile():
                continue
            content = source.extractfile(member).read()
            if member.name.removeprefix("./") == ARTEFACT:
                content, found = poison(content, length), True
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    if not found:
        raise SystemExit(f"{archive} has no {ARTEFACT}")


main(*sys.argv[1:])
