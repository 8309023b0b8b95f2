"""How much faster a film is restored than in the usual way, frame by frame with the published packages.

    python benchmarks/baseline.py film.mp4 --environment /tmp/gfpgan-environment

The usual way is gfpgan 1.3.8 with basicsr and facexlib: every frame through RetinaFace (ResNet-50, full size), each
face aligned by five points, through the 512 network in float32, through ParseNet for its mask, and pasted; nothing
overlapped. Those packages live in an environment of their own, made if it is not there (needs a package index).

Both sides run the same network with the same random weights (speed does not depend on their values) on the same frames,
640x360 and encoded once for both. As random detectors find no faces, the usual way is told where the face is, after its
detector has run. Nothing else should run meanwhile.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (640, 360)
PLAIN = ["torch", "torchvision", "numpy", "opencv-python", "scipy", "pillow", "lmdb", "pyyaml", "tqdm", "requests",
         "filterpy", "addict", "yapf", "scikit-image", "setuptools", "wheel", "cython", "future", "av"]  # fmt: skip
PUBLISHED = ["--no-deps", "--no-build-isolation", "basicsr==1.4.2", "gfpgan==1.3.8", "facexlib"]


def main() -> None:
    """Measure both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path, help="one face in every frame, best about 16:9")
    parser.add_argument("--environment", type=Path, help="Python environment of the published packages")
    parser.add_argument("--frames", type=int, default=40, help="frames that ours restores")
    parser.add_argument("--slow-frames", type=int, default=4, help="frames that the usual way restores")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reference", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reference is not None:
        print(json.dumps(usual_way(arguments.film, **arguments.reference)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Run both sides ``--runs`` times, one after the other."""
    python = str(prepared(arguments.environment))
    clip, weights = small_clip(arguments.film, folder / "clip.mkv", arguments.frames), random_weights(folder)
    asked = json.dumps(
        {"weights": str(weights), "landmarks": landmarks_of(clip).tolist(), "count": arguments.slow_frames}
    )
    ours, theirs, each = [], [], []
    for run in range(arguments.runs + 1):
        fps, generator, busiest = our_way(clip, weights, folder / "out.mkv")
        command = [python, __file__, str(clip), "--reference", asked]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own words
        usual = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{run}: ours {fps:.3f} fps (wall time {busiest:.2f} of the busiest stage), usual {usual['fps']:.4f} fps",
            flush=True,
        )
        if run:  # the first one warms the caches
            ours.append(fps)
            theirs.append(usual["fps"])
            each.append(generator / usual["generator"])
    print(f"end to end: {statistics.median(ours) / statistics.median(theirs):.1f} times the usual way's fps")
    print(f"generator:  {statistics.median(each):.3f} of torch float32 for each face")


def prepared(folder: Path | None) -> Path:
    """The Python of the environment in ``folder``, made unless it is there."""
    if folder is None:
        raise SystemExit("give --environment FOLDER: where the published packages are, or shall be installed")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        for packages in (PLAIN, PUBLISHED):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)  # noqa: S603
    return python


def small_clip(film: Path, target: Path, frames: int) -> Path:
    """The first frames of a film, scaled to 640x360."""
    with av.open(str(film)) as source, av.open(str(target), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, picture in zip(range(frames), source.decode(video=0), strict=False):
            small = picture.reformat(*SIZE, format="yuv420p")
            small.pts, small.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(small))
        container.mux(stream.encode(None))
    return target


def random_weights(folder: Path) -> Path:
    """A file of the published 512 network with random weights."""
    import torch

    from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig

    torch.manual_seed(0)
    path = folder / "random.pth"
    torch.save({"params_ema": Gfpgan(GfpganConfig()).state_dict()}, path)
    return path


def landmarks_of(clip: Path) -> np.ndarray:
    """(5, 2) landmarks of the face in the first frame."""
    from gfpvideo.faces.detectors.centerface import CenterFace

    with av.open(str(clip)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="bgr24")
    return CenterFace(0.5).detect([np.asarray(picture, np.uint8)])[0][0].landmarks


def our_way(clip: Path, weights: Path, target: Path) -> tuple[float, float, float]:
    """Frames a second of ours, seconds of the generator alone for each face, and wall time over the busiest stage's."""
    import gfpvideo

    started = time.perf_counter()
    generator = gfpvideo.load_generator(str(weights))
    loading = time.perf_counter() - started
    alone = statistics.median(timed_call(generator) for _ in range(5))
    options = gfpvideo.RestoreOptions(model=str(weights), overwrite=True, adapt=False)
    report = gfpvideo.restore(clip, target, options)
    assert report.faces == report.frames, "take a clip with one face in each frame"
    seconds = report.seconds - loading  # which the usual way is not charged for either
    return report.frames / seconds, alone, seconds / max(report.stages.values())


def timed_call(generator: Any) -> float:
    """Seconds for one crop."""
    crop = np.zeros((1, 3, generator.size, generator.size), np.float32)
    started = time.perf_counter()
    generator(crop)
    return time.perf_counter() - started


def usual_way(film: Path, weights: str, landmarks: list[list[float]], count: int) -> dict[str, float]:
    """Runs in the other environment: frames a second and seconds of the generator for each face."""
    import types

    import torch

    stand_in: Any = types.ModuleType("torchvision.transforms.functional_tensor")
    stand_in.rgb_to_grayscale = None  # torchvision dropped the module; nothing here calls what is imported from it
    sys.modules[stand_in.__name__] = stand_in
    from facexlib.detection.retinaface import RetinaFace  # type: ignore[import-not-found]
    from facexlib.parsing.parsenet import ParseNet  # type: ignore[import-not-found]
    from facexlib.utils import face_restoration_helper as helpers  # type: ignore[import-not-found]
    from gfpgan import GFPGANer  # type: ignore[import-not-found]

    detector = RetinaFace(network_name="resnet50", half=False, device="cpu").eval()
    helpers.init_detection_model = lambda *_, **__: detector
    helpers.init_parsing_model = lambda *_, **__: ParseNet(in_size=512, out_size=512, parsing_ch=19).eval()

    def told(helper: Any, **_: object) -> int:
        with torch.no_grad():
            detector.detect_faces(helper.input_img, 0.97)
        helper.all_landmarks_5 = [np.array(landmarks)]
        return 1

    patched: Any = helpers.FaceRestoreHelper
    patched.get_face_landmarks_5 = told
    restorer = GFPGANer(weights, upscale=1, arch="clean", channel_multiplier=2, bg_upsampler=None, device="cpu")
    spent = [0.0]
    run = restorer.gfpgan.forward

    def timed(*values: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return run(*values, **named)
        finally:
            spent[0] += time.perf_counter() - started

    restorer.gfpgan.forward = timed
    with av.open(str(film)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for _, frame in zip(range(count), container.decode(video=0))]  # noqa: B905
    started = time.perf_counter()
    for picture in pictures:
        restorer.enhance(picture, has_aligned=False, only_center_face=False, paste_back=True, weight=0.5)
    seconds = time.perf_counter() - started
    return {"fps": count / seconds, "generator": spent[0] / count}


if __name__ == "__main__":
    main()
