"""A film to read: frames in their own pixel format, and the packets of its other streams."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Self

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from gfpvideo.errors import CorruptMediaError, GfpvideoError, OptionError, UnsupportedMediaError
from gfpvideo.frames import Frame
from gfpvideo.media.colour import UNTAGGED, KnownColour, OneColour, tags_of
from gfpvideo.media.container import Limits, let_go, main_video, open_container, packets_of
from gfpvideo.media.convert import Converter
from gfpvideo.media.decode import Decoder, Unchanging
from gfpvideo.media.filters import filtered
from gfpvideo.media.orientation import NO_TURN, Orientation, turn_of
from gfpvideo.media.pixel_format import components, read_only, samples
from gfpvideo.media.side_data import display_matrix
from gfpvideo.media.span import Part, Span, times
from gfpvideo.media.thumbnail import shrunk
from gfpvideo.media.timing import PacketRepair, TimestampRepair
from gfpvideo.media.trace import Place

_COVERS = {"mjpeg": ("jpg", "jpeg")}
"""Suffix and type of pictures, where they are not what the codec is called."""


@dataclass(frozen=True)
class Account:
    """What is known of a film once all of its frames have been read."""

    warnings: tuple[str, ...]
    display_matrix: tuple[int, ...] | None
    last_duration: int
    part: Part | None


class VideoSource:
    """An opened film.

    Iterate over :meth:`frames` once; afterwards :attr:`warnings` are complete, and of a part of a film, :meth:`others`
    and :meth:`chapters` can be read.
    """

    def __init__(
        self,
        path: Path,
        span: Span | None = None,
        *,
        count_all: bool = False,
        filters: Sequence[str] = (),
        limits: Limits | None = None,
        container: InputContainer | None = None,
    ) -> None:
        """Open a film.

        Args:
            path: the file.
            span: the part to read, by default all of it.
            count_all: number frames from the film's beginning, for which all before the part must be decoded.
            limits: what the file may ask for.
            container: what to read instead of opening ``path``, which is only its name then.
            filters: FFmpeg filters that every picture goes through; see :func:`gfpvideo.media.filters.filtered`.

        Raises:
            InputError: if the file cannot be opened.
            UnsupportedMediaError: if it holds no video that can be decoded.
        """
        self.path = path
        self._limits = limits or Limits()
        self.warnings: list[str] = []
        self.display_matrix: tuple[int, ...] | None = None
        self.last_duration = 0
        """Ticks for which the last frame is shown, 0 if nothing tells; complete once the frames have been read."""
        self._span, self._count_all, self._filters = span or Span(), count_all, filters
        self._part: Part | None = Part(Fraction(0), None, Fraction(0)) if self._span.whole else None
        self.container = container or open_container(path)
        try:
            self.stream = main_video(self.container, path, self._limits)
        except UnsupportedMediaError:
            self.container.close()
            raise
        self._began = self._beginning()
        self._orientation = Orientation(self.stream.width, self.stream.height)
        self._colour = OneColour(UNTAGGED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        let_go(self.container)

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick of the video stream."""
        assert self.stream.time_base is not None
        return self.stream.time_base

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there are, for a progress bar; containers often do not know."""
        if self.stream.frames and self._span.whole:
            return self.stream.frames
        rate, duration = self.stream.guessed_rate, self.container.duration
        if not rate or not duration:
            return None
        end = min(Fraction(duration, 1_000_000), self._span.end or Fraction(duration, 1_000_000))
        return max(0, round(float(rate * (end - self._span.start))))

    @property
    def other_streams(self) -> list[Stream]:
        """All streams but the video that is restored."""
        return [stream for stream in self.container.streams if stream.index != self.stream.index]

    def frames(self, since: Place | None = None) -> Iterator[Frame]:
        """Every frame that can be decoded, in order of presentation.

        Args:
            since: where to begin, which :attr:`jumps` must allow; by default at the beginning.

        Raises:
            CorruptMediaError: if there is not a single one.
            UnsupportedMediaError: if the picture's size or format changes on the way.
            OtherPictureError: if ``since`` is not found, so that the film must be opened and read anew.
        """
        decoder = Decoder(self.path, self.container, self.stream, self._began, self._span, self._limits)
        repair = TimestampRepair(self.time_base, self.stream.guessed_rate)
        first = count = 0 if since is None else since.index
        if since is None:
            pictures = decoder.pictures(from_the_beginning=self._count_all)
        else:
            pictures = decoder.pictures_since(since)
        for index, picture, ticks in self._in_span(repair, pictures, since):
            part = self._known_part()
            pts = ticks - round(part.offset / self.time_base)
            self.last_duration = picture.duration or self.last_duration
            number = first + index if self._count_all else count
            if count == first:
                self._colour = OneColour(KnownColour(tags_of(picture)) if since is None else since.colour)
            self._colour(picture, number)
            yield self._frame(picture, number, pts, self._place(decoder, repair, number, ticks))
            count += 1
        if count == first:
            raise self._nothing(decoder)
        if repair.repaired:
            self.warnings.append(f"{repair.repaired} timestamps were missing, equal or out of order: repaired")
        self.warnings += [*self._colour.findings(), *decoder.findings(count)]

    @property
    def account(self) -> Account:
        """What is known of it by now; all of it once the frames have been read."""
        return Account(tuple(self.warnings), self.display_matrix, self.last_duration, self._part)

    def recall(self, account: Account) -> None:
        """Know what somebody else found out, who read all frames of the same film."""
        self.warnings = list(account.warnings)
        self.display_matrix, self.last_duration = account.display_matrix, account.last_duration
        self._part = account.part

    @property
    def jumps(self) -> bool:
        """Whether reading may begin at a later key frame.

        Filters remember what came before, and parts of films are counted from frames that only reading finds.
        """
        return self._span.whole and not self._filters and self.path.is_file()

    def _place(self, decoder: Decoder, repair: TimestampRepair, index: int, ticks: int) -> Place | None:
        """Where reading may begin anew, if that is this frame, and all until now was sound."""
        before = decoder.keys.pop(ticks, None)
        for passed in [key for key in decoder.keys if key < ticks]:
            del decoder.keys[passed]
        if before is None or not self.jumps or decoder.damaged or repair.repaired:
            return None
        return Place(index, ticks, *before, self.display_matrix, self._colour.known)

    def _in_span(
        self, repair: TimestampRepair, pictures: Iterator[VideoFrame], since: Place | None
    ) -> Iterator[tuple[int, VideoFrame, int]]:
        """Pictures of the part that is read: their number among all that were decoded, and their timestamps."""
        converter, checks = Converter(), [Unchanging(self.path, self._limits), Unchanging(self.path, self._limits)]
        pictures = checks[0](pictures)
        if self._filters:
            # A filter that is handed another size reads past the picture, or fails with an error of its own: look
            # before it does. After it once more, for some filters change the size themselves.
            pictures = checks[1](filtered(pictures, self._filters, self.stream, self.time_base))
        timed = repair((picture, picture.pts) for picture in converter(pictures))
        for index, (picture, ticks) in enumerate(timed):
            if index == 0:
                self._look_at(picture, since)
                self.warnings += converter.warnings
            time = ticks * self.time_base - self._began
            if self._span.past(time):
                return
            if time < self._span.start:
                continue
            if self._part is None:
                end = None if self._span.end is None else self._began + self._span.end
                self._part = Part(ticks * self.time_base, end, time)
            yield index, picture, ticks
        for check in checks:
            check.end()

    def _nothing(self, decoder: Decoder) -> GfpvideoError:
        """What to say of a film without a frame to restore."""
        if not decoder.count:
            return CorruptMediaError(f"{self.path}: not one frame of its video can be decoded ({self._codec_name})")
        if self._span.whole:
            return OptionError(f"{self.path}: the filters before the restoration leave no frame of it")
        return OptionError(f"{self.path}: has no frame in the part that --start and --end ask for")

    def others(self, indexes: Collection[int]) -> Iterator[Packet]:
        """The packets of other streams, in the file's order.

        Of a part of the film, those that belong to it, at their new times.

        Args:
            indexes: which streams.
        """
        repair = PacketRepair()
        with open_container(self.path) as container:
            packets = packets_of(container)
            if not self._span.whole:
                # What belongs to a part is told by the times that the film bears, the picture's as well.
                packets = self._trimmed(packets, indexes)
            yield from (packet for packet in repair(packets) if packet.stream_index in indexes)
            self.warnings += repair.findings([container.streams[index] for index in sorted(indexes)])

    def cover(self, stream: Stream) -> tuple[str, str, bytes]:
        """Name, type and content of the file that the packet of an attached picture is."""
        assert stream.codec_context is not None
        suffix, kind = _COVERS.get(stream.codec_context.name, (stream.codec_context.name,) * 2)
        name = Path(stream.metadata.get("filename", "")).name or f"cover.{suffix}"
        with open_container(self.path) as container:
            packet = next(packet for packet in packets_of(container) if packet.stream_index == stream.index)
            return name, f"image/{kind}", bytes(packet)

    def _trimmed(self, packets: Iterator[Packet], indexes: Collection[int]) -> Iterator[Packet]:
        part = self._known_part()
        for packet in packets:
            found = times(packet)
            if found is not None and self._span.exhausted(found[0] - self._began):
                return
            if packet.stream_index in indexes and part.trim(packet, packet.stream.type):
                yield packet

    @property
    def from_the_beginning(self) -> bool:
        """Whether the film's first frame is read, so that its timecode holds."""
        return not self._span.start

    def chapters(self) -> list[Any]:
        """The chapters of the part that is read, at their new times."""
        chapters = self.container.chapters()
        return chapters if self._span.whole else list(self._known_part().chapters(chapters))

    def _known_part(self) -> Part:
        if self._part is None:
            raise RuntimeError("where a part of a film begins is known once its first frame has been read")
        return self._part

    @property
    def _codec_name(self) -> str:
        return self.stream.codec_context.name

    def _beginning(self) -> Fraction:
        """Time of the film's first frame, as far as the container tells before one is decoded."""
        if self.stream.start_time is not None:
            return self.stream.start_time * self.time_base
        return Fraction(self.container.start_time or 0, 1_000_000)

    def _look_at(self, first: VideoFrame, since: Place | None) -> None:
        """Note what holds for the whole film, as its first picture has it."""
        if self.stream.metadata.get("alpha_mode") == "1":
            self.warnings.append("the picture's transparency is stored beside it (WebM), which is not read: left out")
        self.display_matrix = display_matrix(first) if since is None else since.turn
        self._orientation = orientation_of(first, self.stream.sample_aspect_ratio, self.display_matrix)

    def _frame(self, picture: VideoFrame, index: int, pts: int, place: Place | None) -> Frame:
        picture.pts = pts
        how = samples(picture)
        return Frame(
            index=index,
            pts=pts,
            time_base=self.time_base,
            components=read_only(components(picture)),
            samples=how,
            to_display=self._orientation.to_display(),
            shrink=partial(shrunk, picture, how, self._orientation),
            picture=picture,
            place=place,
        )


def orientation_of(picture: VideoFrame, aspect: Fraction | None, matrix: tuple[int, ...] | None) -> Orientation:
    """Orientation of a decoded picture; angles other than quarter-turns are left to the player."""
    turn = turn_of(matrix) if matrix else None
    return Orientation(picture.width, picture.height, aspect or Fraction(1), turn or NO_TURN)
