"""FID's arithmetic at Inception's size: the generated side against cached moments.

    python -m logan_tf.benchmarks.frechet_distance [NUM_SAMPLES]

50,000 features of 2,048 numbers arrive in batches, as a classifier hands them out, and
are compared with moments that a file holds. Prints seconds and peak memory.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from logan_tf.evaluation import statistics_files
from logan_tf.evaluation.statistics_files import FeatureStatistics
from logan_tf.metrics import distances
from logan_tf.metrics.moments import MomentsAccumulator, moments_of

_DIM = 2048
_BATCH = 500


def _features(seed: int, num: int) -> np.ndarray:
    """Rectified and of geometrically falling variances, float32 [num, 2048]."""
    generator = np.random.default_rng(seed)
    scales = np.geomspace(1, 1e-3, _DIM, dtype=np.float32)
    drawn = generator.standard_normal((num, _DIM), np.float32)
    return np.maximum(drawn * scales + 0.3 * scales, 0)


def main() -> None:
    """Times the sums and the distance apart; making the features is not counted."""
    num = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "reference.npz")
        statistics_files.write(
            path, FeatureStatistics(moments_of(_features(0, 10_000)))
        )
        accumulator = MomentsAccumulator()
        accumulated = summed = 0.0
        for index in range(num // _BATCH):
            batch = _features(1 + index, _BATCH)
            started, worked = time.perf_counter(), time.process_time()
            accumulator.add(batch)
            accumulated += time.perf_counter() - started
            summed += time.process_time() - worked
        started, worked = time.perf_counter(), time.process_time()
        reference = statistics_files.read(path, _DIM)
        distance = distances.frechet_distance(reference.moments, accumulator.moments())
        compared = time.perf_counter() - started
        worked = time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"FID {distance:.6g} of {num:,} x {_DIM:,} features")
    print(f"moments {accumulated:.1f} s ({summed:.1f} s of the processor)")
    print(f"distance {compared:.1f} s ({worked:.1f} s of the processor)")
    print(f"together {accumulated + compared:.1f} s, peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
