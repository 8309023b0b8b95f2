"""Sound that is encoded anew, where somebody asks for it: everything else copies it packet by packet."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import OutputContainer
from av.packet import Packet

from gfpvideo.errors import OptionError
from gfpvideo.media.ffmpeg_log import ffmpeg_log, reason

_Kind = tuple[str, str, int]
"""Format, layout and rate of samples."""

_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What so many channels are taken for where nobody says, as FFmpeg does."""


def audio_encoder(name: str) -> Codec:
    """The audio encoder of that name.

    Raises:
        OptionError: if this build of PyAV has none.
    """
    try:
        codec = Codec(name, "w")
    except (ValueError, av.error.FFmpegError):
        raise OptionError(f"option audio-codec = {name!r}: this build of PyAV has no such encoder") from None
    if codec.type != "audio":
        raise OptionError(f"option audio-codec = {name!r}: not an audio encoder")
    return codec


def named_layout(source: AudioStream) -> str | None:
    """Which speakers a stream is for that says how many alone (AVI; MP4 has to know); ``None`` if it says which."""
    layout: Any = source.codec_context.layout
    return _USUAL.get(layout.nb_channels) if layout.name.endswith(" channels") else None


class AudioRecoder:
    """Decodes one stream of sound and encodes it again, at its own times."""

    def __init__(self, container: OutputContainer, source: AudioStream, codec: Codec, kbits: int | None) -> None:
        """Add a stream to ``container`` that takes the sound of ``source``.

        Args:
            container: where it goes; its header is not written yet.
            source: the stream that is decoded.
            codec: the encoder.
            kbits: kilobits a second, by default what the encoder chooses.

        Raises:
            OptionError: if the encoder does not take this sound.
        """
        self.damaged = 0
        """Packets that could not be decoded."""
        self.overlapping = 0
        """Decoded frames that begin when others are still heard; they are left out."""
        self._source = source
        rate = _nearest(codec.audio_rates or [], source.rate)
        stream: Any = container.add_stream(codec.name, rate=rate)
        context = stream.codec_context
        heard: Any = source.codec_context
        context.layout = named_layout(source) or heard.layout.name
        context.format = _closest_format(codec, heard.format.name)
        if kbits is not None:
            context.bit_rate = 1000 * kbits
        try:
            with ffmpeg_log() as log:
                context.open()
        except (ValueError, av.error.FFmpegError) as error:
            why = reason(log, error)
            raise OptionError(
                f"{codec.name} does not take {heard.layout.name} sound at {source.rate} Hz ({why}); give another"
                " --audio-codec"
            ) from error
        self.stream: AudioStream = stream
        made: Any = context
        self._alike = made.format.name, made.layout.name, made.sample_rate
        self._ends: Fraction | float = -math.inf
        """When what was decoded so far ends, in seconds."""
        self._of: dict[_Kind, av.AudioResampler] = {}
        self._in_frames = av.AudioResampler(*self._alike, frame_size=context.frame_size or None)

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        """Encoded packets that one packet of the source completes, or with ``None`` all that are left."""
        for frame in self._decoded(packet):
            kind = frame.format.name, frame.layout.name, frame.sample_rate
            if kind not in self._of:  # stereo before, surround from here on: a resampler takes one alone
                yield from self._rest()
                self._of = {kind: av.AudioResampler(*self._alike)}
            yield from self._encoded(self._of[kind].resample(frame))
        if packet is None:
            yield from self._rest()
            yield from self._encoded([None])
            yield from self.stream.encode(None)

    def _rest(self) -> Iterator[Packet]:
        """What the resampler still holds."""
        for resampler in self._of.values():
            yield from self._encoded(resampler.resample(None))

    def _encoded(self, frames: Sequence[AudioFrame | None]) -> Iterator[Packet]:
        for frame in frames:
            for whole in self._in_frames.resample(frame):
                yield from self.stream.encode(whole)

    def _decoded(self, packet: Packet | None) -> list[AudioFrame]:
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        kept = []
        for frame in frames:
            # In samples, as resamplers that change anything count: those that change nothing hand times on as they are.
            base = Fraction(1, frame.sample_rate)
            if frame.pts is not None:
                assert self._source.time_base is not None
                begins = frame.pts * self._source.time_base
                if begins + frame.samples * base / 2 < self._ends:  # encoders take no sound twice of one time
                    self.overlapping += 1
                    continue
                frame.pts = round(begins / base)
                self._ends = begins + frame.samples * base
            frame.time_base = base
            kept.append(frame)
        return kept


def _nearest(offered: list[int], wanted: int) -> int:
    """The lowest rate of an encoder that loses nothing, else its highest; any rate if it has no list."""
    return min((rate for rate in offered if rate >= wanted), default=max(offered, default=wanted))


def _closest_format(codec: Codec, wanted: str) -> str:
    offered = [item.name for item in codec.audio_formats or []]
    if not offered:
        return wanted
    same = [name for name in offered if name.removesuffix("p") == wanted.removesuffix("p")]
    return same[0] if same else offered[0]
