"""What TensorBoard shows beside the curves: descriptions, one page of charts, knobs."""

from collections.abc import Mapping

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from logan_tf import quantities

Value = bool | int | float | str

_PAGE = {
    "losses": "losses/.*_loss",
    "scores": "scores/.*",
    "the latent step": "latent_step/(delta_z_norm|score_gain|absolute_score_gain)",
    "beyond the bounds and overshot": "latent_step/.*_fraction",
    "second-order share": "latent_step/.*_second_order_share",
    "gradient norms": "updates/.*_gradient_norm",
    "largest singular value": "updates/.*_sigma",
    "spectrum of the game": "spectrum/.*",
}
"""The charts of the page, from the top, and the tags in each."""


def scalar(tag: str, name: str, value: float | int, described: bool) -> bytes:
    """A number as a serialized summary.

    Args:
      tag: what TensorBoard calls it.
      name: the quantity's.
      value: finite.
      described: whether to add what the quantity is: a tag's first event counts.
    """
    known = quantities.find(name)
    text = known.description if described else None
    return scalar_pb(tag, value, text).SerializeToString()


def page() -> bytes:
    """The layout of the custom scalars' page, as a serialized summary."""
    charts = [
        layout_pb2.Chart(
            title=title, multiline=layout_pb2.MultilineChartContent(tag=[tags])
        )
        for title, tags in _PAGE.items()
    ]
    category = layout_pb2.Category(title="training", chart=charts)
    return custom_scalar.pb(layout_pb2.Layout(category=[category])).SerializeToString()


def knobs(values: Mapping[str, object]) -> bytes:
    """The run's macros as hyperparameters, so that runs can be compared by them.

    Those that are neither number nor text are left out.
    """
    told = {name: x for name, x in values.items() if isinstance(x, Value)}
    return hparams.hparams_pb(told).SerializeToString()
