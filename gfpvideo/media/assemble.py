"""Put a film together: the segments of its picture, and everything else that the source held."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from gfpvideo.errors import OptionError, OutputError
from gfpvideo.media.atomic import atomic_target, write_error
from gfpvideo.media.audio import AudioRecoder, audio_encoder, named_layout
from gfpvideo.media.container import describe
from gfpvideo.media.ffmpeg_log import ffmpeg_log, reason
from gfpvideo.media.orientation import NO_TURN, turn_of
from gfpvideo.media.places import Segment, same_codec, timed_packets
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import move
from gfpvideo.media.target import FORMATS, IN_TRANSPORT_STREAMS

_MAX_TIMESCALE = 100_000_000
"""Finest movie time scale that is asked for; players read it as a 32-bit number."""
_WITHOUT_TIMES = ".avi"
"""A container that counts frames instead of timing them, and takes H.264 in another form alone."""
_TIMECODE = "timecode"
_WITH_EDITS = {"mp4", "mov"}
"""Muxers that have edit lists, which say what of a stream is shown, and when."""
_LANGUAGES_OF_MOV = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "per", "fre": "fra",
    "hrv": "hr ", "hye": "arm", "isl": "ice", "kat": "geo", "msa": "may", "mya": "bur", "nld": "dut", "rum": "ron",
    "slo": "slk", "sqi": "alb", "swe": "sve", "zho": "chi",
}  # fmt: skip
"""What FFmpeg calls languages there that have another code in films; it writes no other codes of them."""
_UNSAID = "und"
"""The language that is none."""
_RUNNING_ON = {"mpegts", "mpeg"}
"""Formats whose clock begins wherever a tape or a station had come to."""
_LATE = 10
"""Seconds at which a clock may begin without players taking note."""
_PRIMING = Fraction(1, 10)
"""Seconds of sound before a film's beginning that decoders need, and that is not heard."""
_WITH_TIMECODE = {"mp4", "mov", "matroska"}
"""Muxers that keep the picture's tag of that name; the first two make a track of it."""
_WITH_ROTATION = {"mp4", "mov", "matroska", "webm"}
"""Muxers that say how a picture is to be turned before it is shown."""
UNTELECINED = Fraction(4, 5)
"""Share of the frames that are left of a film that was carried over to television."""
_Addressed = tuple[Stream, Packet]
"""A packet and the stream that it goes to."""
_OF_THE_FILE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|encoding_tool|software|alpha_mode|_statistics.*"
    r"|(duration|bps|number_of_frames|number_of_bytes|source_id)(-\w+)?"
)
"""Tags that describe the old file, not the film; some are what mkvmerge counts."""
_UNSET = {("creation_time", "1970-01-01T00:00:00.000000Z")}
"""What cameras without a clock say."""
_BESIDE_PHONES = {"creation_time", "location", "location-eng"}
"""Tags that FFmpeg writes apart from all others."""


