"""gfpvideo as a VapourSynth filter.

    import vapoursynth as vs
    from gfpvideo.vapoursynth import restore_faces

    clip = restore_faces(vs.core.bs.VideoSource("film.mkv"))

Faces are followed once, when the filter is made; then frames may be asked for in any order. Each is restored out of the
frames around it, so it is the same whenever, and however often, it is asked for.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from inspect import Signature, signature
from threading import Lock
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from gfpvideo.errors import GfpvideoError, OptionError, UnsupportedMediaError
from gfpvideo.faces.tracks_file import recorded_faces
from gfpvideo.frames import Frame, Known, RestoredFrame, TrackedFrame
from gfpvideo.media.arrays import Layout, frame_of_arrays
from gfpvideo.options.groups import keywords, taken
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.color import component_slices
from gfpvideo.pixels.patches import patched
from gfpvideo.restoration import way
from gfpvideo.restoration.load import Finder, Parts, load_parts
from gfpvideo.stages.run import Run

_KEPT = 32
"""Restored frames that are kept for requests that come out of order."""
_FLOAT_PEAK, _FLOAT_CENTRE = 65535, 32768
"""Floating-point samples go through the pipeline as 16-bit ones (chroma's nought is their centre); only what a
restoration changes is put back."""
_ALL = (slice(None), slice(None))
"""A whole plane."""
_NAME = "gfpvideo.restore_faces"
"""Who speaks, where an error is one of many functions' in a script."""
_Get = Callable[[int], Frame]


def restore_faces(clip: vs.VideoNode, model: str = "auto", strength: float = 1.0, **options: Any) -> vs.VideoNode:
    """Restore the faces of a clip.

    Args:
        clip: YUV, GRAY or RGB of 8 to 16 bits or of floating-point samples; one format and size throughout, whole
            pictures (no fields).
        model: see :class:`gfpvideo.RestoreOptions`, as for all other options.
        strength: how much of the restoration goes into the picture, 0 to 1.
        options: any other option of its groups ``find``, ``follow``, ``restore``, ``time`` and ``engine``, by name; the
            function's signature lists them. Without ``tracks``, the whole clip is searched for faces now.

    Returns:
        The clip with restored faces, format, length and properties as before. ``GfpvideoFaces`` of each frame is the
        number of faces that were restored in it.

    Raises:
        vapoursynth.Error: if the clip, an option or the model cannot be used; its text begins with
            ``gfpvideo.restore_faces:``. It is the error of :mod:`gfpvideo.errors` as well, and so the fitting builtin.
    """
    try:
        chosen = _options({"model": model, "strength": strength, **options})
        _check(clip)
        parts = load_parts(chosen)
        faces = [found.known for found in _followed(clip, parts, chosen)]
    except GfpvideoError as error:
        raise _named(error) from None
    return _filtered(clip, _Restored(parts, chosen, faces))


def _signature() -> Signature:
    """The function's own arguments, then every other option that it takes."""
    own = list(signature(restore_faces).parameters.values())[:-1]
    names = {each.name for each in own}
    return Signature([*own, *(each for each in keywords(RestoreOptions, "vapoursynth") if each.name not in names)])


restore_faces.__signature__ = _signature()


def _named(error: GfpvideoError) -> vs.Error:
    """The same error as VapourSynth's, which names the function."""
    kind = type(error)
    return type(kind.__name__, (vs.Error, kind), {})(f"{_NAME}: {error}")


def _options(values: dict[str, Any]) -> RestoreOptions:
    """The options that were given; a clip's frames are asked for one by one."""
    known = taken(RestoreOptions, "vapoursynth")
    unknown = [name for name in values if name not in known]
    if unknown:
        raise OptionError(f"no option {unknown[0]!r}; known are {', '.join(known)}")
    return RestoreOptions.parse({name: value for name, value in values.items() if value is not None} | {"batch": 1})


def _check(clip: vs.VideoNode) -> None:
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or not clip.width or not clip.height:
        raise UnsupportedMediaError("the clip changes its format or size; give it one with core.resize first")
    if clip.format.bits_per_sample > 16 and clip.format.sample_type == vs.INTEGER:
        raise UnsupportedMediaError(f"{clip.format.name} is not supported; convert it to 16 bits first")
    if clip.get_frame(0).props.get("_FieldBased", 0):
        raise UnsupportedMediaError("the clip is interlaced; make whole pictures of its fields first")


def _followed(clip: vs.VideoNode, parts: Finder, options: RestoreOptions) -> Iterator[TrackedFrame]:
    """Every frame with its faces; where a file says them, the clip is not read for that."""
    if options.tracks is not None and options.around != "picture":  # which must know where shots begin
        first = _frame(0, clip.get_frame(0))
        known = recorded_faces(options.tracks, first, options.placement)
        yield from (TrackedFrame(first, known.get(index, ())) for index in range(clip.num_frames))
        return
    frames = (_frame(index, frame) for index, frame in enumerate(clip.frames()))
    with Run() as run:
        yield from way.follow(frames, parts, options, run)


def _frame(index: int, frame: vs.VideoFrame) -> Frame:
    """The frame of a clip; its memory, which the components look at, stays as long."""
    chroma = (1, 2) if frame.format.color_family == vs.YUV else ()
    planes = [_integers(plane, signed=number in chroma) for number, plane in enumerate(_planes(frame))]
    return frame_of_arrays(index, planes, _layout(frame), frame)


def _planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    return [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]


def _integers(plane: NDArray[Any], *, signed: bool) -> NDArray[np.integer]:
    if plane.dtype.kind != "f":
        return plane
    whole = np.rint(plane.astype(np.float32) * np.float32(_FLOAT_PEAK)) + np.float32(_FLOAT_CENTRE if signed else 0)
    return np.clip(whole, 0, _FLOAT_PEAK).astype(np.uint16)


def _layout(frame: vs.VideoFrame) -> Layout:
    props, found = frame.props, frame.format
    subsampling = 1 << found.subsampling_w, 1 << found.subsampling_h
    family = {vs.YUV: "yuv", vs.RGB: "rgb", vs.GRAY: "gray"}[found.color_family]
    return Layout(
        family=family,  # type: ignore[arg-type]  # one of the three names
        bits=16 if found.sample_type == vs.FLOAT else found.bits_per_sample,
        subsampling=subsampling,
        siting=_siting(props, *subsampling),
        matrix=_number(props, "_Matrix"),
        transfer=_number(props, "_Transfer"),
        color_range=_range(props, floating=found.sample_type == vs.FLOAT),
        aspect=Fraction(props.get("_SARNum", 0) or 1, props.get("_SARDen", 0) or 1),  # type: ignore[arg-type]
    )


def _number(props: Any, name: str) -> int:
    value = int(props.get(name, 2))
    return value if value else 2  # 0 is RGB, which a format says better


def _siting(props: Any, step_x: int, step_y: int) -> tuple[float, float] | None:
    """Where the first chroma sample lies, if the clip says it (H.273's numbers)."""
    location = props.get("_ChromaLocation")
    if location not in range(6):
        return None
    middle_x, middle_y = (step_x - 1) / 2, (step_y - 1) / 2
    return middle_x * (location % 2), (middle_y, 0.0, step_y - 1.0)[location // 2]


def _range(props: Any, *, floating: bool) -> int:
    """FFmpeg's number of the range."""
    full = props.get("_Range")
    return 2 if floating or full == 1 else 0 if full is None else 1


@dataclass(frozen=True)
class _Change:
    """What a restoration changes in one plane."""

    plane: int
    window: tuple[slice, slice]
    before: NDArray[np.integer]
    after: NDArray[np.integer]


class _Restored:
    """Restored frames, asked for in any order; near each other and rising they cost no more than in a film.

    A pipeline runs behind the requests. What is asked for a little later than expected makes it go on, anything else
    begin anew, as far back as a restoration depends on what was before: as when an interrupted film is gone on with.
    It runs in a thread of its own: VapourSynth calls from threads that are none of Python's, and OpenVINO's inference
    in one of them ends the process once the call returns (both of them keep the thread's state for Python).
    """

    def __init__(self, parts: Parts, options: RestoreOptions, faces: Sequence[Known]) -> None:
        around = way.reach(options)
        self.before, self.after = around.back, around.ahead
        self._parts, self._options, self._faces = parts, options, faces
        self._kept: OrderedDict[int, tuple[list[_Change], int]] = OrderedDict()
        self._running: Iterator[RestoredFrame] = iter(())
        self._next = len(faces)
        self._get: _Get
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, "restore_faces")  # lives as long as the filter

    def changes(self, index: int, get: _Get) -> tuple[list[_Change], int]:
        """What changes in frame ``index``, and how many faces are restored in it.

        Args:
            index: the frame.
            get: gives any frame from ``before`` frames earlier to ``after`` frames later.
        """
        with self._lock:
            if index not in self._kept:
                self._get = get
                self._thread.submit(self._run_to, index).result()
            self._kept.move_to_end(index)
            return self._kept[index]

    def _run_to(self, index: int) -> None:
        if not self._next <= index <= self._next + self.before:
            self._running, self._next = self._started(index), index
        while self._next <= index:
            try:
                restored = next(self._running)
            except BaseException:
                self._next = len(self._faces)  # a pipeline that failed has ended
                raise
            self._kept[restored.frame.index] = _changes(restored), len(restored.patches)
            self._next = restored.frame.index + 1
        while len(self._kept) > _KEPT + self.before:
            self._kept.popitem(last=False)

    def _started(self, index: int) -> Iterator[RestoredFrame]:
        run = Run(threads=False)  # frames can be had only while one is asked for
        tracked = (
            self._faces[number].of(self._get(number)) for number in range(max(0, index - self.before), len(self._faces))
        )
        return way.restore_faces(tracked, self._parts, self._options, run, index)


def _changes(restored: RestoredFrame) -> list[_Change]:
    if restored.decoded is not None:
        pairs = zip(restored.decoded.components, patched(restored), strict=True)
        return [_Change(plane, _ALL, before.copy(), after) for plane, (before, after) in enumerate(pairs)]
    frame, found = restored.frame, []
    planes = frame.components if len(restored.patches) < 2 else tuple(plane.copy() for plane in frame.components)
    for number, patch in enumerate(restored.patches, 1):
        for plane, after in enumerate(patch.components):
            window = component_slices(patch.rect, frame.samples, plane)
            found.append(_Change(plane, window, planes[plane][window].copy(), after))
            if number < len(restored.patches):  # where faces overlap, a patch holds those before it as well
                planes[plane][window] = after
    return found


def _filtered(clip: vs.VideoNode, restored: _Restored) -> vs.VideoNode:
    offsets = range(-restored.before, restored.after + 1)

    def changed(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        def get(index: int) -> Frame:
            return _frame(index, f[index - n + restored.before])

        try:
            changes, faces = restored.changes(n, get)
        except GfpvideoError as error:
            raise _named(error) from None
        result = f[restored.before].copy()
        planes = _planes(result)
        for change in changes:
            _apply(planes[change.plane][change.window], change)
        result.props["GfpvideoFaces"] = faces
        return result

    return clip.std.ModifyFrame(clips=[_shifted(clip, offset) for offset in offsets], selector=changed)


def _apply(target: NDArray[Any], change: _Change) -> None:
    if target.dtype.kind != "f":
        target[:] = change.after
        return
    difference = (change.after.astype(np.float32) - change.before.astype(np.float32)) / np.float32(_FLOAT_PEAK)
    target[:] = target.astype(np.float32) + difference


def _shifted(clip: vs.VideoNode, offset: int) -> vs.VideoNode:
    """A clip whose frame n is the clip's n + ``offset``, its first or last frame beyond its ends."""
    length = clip.num_frames
    if offset > 0:
        return clip[min(offset, length - 1) :] + clip[-1] * min(offset, length - 1) if length > 1 else clip
    if offset < 0 and length > 1:
        shift = min(-offset, length - 1)
        return clip[0] * shift + clip[:-shift]
    return clip
