"""Time and garbage of the Java core's preprocessing, for each way to fit and to resize a frame.

    python benchmarks/preprocess_speed.py [--quick]

Measured by JMH on this machine's JVM: a frame of 640 x 480, turned by 90 degrees, into a float
tensor.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from postprocess_speed import QUICK, THOROUGH, jmh


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds, not minutes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        runs = jmh(Path(work), QUICK if options.quick else THOROUGH, "Preprocessing")
    for run in runs:
        side, mode, interpolation, antialias = (
            run["params"][name] for name in ("side", "mode", "interpolation", "antialias")
        )
        way = f"{'antialiased ' if antialias == 'true' else ''}{interpolation.lower()}"
        microseconds = run["primaryMetric"]["score"]
        allocated = run["secondaryMetrics"]["gc.alloc.rate.norm"]["score"]
        print(f"{side:>4} {mode.lower():12}{way:22}{microseconds:10.1f} us{allocated:8.1f} bytes")


if __name__ == "__main__":
    main()