@dataclass
class Assembly:
    """Writes one film out of its segments."""

    source: VideoSource
    target: Path
    overwrite: bool = False
    strict: bool = False
    """Whether a stream that the target cannot hold is an error."""
    audio_codec: str = "copy"
    """Encoder of all sound, or ``copy``."""
    audio_kbits: int | None = None
    """Kilobits a second of sound that is encoded."""
    copied: list[str] = field(default_factory=list)
    """Streams that are copied, described."""
    warnings: list[str] = field(default_factory=list)

    def plan(self) -> None:
        """Find out which streams the target can hold.

        Raises:
            OptionError: if the target's container is unknown, or the audio encoder, or it does not take the sound.
            OutputError: with ``strict``, if it cannot hold a stream.
        """
        for stream in self._wanted:
            if stream not in self._streams:
                self.warnings.append(
                    f"{describe(stream)} cannot be held by {self._suffix}: left out{self._hint(stream)}"
                )
        if self.strict and self.warnings:
            raise OutputError(f"{self.target}: --strict: {self.warnings[0].replace(': left out', '')}")
        self.copied = [describe(stream) for stream in self._streams if not self._recodes(stream)]

    @property
    def _suffix(self) -> str:
        return self.target.suffix.lower()

    def _hint(self, stream: Stream) -> str:
        """How to keep a stream after all, if there is a way."""
        if self._header_works([stream], "matroska"):
            return " (.mkv holds it)"
        encoded = replace(self, audio_codec="flac")
        if isinstance(stream, AudioStream) and encoded._header_works([stream], "matroska"):  # a DVD's, a camcorder's
            return " (--audio-codec flac keeps it, encoded anew)"
        return ""

    @cached_property
    def _muxer(self) -> str:
        if self._suffix not in FORMATS:
            wrong = (
                f"unknown container {self._suffix!r}" if self._suffix else "its name does not say which container it is"
            )
            if self._suffix == _WITHOUT_TIMES:
                wrong = "AVI is read, but not written: it holds no timestamps"
            raise OptionError(f"{self.target}: {wrong}; use one of {', '.join(FORMATS)}")
        return FORMATS[self._suffix]

    @cached_property
    def _streams(self) -> list[Stream]:
        """The other streams that the target can hold."""
        return self._acceptable(self._wanted, self._muxer)

    @cached_property
    def _wanted(self) -> list[Stream]:
        """The other streams, less those that say what is told otherwise."""
        return [stream for stream in self.source.other_streams if not self._is_retold(stream)]

    def _is_retold(self, stream: Stream) -> bool:
        """Whether it is a track of chapters, of timecode where the picture's tag says the same, or of a DVD's menus."""
        of_menus = stream.type == "data" and self.source.container.format.name == "mpeg"
        return of_menus or _is_chapters(stream) or (self._muxer in _WITH_TIMECODE and _is_timecode(stream))

    def write(self, segments: Sequence[Segment]) -> None:
        """Mux everything; the target appears when it is complete.

        Raises:
            OptionError: if the container does not hold the codec.
            OutputError: if writing fails; nothing is left behind then.
        """
        with atomic_target(self.target, overwrite=self.overwrite) as scratch:
            try:
                self._write(scratch, segments)
            except av.error.FFmpegError as error:
                raise write_error(self.target, OSError(error.errno, error.strerror)) from error

    def _write(self, scratch: Path, segments: Sequence[Segment]) -> None:
        options = self._muxer_options(self._muxer)
        container = av.open(f"file:{scratch}", "w", format=self._muxer, container_options=options)
        with container, av.open(f"file:{segments[0].path}") as first:
            template = first.streams.video[0]
            _check_segments(template, segments)
            video, others = self._add_streams(container, template)
            rate = _constant_rate(self.source, segments)
            if rate is not None:
                video.rate = rate  # type: ignore[attr-defined]  # a video stream has it
            self._start(container)
            timed = (
                (video, packet) for packet in timed_packets(segments, self.source.time_base, self.source.last_duration)
            )
            for stream, packet in _merged(timed, self._others(others)):
                move(packet, -self._late)
                packet.stream = stream
                container.mux_one(packet)
        self.warnings += self._untold(scratch)

    @cached_property
    def _late(self) -> int:
        """Whole seconds, at which every time base has a tick, by which everything moves to earlier times.

        Where a clock begins after hours, players of all but transport streams show hours without a picture.
        """
        formats = set(self.source.container.format.name.split(","))
        begins = (self.source.container.start_time or 0) // 1_000_000
        return begins if begins >= _LATE and formats & _RUNNING_ON and self._muxer not in _RUNNING_ON else 0

    def _untold(self, written: Path) -> Iterator[str]:
        """What the container did not take of what concerns the whole film: no list tells, so it is read again."""
        with av.open(f"file:{written}") as film:
            told, chapters = {_folded(key) for key in film.metadata}, film.chapters()
            languages = {_language(stream) for stream in film.streams}
        lost = [key for key in self._film_tags if _folded(key) not in told]
        if lost:
            hint = "" if self._suffix == ".mkv" else " (.mkv holds more)"
            yield f"the tags {', '.join(lost)} cannot be held by {self._suffix}: left out{hint}"
        if self.source.chapters() and not chapters:
            yield f"chapters cannot be held by {self._suffix}: left out (.mkv and .mp4 hold them)"
        if self._muxer == "mov" and (strange := sorted(self._languages - languages)):
            yield f"the languages {', '.join(strange)} cannot be held by {self._suffix}: left out (.mp4 and .mkv do)"

    def _others(self, others: "dict[int, Stream | AudioRecoder]") -> Iterator[_Addressed]:
        """The packets of everything but the picture, and where they go."""
        for packet in self.source.others(set(others)):
            if self._is_cut_off(packet):
                continue
            target = others[packet.stream_index]
            if isinstance(target, AudioRecoder):
                yield from ((target.stream, encoded) for encoded in target.packets(packet))
            else:
                yield target, packet
        for target in others.values():
            if isinstance(target, AudioRecoder):
                yield from ((target.stream, encoded) for encoded in target.packets(None))
                if target.damaged:
                    self.warnings.append(f"{target.damaged} damaged packets of sound could not be decoded: skipped")
                if target.overlapping:
                    what = f"{target.overlapping} pieces of sound"
                    self.warnings.append(f"{what} were to be heard with those before them: left out")

    def _is_cut_off(self, packet: Packet) -> bool:
        """Whether a phone has trimmed it away; MP4 says so by an edit list, others have none, and would play it.

        What a decoder needs to begin with stays.
        """
        if not packet.is_discard or self._muxer in _WITH_EDITS or packet.pts is None or packet.time_base is None:
            return False
        return not -_PRIMING <= packet.pts * packet.time_base < 0

    def _add_streams(
        self, container: OutputContainer, template: Stream
    ) -> tuple[Stream, "dict[int, Stream | AudioRecoder]"]:
        """Add all streams in the source's order; return the picture's, and the others by their index in the source."""
        video: Stream | None = None
        others: dict[int, Stream | AudioRecoder] = {}
        for stream in sorted([self.source.stream, *self._streams], key=lambda stream: stream.index):
            if stream is self.source.stream:
                video = self._add_video(container, template)
            elif (added := self._add_other(container, stream)) is not None:
                others[stream.index] = added
        assert video is not None
        return video, others

    def _recodes(self, stream: Stream) -> bool:
        return self.audio_codec != "copy" and stream.type == "audio" and stream.codec_context is not None

    def _add_other(self, container: OutputContainer, stream: Stream) -> "Stream | AudioRecoder | None":
        """Add a stream; ``None`` is one of which the header holds all."""
        if _is_cover(stream) and container.format.name == "matroska":
            container.add_attachment(*self.source.cover(stream))
            return None
        if not self._recodes(stream):
            return _copy_stream(container, stream)
        assert isinstance(stream, AudioStream)
        recoder = AudioRecoder(container, stream, audio_encoder(self.audio_codec), self.audio_kbits)
        _copy_tags(stream, recoder.stream)
        return recoder

    def _acceptable(self, streams: list[Stream], muxer: str) -> list[Stream]:
        """The streams that a container can hold, found by writing its header to memory."""
        streams = [stream for stream in streams if self._is_readable(stream, muxer)]
        if self._header_works(streams, muxer):
            return streams
        accepted: list[Stream] = []
        for stream in streams:
            if self._header_works([*accepted, stream], muxer):
                accepted.append(stream)
        return accepted

    def _is_readable(self, stream: Stream, muxer: str) -> bool:
        """Whether what FFmpeg would write of a stream can be read again: two muxers write what they do not know."""
        if muxer == "mov":
            return not _is_cover(stream) and (stream.type != "data" or self._header_works([stream], "mp4"))
        if muxer != "mpegts" or self._recodes(stream) or "mpegts" in self.source.container.format.name:
            return True
        return stream.codec_context is not None and stream.codec_context.name in IN_TRANSPORT_STREAMS

    def _header_works(self, streams: list[Stream], muxer: str) -> bool:
        if not streams:
            return True
        container = av.open(io.BytesIO(), "w", format=muxer)
        try:
            for stream in streams:
                self._add_other(container, stream)
            container.start_encoding()
            container.close()
        except OptionError:
            raise
        except (ValueError, av.error.FFmpegError):
            return False
        return True

    def _add_video(self, container: OutputContainer, template: Stream) -> Stream:
        try:
            video = container.add_stream_from_template(template, opaque=True)
        except ValueError as error:
            raise OptionError(f"{error}; use another container, .mkv holds every codec") from None
        video.time_base = self.source.time_base
        matrix = self.source.display_matrix
        video.set_display_matrix(matrix)  # type: ignore[attr-defined]  # a video stream has it
        if matrix is not None and turn_of(matrix) != NO_TURN and self._muxer not in _WITH_ROTATION:
            self.warnings.append(
                f"how the picture is turned cannot be told in {self._suffix}: left out (.mkv and .mp4 do)"
            )
        _copy_tags(self.source.stream, video)
        timecode = self._timecode
        if timecode is None:
            return video
        tags = {key: value for key, value in video.metadata.items() if key.lower() != _TIMECODE}
        video.metadata.clear()
        video.metadata.update(tags)
        if self.source.from_the_beginning:
            video.metadata[_TIMECODE] = timecode
        else:
            self.warnings.append("the timecode is left out: it is that of the film's beginning")
        return video

    @property
    def _film_tags(self) -> dict[str, str]:
        """What the film says as a whole; its timecode, as of raw DV, is the picture's."""
        tags = _tags(self.source.container.metadata)
        return {key: value for key, value in tags.items() if key.lower() != _TIMECODE}

    @property
    def _languages(self) -> set[str]:
        """Of all streams that are written, as MOV calls them."""
        spoken = {_language(stream) for stream in (self.source.stream, *self._streams)}
        return {_LANGUAGES_OF_MOV.get(language, language) for language in spoken}

    @property
    def _is_of_a_phone(self) -> bool:
        """Whether the film's tags are of the kind that phones write, with nothing beside them.

        In a list of theirs, programs do not look for titles and artists, and covers have no place there.
        """
        tags = set(self._film_tags)
        of_phones = {key for key in tags if key.startswith("com.")}
        return bool(of_phones) and tags <= of_phones | _BESIDE_PHONES and not any(map(_is_cover, self._wanted))

    @cached_property
    def _timecode(self) -> str | None:
        """That of the first frame, as the picture's tag or a track of its own tells it."""
        streams = [self.source.stream, *(each for each in self.source.other_streams if _is_timecode(each))]
        tags = (tag for each in (*streams, self.source.container) for tag in each.metadata.items())
        return next((value for key, value in tags if key.lower() == _TIMECODE), None)

    def _start(self, container: OutputContainer) -> None:
        """Write the header."""
        container.metadata.update(self._film_tags)
        container.set_chapters(self.source.chapters())
        try:
            with ffmpeg_log() as log:
                container.start_encoding()
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            why = reason(log, error)
            raise OptionError(
                f"{self.target}: the container does not hold this codec ({why}); .mkv holds every one"
            ) from error

    def _muxer_options(self, muxer: str) -> dict[str, str]:
        """Edit lists of MP4 count in the movie's time scale: fine enough for every stream, sound stays in step.

        Matroska's numbers of files and tracks are random unless FFmpeg is told to be exact to the bit. Tags of phones
        have names of their own (``com.apple.quicktime.make``), which stand in another kind of list.
        """
        options = {"fflags": "+bitexact"}
        if muxer not in _WITH_EDITS:
            return options
        if self._is_of_a_phone:
            options["movflags"] = "use_metadata_tags"
        bases = [stream.time_base for stream in [self.source.stream, *self._streams] if stream.time_base]
        fine = math.lcm(*(base.denominator for base in bases))
        return options | {"movie_timescale": str(fine if fine <= _MAX_TIMESCALE else bases[0].denominator)}


