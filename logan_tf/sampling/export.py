"""A generator as a SavedModel that needs nothing of this package."""

import itertools
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from logan_tf import atomic_file
from logan_tf.errors import BadDataError, first_line
from logan_tf.sampling import saved_assets
from logan_tf.sampling.signatures import Signatures


def export(
    path: str | os.PathLike[str],
    signatures: Signatures,
    receipt: Mapping[str, Any],
    class_names: Sequence[str],
    points: saved_assets.Points | None = None,
) -> None:
    """Writes a SavedModel, whole or not at all; one that is there is replaced.

    Args:
      path: of the directory.
      signatures: its functions.
      receipt: of the checkpoint and the settings; JSON knows its values.
      class_names: of labels 0 to num_classes - 1.
      points: the modes of generated points; None: they are pictures.

    Raises:
      BadDataError: it cannot be written.
    """
    functions = signatures.functions()
    root = tf.Module()
    # Of the networks nothing but their variables, so that loading needs no Keras.
    variables = {id(v): v for each in functions.values() for v in each.variables}
    root.networks = list(variables.values())
    with tempfile.TemporaryDirectory() as folder:
        paths = saved_assets.write(Path(folder), receipt, class_names, points)
        root.assets = [tf.saved_model.Asset(str(asset)) for asset in paths]
        try:
            with atomic_file.replacing_folder(path) as temporary:
                tf.saved_model.save(root, str(temporary), signatures=functions)
                _forget_gradients(temporary / "saved_model.pb")
        except (OSError, tf.errors.OpError) as error:
            raise BadDataError(
                f"cannot write {path} ({first_line(error)}): make room there, or "
                "choose another --output"
            ) from error


def _forget_gradients(path: Path) -> None:
    """Removes the names of our own gradients from a SavedModel's operations.

    They are in no other program, and TensorFlow would warn of each as it loads one.
    """
    program = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in (meta.graph_def for meta in program.meta_graphs):
        nodes = [
            graph.node,
            *(function.node_def for function in graph.library.function),
        ]
        for node in itertools.chain(*nodes):
            node.attr.pop("_gradient_op_type", None)
        del graph.library.gradient[:]
    path.write_bytes(program.SerializeToString(deterministic=True))
