"""Enlarged frames: the picture is what enlarging alone makes of it, and faces lie in it where they belong."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gfpvideo.composite.enlarge import enlarge
from gfpvideo.composite.paste import pasted
from gfpvideo.composite.raster import taken
from gfpvideo.faces.align import FFHQ_512, cut, template
from gfpvideo.frames import Face, Frame, GeneratedFrame, Rect, RestoredCrop, Samples
from gfpvideo.media.enlarge import Enlarger, lanczos
from gfpvideo.media.filters import filtered
from gfpvideo.media.orientation import EXIF_TURNS, Orientation
from gfpvideo.media.pixel_format import components, read_only, samples
from gfpvideo.media.still import components_of
from gfpvideo.pixels.color import FloatImage, component_slices, read_rgb
from gfpvideo.pixels.geometry import invert, move
from gfpvideo.pixels.patches import patched
from helpers import generated_frame, smooth_picture, write_film

SIZE = 256
FACE = FFHQ_512 * 0.2 + (30, 22)


def photograph(pixels: NDArray[np.integer], turn: int = 1, aspect: Fraction = Fraction(1)) -> Frame:
    """A frame that carries its samples, as photographs do."""
    height, width = pixels.shape[:2]
    return Frame(
        index=0,
        pts=0,
        time_base=Fraction(1),
        components=read_only(components_of(pixels)),
        samples=Samples("rgb" if pixels.ndim == 3 else "gray", 8 * pixels.itemsize, full_range=True),
        to_display=Orientation(width, height, aspect, EXIF_TURNS[turn]).to_display(),
        shrink=lambda columns, rows: np.zeros((rows, columns, 3), np.uint8),
        picture=pixels,
    )


def film_frame(pix_fmt: str, height: int, width: int, random: np.random.Generator) -> Frame:
    """A frame of a film, with noise in it."""
    rgb = np.rint(255 * smooth_picture(random, height, width) + random.normal(0, 6, (height, width, 3)))
    picture: Any = av.VideoFrame.from_ndarray(np.clip(rgb, 0, 255).astype(np.uint8), format="rgb24")
    picture = picture.reformat(format=pix_fmt)
    picture.pts, picture.time_base = 7, Fraction(1, 25)
    return replace(
        photograph(rgb.astype(np.uint8)),
        pts=7,
        time_base=Fraction(1, 25),
        components=read_only(components(picture)),
        samples=samples(picture),
        picture=picture,
    )


def restored_in(frame: Frame, change: FloatImage | None, landmarks: NDArray[np.float64] = FACE) -> GeneratedFrame:
    """A frame with one face, restored to its source plus a change, inside a mask that is 1 but near the border."""
    crop = cut(frame, Face(3, landmarks, False), template(SIZE), SIZE)
    assert crop is not None
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[40:-40, 40:-40] = 1
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 6), np.float32) * (cv2.GaussianBlur(mask, (0, 0), 6) > 1e-3)
    restored = crop.source if change is None else (crop.source + change).astype(np.float32)
    return generated_frame(frame, RestoredCrop(crop, restored, mask))


def large(work: GeneratedFrame, times: int = 2, network: Any = None) -> GeneratedFrame:
    (made,) = enlarge(iter([work]), Enlarger(times, network))
    return made


@pytest.mark.parametrize("turn", [1, 3, 6, 5])
@pytest.mark.parametrize("times", [2, 3, 8])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(16, 11)])
def test_a_crop_lands_where_it_belongs(turn: int, times: int, aspect: Fraction) -> None:
    """A spot that a restoration adds at a known place of the picture is found there, to a twentieth of a pixel."""
    frame = photograph(np.full((140, 170), 20_000, np.uint16), turn, aspect)
    centre = frame.to_display @ np.array([84.3, 66.8, 1.0])
    landmarks = centre + (FFHQ_512 - 255.5) * 0.2 @ np.array([[0.96, 0.28], [-0.28, 0.96]])
    plain = restored_in(frame, None, landmarks)
    film_place = np.array([86.2, 68.4])
    x, y = move(plain.crops[0].crop.to_crop, film_place[None])[0]
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    spot = 0.4 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 7.0**2))
    work = large(restored_in(frame, np.repeat(spot[..., None], 3, axis=2).astype(np.float32), landmarks), times)
    restored = pasted(work, 1.0, "model")
    found = patched(restored)[0].astype(float) - work.frame.components[0]
    assert found.shape == (140 * times, 170 * times)
    assert found.max() > 3000
    rows, columns = np.mgrid[: 140 * times, : 170 * times]
    place = np.array([(found * columns).sum(), (found * rows).sum()]) / found.sum()
    assert np.abs(place - ((film_place + 0.5) * times - 0.5)).max() < 0.05


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj422p", "yuv420p10le", "yuv411p", "nv12", "gbrp", "gray", "rgb24"])
@pytest.mark.parametrize("times", [2, 3])
def test_outside_faces_the_picture_is_the_enlarged_one(pix_fmt: str, times: int, tmp_path: Path) -> None:
    """Sample by sample what FFmpeg's filter makes of it, of odd sides too."""
    random = np.random.default_rng(2)
    frame = film_frame(pix_fmt, 131, 167, random)
    film = write_film(tmp_path / "film.mkv", [np.zeros((32, 32, 3), np.uint8)], pix_fmt="yuv420p")
    with av.open(str(film)) as container:
        picture: Any = frame.picture
        (alone,) = filtered(iter([picture]), [lanczos(times)], container.streams.video[0], Fraction(1, 25))
    texture = random.normal(0, 0.2, (SIZE, SIZE, 3)).astype(np.float32)
    work = large(restored_in(frame, texture), times)
    restored = pasted(work, 1.0, "source")
    ((_, rect),) = restored.touched
    assert work.frame.samples == frame.samples
    for number, (found, wanted) in enumerate(zip(patched(restored), components(alone), strict=True)):
        window = component_slices(rect, frame.samples, number)
        assert found[window].astype(int).std() > wanted[window].astype(int).std() or number
        outside = np.ones(found.shape, bool)
        outside[window] = False
        assert outside.any()
        assert np.array_equal(found[outside], wanted[outside])


