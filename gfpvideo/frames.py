"""The types that flow through the pipeline.

Coordinates are pixels, x right and y down, (0, 0) the centre of the top-left pixel. *Storage* coordinates are those of
the decoded planes; *display* coordinates are those of the upright picture with square pixels that a viewer sees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Family = Literal["yuv", "rgb", "gray"]
Matrix = Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc"]
Curve = Literal["sdr", "pq"]


@dataclass(frozen=True)
class Samples:
    """How the sample values of a frame's components are to be read."""

    family: Family
    """``yuv``: components Y, U, V; ``rgb``: R, G, B; ``gray``: Y alone."""
    bits: int
    """Significant bits of a sample."""
    shift: int = 0
    """Zero bits below the significant ones (6 in P010)."""
    subsampling: tuple[int, int] = (1, 1)
    """Luma samples for each chroma sample, horizontally and vertically."""
    siting: tuple[float, float] = (0.0, 0.0)
    """Position of the first chroma sample, in luma pixels."""
    matrix: Matrix = "bt709"
    """Luma coefficients of ``yuv``."""
    full_range: bool = False
    """Whether samples use the whole range or leave head- and footroom."""
    curve: Curve = "sdr"
    """Transfer curve: ``pq`` is SMPTE ST 2084; everything else is display-referred and used as it is."""


@dataclass(frozen=True)
class Rect:
    """A rectangle of whole pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded picture in its own pixel format; nothing changes it."""

    index: int
    """Position in the film, from 0."""
    pts: int
    """Presentation timestamp in ticks of ``time_base``, strictly increasing."""
    time_base: Fraction
    """Seconds a tick."""
    components: tuple[NDArray[np.integer], ...]
    """Read-only views of the samples, one (H, W) array a component."""
    samples: Samples
    """How to read the components."""
    to_display: NDArray[np.float64]
    """(2, 3) affine map from storage to display coordinates (rotation, mirroring, pixel aspect)."""
    shrink: Callable[[int, int], NDArray[np.uint8]]
    """Makes the upright picture of a width and height: (h, w, 3) BGR."""
    picture: object = None
    """The codec library's own frame, or all samples of a photograph; only :mod:`gfpvideo.media` looks inside."""
    place: object = None
    """Where the film can be read from this frame on, if it can; see :mod:`gfpvideo.media.trace`."""

    @property
    def size(self) -> tuple[int, int]:
        """Storage width and height."""
        height, width = self.components[0].shape
        return width, height

    @property
    def display_size(self) -> tuple[float, float]:
        """Width and height of the upright picture in square pixels."""
        width, height = np.abs(self.to_display[:, :2]) @ np.array(self.size, float)
        return float(width), float(height)

    def thumbnail(self, side: float) -> NDArray[np.uint8]:
        """(h, w, 3) upright BGR picture with a long side of ``side`` pixels, or its own if less; made at each call."""
        return self.shrink(*self._thumbnail_size(side))

    def thumbnail_scale(self, side: float) -> tuple[float, float]:
        """Display pixels for each pixel of :meth:`thumbnail`, horizontally and vertically."""
        (width, height), (columns, rows) = self.display_size, self._thumbnail_size(side)
        return width / columns, height / rows

    def _thumbnail_size(self, side: float) -> tuple[int, int]:
        width, height = self.display_size
        shrink = min(1.0, side / max(width, height))
        return max(1, round(width * shrink)), max(1, round(height * shrink))

    def __repr__(self) -> str:
        width, height = self.size
        return f"Frame(index={self.index}, pts={self.pts}, {width}x{height}, {self.samples.family}{self.samples.bits})"


@dataclass(frozen=True)
class ShotFrame:
    """A frame, and whether a new shot starts with it."""

    frame: Frame
    cut: bool


