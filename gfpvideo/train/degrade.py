"""Make clean faces look old: the paper's degradation, and what film and tape do beyond it.

Every function takes a picture, (H, W, 3) float32 RGB in [0, 1], and a random generator where it needs one; it returns a
new picture of the same size and range. The same generator state gives the same picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from gfpvideo.media.recode import recode
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc, to_bytes, ycc_to_rgb

Random = np.random.Generator
Range = tuple[float, float]

_KERNEL = 41
"""Side of the blur kernel at 512 pixels, as in the published settings."""
_REFERENCE_SIZE = 512
"""Size of the crops that the paper's ranges are for."""


@dataclass(frozen=True)
class Degradation:
    """Ranges of the paper's degradation (section 4.1, at 512 pixels) and chances of what film and tape add."""

    blur: Range = (0.2, 10.0)
    """Standard deviation of the blur in pixels."""
    shrink: Range = (1.0, 8.0)
    """How many times smaller the picture becomes before it is enlarged again."""
    noise: Range = (0.0, 15.0)
    """Standard deviation of the noise, of 255."""
    jpeg: Range = (60.0, 100.0)
    """JPEG quality."""
    grey: float = 0.01
    """Chance that face and target both lose their colour."""
    jitter: float = 0.3
    """Chance of a shift of colour that the network is to undo; 0 keeps the source's colour (1.2 and later)."""
    gentle: float = 0.0
    """Chance of a face that needs little: blur, shrinking and noise come from the lower third of their ranges."""
    raster: float = 0.0
    """Chance that noise and compression work on the enlarged picture: a digitised tape is coarse, its raster is not."""
    recode: float = 0.0
    """Chance of a pass through a video codec."""
    film: float = 0.0
    """Chance of grain, dust, fading and uneven light."""
    tape: float = 0.0
    """Chance of smeared colour and interlacing remains."""
    keep_light: bool = True
    """Whether fading and uneven light are left in the target: restoring takes them from the source anyway."""
    codecs: tuple[str, ...] = field(default=("libx264", "mpeg2video"))
    """Codecs to pass through."""

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be drawn from.

        Raises:
            ValueError: if one is empty, or begins below what it can mean.
        """
        for name, least in (("blur", 0.01), ("shrink", 1.0), ("noise", 0.0), ("jpeg", 1.0)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise ValueError(f"{name} wants its least and its largest value, from {least:g} up")


def degrade(clean: FloatImage, settings: Degradation, random: Random) -> tuple[FloatImage, FloatImage]:
    """An aged picture and the picture that it should be restored to."""
    if random.random() < settings.grey:
        clean = greyscale(clean)
    aged = clean
    if random.random() < settings.film:
        aged = uneven_light(aged, random)
        clean = aged if settings.keep_light else clean
        aged = worn_film(aged, random)
    if random.random() < settings.tape:
        aged = age_as_tape(aged, random)
    aged = paper_degradation(aged, settings, random)
    if random.random() < settings.recode:
        aged = recode(aged, str(random.choice(settings.codecs)), float(random.uniform(0.0, 1.0)))
    if random.random() < settings.jitter:
        aged = colour_shift(aged, 20 / 255, random)
    return aged, clean


def paper_degradation(clean: FloatImage, settings: Degradation, random: Random) -> FloatImage:
    """Equation 7 of the paper: ``x = [(y * k_sigma) down_r + n_delta] JPEG_q``, enlarged back to the size of ``y``."""
    height, width = clean.shape[:2]
    scale = height / _REFERENCE_SIZE
    share = 1 / 3 if random.random() < settings.gentle else 1.0
    low, high = (np.log(bound) for bound in settings.blur)
    blurred = blur(clean, float(np.exp(_drawn((low, high), share, random))) * scale, random)
    small = shrink(blurred, _drawn(settings.shrink, share, random))
    if random.random() < settings.raster:
        small = enlarge(small, (width, height))
    small = noise(small, _drawn(settings.noise, share, random) / 255, random)
    small = jpeg(small, round(random.uniform(*settings.jpeg)))
    return enlarge(small, (width, height))


def _drawn(bounds: Range, share: float, random: Random) -> float:
    """A number from the lower ``share`` of a range."""
    return float(random.uniform(bounds[0], bounds[0] + share * (bounds[1] - bounds[0])))


def blur(picture: FloatImage, sigma: float, random: Random) -> FloatImage:
    """Gaussian blur, with equal chance isotropic or drawn out in some direction."""
    size = max(3, round(_KERNEL * picture.shape[0] / _REFERENCE_SIZE) | 1)
    along, across = sigma, sigma if random.random() < 0.5 else sigma * float(random.uniform(0.2, 1.0))
    angle = float(random.uniform(0, np.pi))
    y, x = np.mgrid[-(size // 2) : size // 2 + 1, -(size // 2) : size // 2 + 1]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((u / max(along, 1e-3)) ** 2 + (v / max(across, 1e-3)) ** 2))
    blurred = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def shrink(picture: FloatImage, factor: float) -> FloatImage:
    """Make a picture ``factor`` times smaller (this and :func:`enlarge` change the size)."""
    height, width = (max(2, round(side / factor)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def enlarge(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Bring a picture to ``size`` (width, height)."""
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.float32)


def noise(picture: FloatImage, deviation: float, random: Random) -> FloatImage:
    """Gaussian noise, with equal chance in colour or grey."""
    channels = 3 if random.random() < 0.5 else 1
    grain = random.standard_normal((*picture.shape[:2], channels), dtype=np.float32)
    return _clipped(picture + grain * np.float32(deviation))