def _check_segments(template: Stream, segments: Sequence[Segment]) -> None:
    for segment in segments[1:]:
        with av.open(f"file:{segment.path}") as other:
            if not same_codec(template.codec_context, other.streams.video[0].codec_context):
                raise OutputError(f"{segment.path}: was encoded differently; remove its folder and restore again")


def _folded(key: str) -> str:
    """A tag's name without what Matroska changes of it."""
    return key.lower().replace(" ", "_")


def _is_cover(stream: Stream) -> bool:
    """Whether it is a picture that stands for the film, on a shelf of them."""
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def _language(stream: Stream) -> str:
    return stream.metadata.get("language", _UNSAID)


def _is_timecode(stream: Stream) -> bool:
    return stream.type == "data" and _TIMECODE in stream.metadata


def _is_chapters(stream: Stream) -> bool:
    """Whether it is a track of titles that FFmpeg has read as the film's chapters."""
    return stream.type == "data" and stream.discard == Discard.all and bool(stream.container.chapters())


def _constant_rate(source: VideoSource, segments: Sequence[Segment]) -> Fraction | None:
    """Frames a second, where they all come when that rate says; programs that edit films want to be told."""
    ticks = [pts for segment in segments for pts in segment.pts]
    stated = [rate for rate in (source.stream.guessed_rate, source.stream.average_rate) if rate]
    for rate in [*stated, *(rate * UNTELECINED for rate in stated)]:
        step = 1 / (rate * source.time_base)
        if len(ticks) > 1 and all(abs(tick - ticks[0] - step * index) <= 1 for index, tick in enumerate(ticks)):
            return rate
    return None


