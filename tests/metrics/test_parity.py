"""Agreement with torch-fidelity, clean-fid and prdc on features that lie in parity/.

`make parity` measures their numbers again. Compared like with like: IS of one split
(theirs shuffles ten by default), KID of one block of all examples (theirs averages
random subsets), k = 3.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from logan_tf.metrics import distances
from logan_tf.metrics.manifolds import manifold_metrics

FOLDER = Path(__file__).parent / "parity"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))[
    "expected"
]


@pytest.fixture(scope="module")
def ours():
    """Case -> what this package measures."""
    found = {}
    with np.load(FOLDER / "features.npz") as file:
        for case in EXPECTED:
            real, generated, logits = (
                file[f"{case}_{part}"] for part in ("real", "generated", "logits")
            )
            subset = min(len(real), len(generated))
            kid, _ = distances.kernel_distance(
                *(real[:subset], generated[:subset]), block_size=subset
            )
            found[case] = {
                "fid": distances.frechet_distance(real, generated),
                "is": distances.inception_score(logits),
                "kid": kid,
                **manifold_metrics(real, generated, nearest=3)._asdict(),
            }
    return found


@pytest.mark.parametrize(
    ("case", "package", "metric"),
    [
        (case, package, metric)
        for case, packages in EXPECTED.items()
        for package, numbers in packages.items()
        for metric in numbers
    ],
)
def test_parity(ours, case, package, metric):
    expected = EXPECTED[case][package][metric]
    assert ours[case][metric] == pytest.approx(expected, rel=1e-4)
