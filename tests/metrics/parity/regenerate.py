"""Writes features.npz and expected.json: the numbers of torch-fidelity and others.

`make parity` runs this in an environment of its own, because these packages bring
PyTorch. The features are drawn from fixed seeds, with the structure that features of a
network have: correlated, rectified, of very different variances.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import prdc
import torch
from cleanfid import fid as cleanfid
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

HERE = Path(__file__).parent
PACKAGES = ("torch-fidelity", "clean-fid", "prdc", "torch", "numpy", "scipy")
CASES = {  # (real, generated, dimensions)
    "full_rank": (300, 240, 24),
    "rank_deficient": (60, 50, 96),
    "alike": (250, 250, 16),
}


def draw(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real and generated features and logits of a case, float32."""
    num_real, num_generated, dim = CASES[name]
    generator = np.random.default_rng([2019, dim])
    mixing = generator.normal(size=(dim, dim)) * np.geomspace(3, 0.03, dim)[:, None]
    shift = 0.0 if name == "alike" else 0.4
    features = [
        np.maximum(generator.normal(size=(num, dim)) @ mixing / dim**0.5 + offset, 0)
        for num, offset in ((num_real, 0.3), (num_generated, 0.3 + shift))
    ]
    logits = 3 * generator.normal(size=(num_generated, 10))
    real, generated, logits = (x.astype(np.float32) for x in (*features, logits))
    return real, generated, logits


def measure(real: np.ndarray, generated: np.ndarray, logits: np.ndarray) -> dict:
    """What the packages say: IS of one split, KID of one subset of all, k = 3."""
    # In float32 the difference that KID is keeps four digits of a small distance.
    real, generated = (x.astype(np.float64) for x in (real, generated))
    tensors = [torch.from_numpy(x) for x in (real, generated)]
    moments = [metric_fid.fid_features_to_statistics(x) for x in tensors]
    subset = min(len(real), len(generated))
    kid = metric_kid.kid_features_to_metric(
        tensors[0][:subset],
        tensors[1][:subset],
        kid_subsets=1,
        kid_subset_size=subset,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
        rng_seed=0,
        verbose=False,
    )
    prc = metric_prc.prc_features_to_metric(
        tensors[1],
        tensors[0],
        prc_neighborhood=3,
        prc_batch_size=1000,
        save_cpu_ram=False,
        verbose=False,
    )
    score = metric_isc.isc_features_to_metric(torch.from_numpy(logits), splits=1)
    theirs = [(np.mean(x, axis=0), np.cov(x, rowvar=False)) for x in (real, generated)]
    return {
        "torch_fidelity": {
            "fid": metric_fid.fid_statistics_to_metric(*moments, verbose=False)[
                metric_fid.KEY_METRIC_FID
            ],
            "is": score[metric_isc.KEY_METRIC_ISC_MEAN],
            "kid": kid[metric_kid.KEY_METRIC_KID_MEAN],
            "precision": prc["precision"],
            "recall": prc["recall"],
        },
        "cleanfid": {
            "fid": cleanfid.frechet_distance(*theirs[0], *theirs[1]),
            "kid": cleanfid.kernel_distance(
                real[:subset], generated[:subset], num_subsets=1
            ),
        },
        "prdc": prdc.compute_prdc(real, generated, nearest_k=3),
    }


def main() -> None:
    """Overwrites both files."""
    features, expected = {}, {}
    for name in CASES:
        arrays = draw(name)
        for part, array in zip(("real", "generated", "logits"), arrays, strict=True):
            features[f"{name}_{part}"] = array
        expected[name] = {
            package: {metric: float(value) for metric, value in found.items()}
            for package, found in measure(*arrays).items()
        }
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    contents = {"versions": versions, "expected": expected}
    np.savez_compressed(HERE / "features.npz", **features)
    text = json.dumps(contents, indent=2) + "\n"
    (HERE / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