def _merged(video: Iterator[_Addressed], others: Iterator[_Addressed]) -> Iterator[_Addressed]:
    """Packets of the picture and of everything else by decoding time, as far as the source has them in order."""
    waiting = next(video, None)
    for other in others:
        time = _decoding_time(other[1])
        while waiting is not None and time is not None and (_decoding_time(waiting[1]) or 0) <= time:
            yield waiting
            waiting = next(video, None)
        yield other
    if waiting is not None:
        yield waiting
    yield from video


def _decoding_time(packet: Packet) -> Fraction | None:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return None if ticks is None or packet.time_base is None else ticks * packet.time_base


def _copy_stream(container: OutputContainer, stream: Stream) -> Stream:
    copy = container.add_stream_from_template(stream, opaque=True)
    if isinstance(stream, AudioStream) and stream.codec_context is not None and (named := named_layout(stream)):
        copied: Any = copy.codec_context
        copied.layout = named
    _copy_tags(stream, copy)
    return copy


def _copy_tags(stream: Stream, copy: Stream) -> None:
    tags = _tags(stream.metadata)
    if "name" in tags:  # so MP4's title of a track is read, and written as a title alone
        tags.setdefault("title", tags.pop("name"))
    if copy.container.format.name == "mov" and _language(stream) in _LANGUAGES_OF_MOV:
        tags["language"] = _LANGUAGES_OF_MOV[_language(stream)]
    copy.metadata.update(tags)
    copy.disposition = stream.disposition


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in metadata.items()
        if not _OF_THE_FILE.fullmatch(key.lower()) and (key.lower(), value) not in _UNSET
    }