@dataclass(frozen=True)
class Detection:
    """A face that a detector found."""

    landmarks: NDArray[np.float64]
    """(5, 2) left eye, right eye, nose, left and right mouth corner as seen in the picture."""
    box: NDArray[np.float64]
    """(4,) left, top, right, bottom."""
    score: float
    """Confidence, 0 to 1."""
    deviations: NDArray[np.float64] | None = None
    """(5,) standard deviation of each landmark's coordinates in pixels, where it is known."""

    def scaled(self, factors: tuple[float, float]) -> "Detection":
        """The same face in a picture ``factors`` times as wide and high."""
        scale = np.asarray(factors)
        shift = (scale - 1) / 2
        box = (self.box.reshape(2, 2) * scale + shift).reshape(4)
        deviations = None if self.deviations is None else self.deviations * float(scale.mean())
        return Detection(self.landmarks * scale + shift, box, self.score, deviations)


@dataclass(frozen=True)
class DetectedFrame:
    """A frame and the faces found in it."""

    frame: Frame
    cut: bool
    """Whether a new shot starts here."""
    detections: tuple[Detection, ...]
    """In display coordinates."""
    raster: float = 1.0
    """Display pixels for each pixel of the picture that was searched: how finely the detector saw."""


@dataclass(frozen=True)
class Face:
    """One face of a track in one frame."""

    track: int
    """Number of the track, from 1, unique in the film."""
    landmarks: NDArray[np.float64]
    """(5, 2) stabilised landmarks in display coordinates."""
    filled: bool
    """Whether the detector missed it here and it was filled in from its neighbours."""


@dataclass(frozen=True)
class TrackedFrame:
    """A frame and the stabilised faces in it."""

    frame: Frame
    faces: tuple[Face, ...]
    detections: tuple[Detection, ...] = ()
    """What the detector found in it: they ride along, so that whoever keeps the work need not search it again."""
    cut: bool = False
    """Whether a new shot starts here."""

    @property
    def known(self) -> "Known":
        """What is known of it without its picture."""
        return Known(self.faces, self.cut)


class Known(NamedTuple):
    """What is remembered of a frame that was looked through, until its picture is read once more."""

    faces: tuple[Face, ...] = ()
    cut: bool = False

    def of(self, frame: Frame) -> TrackedFrame:
        """The frame, with what is known of it."""
        return TrackedFrame(frame, self.faces, cut=self.cut)


@dataclass(frozen=True, eq=False)
class Shape:
    """What the landmark network sees in a crop."""

    points: NDArray[np.float64]
    """(N, 2) its points in pixels of the crop; see :mod:`gfpvideo.networks.landmarks`."""
    yaw: float
    """Radians by which the head is turned aside; 0 is frontal."""
    trust: float
    """Whether there is a face that can be restored, and one knows where: 0 to 1."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Optical flow between a crop and that of its track in the frame before; see :mod:`gfpvideo.temporal.motion`.

    It is measured when somebody first asks for it: nobody does beside faces that are left alone.
    """

    back: Callable[[], NDArray[np.float32]]
    """Gives (s, s, 2) where each pixel lies in the frame before, as an offset."""
    forth: Callable[[], NDArray[np.float32]]
    """Gives (s, s, 2) where each pixel of the frame before lies in this one."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A face cut out and aligned to the template of the generator."""

    face: Face
    to_crop: NDArray[np.float64]
    """(2, 3) affine map from storage to crop coordinates."""
    rect: Rect
    """Storage rectangle that the crop covers, within the frame."""
    source: NDArray[np.float32]
    """(S, S, 3) RGB in [-1, 1]."""
    luma: NDArray[np.float32]
    """(S, S) luma of the source, from -1 to 1: several stages look at it."""
    shape: Shape | None = None
    """The face's points, once it was looked at."""
    repeated: bool = False
    """Whether the frame before shows the very same in there: films carried over to another rate have frames twice."""
    motion: Motion | None = None
    """How it moved since the frame before, where its track was there and somebody asked."""
    gathered: NDArray[np.float32] | None = None
    """(S, S, 3) the source with what its neighbours in time know, where it was gathered; RGB in about [-1, 1]."""
    share: float = 1.0
    """How much of its restoration the face is to get, 0 to 1; the generator skips what gets none."""
    damage: float = 1.0
    """How much of what is finest in it is damage, 0 to 1, as far as one knows: noise, the edges of blocks, and what its
    neighbours in time do not show."""
    between: NDArray[np.float32] | None = None
    """(2, s, s) weights of the restorations before and after, where these are enough and the generator skips it."""
    hopeless: bool = False
    """Whether it gets none because nobody can tell where its eyes and mouth are."""
    enlarged: int = 1
    """How many times the frame has been enlarged since the crop was cut out; ``to_crop`` and ``rect`` tell of now."""
    redrawn: bool = False
    """Whether a network enlarged it, so that it may show there what the crop does not."""

    @property
    def seen(self) -> NDArray[np.float32]:
        """(S, S, 3) what the generator is shown."""
        return self.source if self.gathered is None else self.gathered

    @property
    def trust(self) -> float:
        """How far the places of its points can be trusted, 0 to 1; without points nothing speaks against them."""
        return 1.0 if self.shape is None else self.shape.trust