def test_times_and_side_data_stay() -> None:
    frame = film_frame("yuv420p", 40, 60, np.random.default_rng(1))
    made = Enlarger(2)(frame)
    picture: Any = made.picture
    assert (picture.pts, picture.time_base, picture.width, picture.height) == (7, Fraction(1, 25), 120, 80)
    assert (made.index, made.pts, made.size, made.display_size) == (0, 7, (120, 80), (120.0, 80.0))
    assert frame.size == (60, 40)
    with pytest.raises(ValueError, match="read-only"):
        made.components[0][0, 0] = 1


def test_without_an_enlarger_frames_pass() -> None:
    work = restored_in(photograph(np.full((140, 170), 99, np.uint8)), None)
    assert next(enlarge(iter([work]), None)) is work


@pytest.mark.parametrize("shape", [(31, 45), (31, 45, 3), (31, 45, 2), (31, 45, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_photographs_of_every_kind_are_enlarged(shape: tuple[int, ...], kind: type[np.integer]) -> None:
    """Shades of grey or colours, with or without transparency, of 8 and 16 bits: smooth pictures stay what they are."""
    peak = np.iinfo(kind).max
    whole = (peak * smooth_picture(np.random.default_rng(3), 62, 90)).astype(np.float32)
    planes = [whole[..., index % 3] for index in range(shape[2] if len(shape) == 3 else 1)]
    small = [cv2.resize(plane, (45, 31), interpolation=cv2.INTER_AREA) for plane in planes]
    pixels = np.rint(np.stack(small, axis=2)).astype(kind).reshape(shape)
    made: Any = Enlarger(2)(photograph(pixels)).picture
    assert (made.shape, made.dtype) == ((62, 90, *shape[2:]), np.dtype(kind))
    wanted = np.stack(planes, axis=2).reshape(made.shape)
    assert np.abs(made.astype(float) - wanted)[4:-4, 4:-4].max() < 0.02 * peak


def test_a_network_draws_colours_and_never_transparency() -> None:
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[..., 3] = 200

    def white(rgb: FloatImage) -> FloatImage:
        assert rgb.shape == (20, 30, 3)
        return np.ones((40, 60, 3), np.float32)

    made: Any = Enlarger(2, white)(photograph(pixels)).picture
    assert (made[..., :3] == 255).all()
    assert (made[..., 3] == 200).all()
    grey: Any = Enlarger(2, white)(photograph(pixels[..., 0])).picture
    assert grey.shape == (40, 60)
    assert (grey == 255).all()


def test_detail_finer_than_the_film_comes_into_the_picture() -> None:
    """Stripes that the small raster cannot hold, and the large one can."""
    frame = photograph(np.full((140, 170), 120, np.uint8))
    scale = 1 / 0.4  # crop pixels for each of the film's
    stripes = 0.4 * np.sin(2 * np.pi * np.arange(SIZE, dtype=np.float32) / (1.5 * scale))
    work = restored_in(frame, np.broadcast_to(stripes[None, :, None], (SIZE, SIZE, 3)).astype(np.float32))

    def contrast(made: GeneratedFrame, times: int) -> float:
        x, y = np.rint(move(invert(made.crops[0].crop.to_crop), np.array([[127.5, 127.5]]))[0]).astype(int)
        shown = patched(pasted(made, 1.0, "model"))[0].astype(float)
        return float(shown[y - 4 * times : y + 4 * times, x - 8 * times : x + 8 * times].std())

    assert contrast(work, 1) < 6
    assert contrast(large(work), 2) > 20


def test_what_a_network_drew_does_not_show_through_a_face() -> None:
    """It draws a pattern everywhere; in the face there is what the restoration says, and nothing of the pattern."""
    frame = photograph(np.full((140, 170, 3), 120, np.uint8))

    def pattern(rgb: FloatImage) -> FloatImage:
        assert rgb.shape[:2] == (140, 170)
        rows, columns = np.mgrid[:280, :340]
        return np.repeat((0.5 + 0.2 * np.sin(rows / 1.3) * np.sin(columns / 1.4))[..., None], 3, axis=2)

    work = large(restored_in(frame, None), network=pattern)
    assert taken(work.crops[0].crop, np.ones((8, 8, 3), np.float32), np.zeros((8, 8), np.float32)) == 1
    rgb = read_rgb(patched(pasted(work, 1.0, "source")), frame.samples, Rect(0, 0, 340, 280))
    x, y = np.rint(move(invert(work.crops[0].crop.to_crop), np.array([[127.5, 127.5]]))[0]).astype(int)
    assert rgb[y - 20 : y + 20, x - 20 : x + 20].std() < 0.005
    assert rgb[:40].std() > 0.05


@pytest.mark.parametrize("scale", [0.35, 0.51, 0.9])
def test_how_far_a_crop_stands_for_the_frame_is_the_films_matter(scale: float) -> None:
    """Lanczos adds nothing: what the film's raster held decides, whatever the frame is enlarged to."""
    work = restored_in(photograph(np.full((600, 700), 120, np.uint8)), None, FFHQ_512 * scale + 40)
    before, after = work.crops[0].crop, large(work, 3).crops[0].crop
    detail, nowhere = np.ones((8, 8, 3), np.float32), np.zeros((8, 8), np.float32)
    assert taken(before, detail, nowhere) == pytest.approx(taken(after, detail, nowhere), abs=1e-6)
    assert (after.rect.width, after.rect.height) == (3 * before.rect.width, 3 * before.rect.height)
