"""Sound that is encoded anew, where somebody asks for it: everything else copies it packet by packet."""

from collections.abc import Iterator
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
        self._source = source
        rate = _nearest(codec.audio_rates or [], source.rate)
        stream: Any = container.add_stream(codec.name, rate=rate)
        context = stream.codec_context
        heard: Any = source.codec_context
        context.layout = heard.layout.name
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
        self._resampler = av.AudioResampler(
            made.format.name, made.layout.name, made.sample_rate, frame_size=context.frame_size or None
        )

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        """Encoded packets that one packet of the source completes, or with ``None`` all that are left."""
        for frame in self._decoded(packet):
            yield from self._encoded(frame)
        if packet is None:
            yield from self._encoded(None)
            yield from self.stream.encode(None)

    def _encoded(self, frame: AudioFrame | None) -> Iterator[Packet]:
        for resampled in self._resampler.resample(frame):
            yield from self.stream.encode(resampled)

    def _decoded(self, packet: Packet | None) -> list[AudioFrame]:
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        for frame in frames:
            frame.time_base = self._source.time_base
        return frames


def _nearest(offered: list[int], wanted: int) -> int:
    """The lowest rate of an encoder that loses nothing, else its highest; any rate if it has no list."""
    return min((rate for rate in offered if rate >= wanted), default=max(offered, default=wanted))


def _closest_format(codec: Codec, wanted: str) -> str:
    offered = [item.name for item in codec.audio_formats or []]
    if not offered:
        return wanted
    same = [name for name in offered if name.removesuffix("p") == wanted.removesuffix("p")]
    return same[0] if same else offered[0]