def jpeg(picture: FloatImage, quality: int) -> FloatImage:
    """Compress and decompress."""
    coded = cv2.imencode(".jpg", to_bytes(picture)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.float32)
    return decoded[..., ::-1] / np.float32(255)


def greyscale(picture: FloatImage) -> FloatImage:
    """Luma in all three channels."""
    return np.repeat(rgb_to_ycc(picture)[0][..., None], 3, axis=2)


def colour_shift(picture: FloatImage, limit: float, random: Random) -> FloatImage:
    """Shift each channel by up to ``limit``."""
    return _clipped(picture + random.uniform(-limit, limit, 3).astype(np.float32))


def uneven_light(picture: FloatImage, random: Random) -> FloatImage:
    """Fading and darker corners, about as strong as on small-gauge film."""
    return vignette(fade(picture, random), float(random.uniform(0.0, 0.4)))


def worn_film(picture: FloatImage, random: Random) -> FloatImage:
    """Grain, dust and scratches, about as strong as on small-gauge film."""
    picture = film_grain(picture, float(random.uniform(0.01, 0.08)), float(random.uniform(0.5, 1.5)), random)
    return dust_and_scratches(picture, random)


def age_as_tape(picture: FloatImage, random: Random) -> FloatImage:
    """Smeared colour, and with some chance the comb of two fields."""
    picture = chroma_blur(picture, float(random.uniform(1.0, 6.0)), int(random.integers(0, 4)))
    return interlacing_remains(picture, int(random.integers(1, 4))) if random.random() < 0.3 else picture


def film_grain(picture: FloatImage, deviation: float, size: float, random: Random) -> FloatImage:
    """Grey grain of ``size`` pixels, strongest in the middle tones."""
    grain = random.standard_normal(picture.shape[:2], dtype=np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), size), np.float32)
    grain *= deviation / max(float(grain.std()), 1e-6)
    middle = 4 * picture * (1 - picture)
    return _clipped(picture + grain[..., None] * (0.3 + 0.7 * middle))


def dust_and_scratches(picture: FloatImage, random: Random) -> FloatImage:
    """A few bright or dark specks, hairs and vertical scratches."""
    marked = picture.copy()
    height, width = picture.shape[:2]
    for _ in range(int(random.poisson(2.0))):
        spot = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(1, 3)), int(random.integers(1, 5)))
        shade = (float(random.choice([0.05, 0.95])),) * 3
        cv2.ellipse(marked, spot, axes, float(random.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
    if random.random() < 0.2:
        column = int(random.integers(width))
        marked[:, column : column + 1] += np.float32(random.uniform(-0.3, 0.3))
    return _clipped(marked)


def fade(picture: FloatImage, random: Random) -> FloatImage:
    """Lifted blacks, lost contrast, and dyes that have gone unevenly."""
    black, white = float(random.uniform(0.0, 0.15)), float(random.uniform(0.8, 1.0))
    dyes = random.uniform(0.85, 1.0, 3).astype(np.float32)
    return _clipped((black + (white - black) * picture) * dyes)


def vignette(picture: FloatImage, strength: float) -> FloatImage:
    """Darken towards the corners, by ``strength`` there."""
    height, width = picture.shape[:2]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    falloff = 1 - strength * (x**2 + y**2) / 2
    return (picture * falloff[..., None]).astype(np.float32)


def chroma_blur(picture: FloatImage, sigma: float, delay: int) -> FloatImage:
    """Colour as tape keeps it: smeared along the lines and ``delay`` pixels late."""
    luma, chroma = rgb_to_ycc(picture)
    cb, cr = (
        np.asarray(cv2.GaussianBlur(np.roll(plane, delay, axis=1), (0, 0), sigma, sigmaY=0.3 * sigma), np.float32)
        for plane in chroma
    )
    return _clipped(ycc_to_rgb(luma, cb, cr))


def interlacing_remains(picture: FloatImage, shift: int) -> FloatImage:
    """Every second line from a moment when things were ``shift`` pixels further."""
    combed = picture.copy()
    combed[1::2] = np.roll(picture, shift, axis=1)[1::2]
    return combed


AGEINGS: dict[str, Callable[[FloatImage, Random], FloatImage]] = {
    "blur": lambda picture, random: blur(picture, 4.0 * picture.shape[0] / _REFERENCE_SIZE, random),
    "noise": lambda picture, random: noise(picture, 12 / 255, random),
    "jpeg": lambda picture, _: jpeg(picture, 30),
    "film grain": lambda picture, random: film_grain(picture, 0.06, 0.9, random),
    "dust": dust_and_scratches,
    "fading": fade,
    "vignette": lambda picture, _: vignette(picture, 0.5),
    "tape colour": lambda picture, _: chroma_blur(picture, 5.0, 3),
    "interlacing": lambda picture, _: interlacing_remains(picture, 3),
    "h264": lambda picture, _: recode(picture, "libx264", 0.2),
    "mpeg2": lambda picture, _: recode(picture, "mpeg2video", 0.2),
    "shift": lambda picture, random: colour_shift(picture, 20 / 255, random),
}
"""Each kind of damage at a typical strength, for the preview and the tests."""


def _clipped(picture: np.ndarray) -> FloatImage:
    return np.clip(picture, 0.0, 1.0).astype(np.float32, copy=False)