@dataclass(frozen=True)
class CroppedFrame:
    """A frame and the crops of its faces."""

    tracked: TrackedFrame
    crops: tuple[Crop, ...]

    @property
    def frame(self) -> Frame:
        """The frame itself."""
        return self.tracked.frame


@dataclass(frozen=True, eq=False)
class RestoredCrop:
    """A crop, and what the generator made of it."""

    crop: Crop
    restored: NDArray[np.float32]
    """(S, S, 3) RGB in about [-1, 1]."""
    mask: NDArray[np.float32]
    """(S, S) weights in [0, 1] of the restoration, exactly 0 along the border."""
    replaced: NDArray[np.float32] | None = None
    """(S, S) in [0, 1]: how much of the source the restoration takes the place of; ``None`` for all of it."""
    belief: NDArray[np.float32] | None = None
    """(S, S, 2) how far what was gathered, and what the generator made of it, are believed, 0 to 1; ``None`` where
    nobody judged."""
    around: NDArray[np.float32] | None = None
    """(S, S, 3) what the gathered crop can be believed, for around the face; ``None`` where none was gathered."""

    @property
    def track(self) -> int:
        """Number of the face's track."""
        return self.crop.face.track


@dataclass(frozen=True)
class GeneratedFrame:
    """A frame and those of its crops that were restored."""

    tracked: TrackedFrame
    crops: tuple[RestoredCrop, ...]
    spared: int
    """Faces that need no restoration, or cannot get one."""
    hopeless: int = 0
    """Those among them whose eyes and mouth cannot be placed."""
    waiting: tuple[Crop, ...] = ()
    """Crops that are to be restored from the frames beside."""
    decoded: Frame | None = None
    """The frame as it was decoded, where its whole picture was gathered; ``None`` where that is ``frame``."""

    @property
    def frame(self) -> Frame:
        """The frame itself."""
        return self.tracked.frame


@dataclass(frozen=True, eq=False)
class Patch:
    """What a restored face changes in its frame."""

    track: int
    """Number of the face's track."""
    rect: Rect
    """Storage rectangle outside which nothing changes, aligned to whole chroma samples."""
    components: tuple[NDArray[np.integer], ...]
    """The samples under the rectangle, one array a component, as they are afterwards (earlier patches included)."""


@dataclass(frozen=True)
class RestoredFrame:
    """A frame, and the patches to lay over it one after the other; every other sample is the frame's."""

    frame: Frame
    """The frame as it was decoded, or as large as it is to be; with ``decoded``, its whole picture was gathered."""
    patches: tuple[Patch, ...]
    spared: int = 0
    """Faces that were followed into this frame and left as they are."""
    hopeless: int = 0
    """Those among them whose eyes and mouth cannot be placed."""
    faces: tuple[Face, ...] = ()
    """The faces that were followed into it and chosen, restored or not."""
    decoded: Frame | None = None
    """The frame before its whole picture was gathered, as large as it is to be; ``None`` where that was not."""

    @property
    def source(self) -> Frame:
        """The frame as it was before anything was restored in it."""
        return self.frame if self.decoded is None else self.decoded

    @property
    def whole(self) -> bool:
        """Whether its whole picture was gathered."""
        return self.decoded is not None

    @property
    def touched(self) -> tuple[tuple[int, Rect], ...]:
        """Track and storage rectangle of each restored face; every sample outside them is the frame's."""
        return tuple((patch.track, patch.rect) for patch in self.patches)
