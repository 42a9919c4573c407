"""Gradients of our own, and graphs without them for whoever only runs a network.

A converter to another format, or a server, knows TensorFlow's own forward operations.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_thread = threading.local()


@contextlib.contextmanager
def forward_only() -> Iterator[None]:
    """What is traced in the block, by this thread, has plain operations alone.

    The values are the same. Its gradients are TensorFlow's own, so nothing that is
    trained belongs here.
    """
    before, _thread.forward_only = is_forward_only(), True
    try:
        yield
    finally:
        _thread.forward_only = before


def is_forward_only() -> bool:
    """Whether the caller is within `forward_only`."""
    return getattr(_thread, "forward_only", False)


def custom_gradient(function: Callable[..., tuple[Any, Callable]]) -> Callable:
    """`tf.custom_gradient`, but the values alone within `forward_only`.

    AutoGraph is kept away: it would look through `tf.custom_gradient`, which it does to
    no function that Keras calls but does to one that a user's `tf.function` calls.
    """
    with_gradient = tf.custom_gradient(function)

    def call(*tensors: Any) -> Any:
        return function(*tensors)[0] if is_forward_only() else with_gradient(*tensors)

    # Not `functools.wraps`, whose mark AutoGraph follows to the function itself.
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return tf.autograph.experimental.do_not_convert(call)
