"""What covers a face stays as it is, whatever the generator makes of it; and masks of other shapes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from facexlib.parsing.parsenet import ParseNet

from gfpvideo.composite.guard import agreement, guarded
from gfpvideo.composite.mask import mask as masked
from gfpvideo.composite.mask import outlined
from gfpvideo.composite.paste import pasted
from gfpvideo.errors import WeightsError
from gfpvideo.frames import GeneratedFrame, Motion, RestoredCrop, Samples, Shape
from gfpvideo.networks.landmarks import OUTLINE, POINTS
from gfpvideo.networks.parsenet import FaceParser
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.patches import patched
from gfpvideo.pixels.regions import border_fade, face_mask
from gfpvideo.temporal.motion import SIDE
from gfpvideo.temporal.steady import steady
from helpers import frame_of, generated_frame, restored_crop

SIZE = 256
COVERS = {"hand": (198, 150, 122), "microphone": (35, 35, 40), "book": (40, 110, 60)}


@pytest.fixture(scope="module")
def face() -> FloatImage:
    portrait = skimage.data.astronaut()[0:200, 124:324]
    return (cv2.resize(portrait, (SIZE, SIZE), interpolation=cv2.INTER_AREA) / 127.5 - 1).astype(np.float32)


def blurred(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.float32)


def covered(face: FloatImage, colour: Sequence[int]) -> tuple[FloatImage, FloatImage]:
    """The face with something of a colour over its mouth, and where."""
    region = np.zeros((SIZE, SIZE), np.float32)
    cv2.ellipse(region, (128, 190), (34, 40), 0, 0, 360, 1.0, -1)
    alpha = cv2.GaussianBlur(region, (0, 0), 1)[..., None]
    with_cover = face * (1 - alpha) + alpha * (np.array(colour, np.float32) / 127.5 - 1)
    return np.asarray(with_cover, np.float32), region


def frame_with(crop: RestoredCrop) -> GeneratedFrame:
    planes = [np.rint((crop.crop.source[..., index] + 1) * 127.5).astype(np.uint8) for index in range(3)]
    return generated_frame(frame_of(planes, Samples("rgb", 8, full_range=True)), crop)


def test_a_true_restoration_is_not_held_up(face: FloatImage) -> None:
    assert agreement(blurred(face), face) is None
    darker = np.asarray(face * 0.9 - 0.1, np.float32)
    assert agreement(blurred(face), darker) is None
    untouched = restored_crop(blurred(face), face)
    assert guarded(untouched) is untouched


@pytest.mark.parametrize("colour", COVERS.values(), ids=COVERS)
def test_a_face_invented_over_a_cover_is_left_out(colour: Sequence[int], face: FloatImage) -> None:
    """The generator returns the bare face: pasted, the cover is still there and the rest is restored."""
    source, region = covered(blurred(face), colour)
    frame = frame_with(guarded(restored_crop(source, face)))
    restored = patched(pasted(frame, 1.0, "model"))
    before, after = (np.stack(planes, axis=2).astype(np.float32) for planes in (frame.frame.components, restored))
    change, wanted = np.abs(after - before).mean(axis=2), np.abs((face - source) * 127.5).mean(axis=2)
    cover = (cv2.erode(region, np.ones((5, 5))) > 0) & (wanted > 20)
    assert cover.sum() > 500
    assert change[cover].mean() < 0.15 * wanted[cover].mean()
    eyes = face_mask(SIZE) > 0.95
    eyes[130:] = False
    assert change[eyes].mean() > 0.9 * wanted[eyes].mean()


def test_masks_are_averaged_with_the_restorations(face: FloatImage) -> None:
    """A guard that trips in one frame of a still shot only fades; nothing blinks."""
    open_mask = face_mask(SIZE)
    closed = np.zeros_like(open_mask)
    frames = [frame_with(restored_crop(face, face, closed if index == 4 else None)) for index in range(9)]
    still = Motion(*2 * (partial(np.zeros, (SIDE, SIDE, 2), np.float32),))
    moved = (
        replace(frame, crops=tuple(replace(each, crop=replace(each.crop, motion=still)) for each in frame.crops))
        for frame in frames
    )
    (middle,) = list(steady(moved, 4))[4].crops
    assert np.abs(middle.mask - open_mask * 8 / 9).max() < 0.02
    assert middle.mask[0].max() == 0


def test_a_parsed_mask_is_soft_and_ends_before_the_border(face: FloatImage) -> None:
    def left_half(crops: np.ndarray) -> np.ndarray:
        found = np.zeros((len(crops), SIZE, SIZE), np.float32)
        found[:, :, :128] = 1
        return found

    (found,) = masked(iter([frame_with(restored_crop(face, face))]), "parsing", left_half)
    mask = found.crops[0].mask
    assert mask[128, 64] > 0.99
    assert mask[128, 192] < 0.01
    assert 0.4 < mask[128, 128] < 0.6
    assert mask[0].max() == mask[:, 0].max() == 0
    assert np.abs(np.diff(mask, axis=1)).max() < 0.1
    assert border_fade(SIZE)[128, 128] == 1


@pytest.mark.slow
def test_parsenet_of_any_weights_gives_shares(tmp_path: Path, face: FloatImage) -> None:
    torch.manual_seed(0)
    torch.save(ParseNet(512, 512, parsing_ch=19).state_dict(), tmp_path / "parsenet.pth")
    (found,) = FaceParser(tmp_path / "parsenet.pth")(face.transpose(2, 0, 1)[None].copy())
    assert found.shape == (SIZE, SIZE)
    assert found.min() >= 0
    assert found.max() <= 1


def test_wrong_weights_of_a_parser_are_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "parsenet.pth")
    with pytest.raises(WeightsError, match="not the weights of ParseNet"):
        FaceParser(tmp_path / "parsenet.pth")


def test_an_outlined_mask_follows_the_face(face: FloatImage) -> None:
    """A narrow face gets a narrow mask, an open mouth a lower chin; nothing reaches the crop's border."""
    round_face = np.zeros((POINTS, 2))
    angles = np.linspace(0, 2 * np.pi, len(OUTLINE), endpoint=False)
    round_face[OUTLINE] = np.stack([128 + 50 * np.sin(angles), 140 - 64 * np.cos(angles)], axis=1)
    wide, narrow, long = (outlined(Shape(round_face * size + shift, 0.0, 1.0), 256) for size, shift in (
        ([1.0, 1.0], [0, 0]), ([0.6, 1.0], [128 * 0.4, 0]), ([1.0, 1.15], [0, -140 * 0.15 + 13.5]),
    ))  # fmt: skip
    assert min(wide[140, 128], narrow[140, 128]) > 0.98
    assert wide[140, 170] > 0.9
    assert wide[140, 190] > narrow[140, 190] + 0.3
    assert narrow[140, 190] < 0.05
    assert long[232, 128] > wide[232, 128] + 0.2
    for each in (wide, narrow, long):
        assert each[[0, -1]].max() == each[:, [0, -1]].max() == 0
    crop = replace(
        restored_crop(face, face), crop=replace(restored_crop(face, face).crop, shape=Shape(round_face, 0, 1))
    )
    (found,) = masked(iter([frame_with(crop)]), "outline", None)
    assert np.array_equal(found.crops[0].mask, outlined(Shape(round_face, 0, 1), len(face)))
    (kept,) = masked(iter([frame_with(restored_crop(face, face))]), "outline", None)
    assert kept.crops[0].mask is face_mask(len(face))
