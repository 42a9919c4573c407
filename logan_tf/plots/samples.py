"""What a sampler drew, as a picture."""

import os
from collections.abc import Sequence

from logan_tf.plots import pictures
from logan_tf.sampling.sampler import Samples, to_uint8
from logan_tf.sampling.saved_assets import Points


def save(
    path: str | os.PathLike[str],
    samples: Samples,
    points: Points | None,
    columns: int | None = None,
    rows: Sequence[str] = (),
) -> None:
    """Draws samples as a PNG: a grid of images, or a scatter plot of points.

    Args:
      path: of the PNG.
      samples: images or points.
      points: what points are drawn with; None: the samples are images.
      columns: of the grid; None makes it about square.
      rows: names of the grid's rows, before them; none.
    """
    if points is None:
        pictures.save_grid(path, to_uint8(samples.images), columns, rows=rows)
    else:
        pictures.scatter(path, samples.images, **points)
