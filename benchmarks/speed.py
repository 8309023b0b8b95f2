"""Where the time goes: frames a second and the share of each stage, on one clip.

    python benchmarks/speed.py film.mp4 [KEY=VALUE of RestoreOptions ...]

The film is restored once to warm the caches, then --runs times; the median run is shown. Stages overlap: their times
add up to more than the whole. Nothing else should run meanwhile.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import gfpvideo


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("options", nargs="*", help="KEY=VALUE of RestoreOptions")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    values = dict(option.split("=", 1) for option in arguments.options)
    options = gfpvideo.RestoreOptions.parse({**values, "overwrite": True})
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "restored.mkv"
        runs = [gfpvideo.restore(arguments.film, target, options) for _ in range(arguments.runs + 1)][1:]
    report = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    rate = statistics.median(run.frames / run.seconds for run in runs)
    print(f"{report.frames} frames, {report.faces} faces, {report.model} on {report.engine}: {rate:.1f} fps")
    for name, seconds in sorted(report.stages.items(), key=lambda stage: -stage[1]):
        each, share = 1000 * seconds / report.frames, seconds / report.seconds
        print(f"  {name:<10} {each:7.1f} ms a frame   {share:5.0%} of the time")


if __name__ == "__main__":
    main()
