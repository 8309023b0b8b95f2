"""HDR10's static metadata: what display a film was mastered on, and how bright it gets."""

import struct

from av.video.frame import VideoFrame

from gfpvideo.media.side_data import side_data

_PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
}
"""Encoders that write it: their option, and the names of the two parameters in it."""
_DYNAMIC = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_RPU_BUFFER": "Dolby Vision", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
"""Metadata of every single frame, which no encoder of PyAV's takes."""


def hdr_options(codec: str, first: VideoFrame) -> tuple[dict[str, str], list[str]]:
    """Encoder options that carry the metadata of a film's first picture, and warnings of what they cannot.

    Args:
        codec: name of the encoder.
        first: the picture.
    """
    found = side_data(first)
    lost = [name for key, name in _DYNAMIC.items() if key in found]
    warnings = [f"the dynamic metadata of {name} cannot be carried: left out" for name in lost]
    mastering, light = found.get("MASTERING_DISPLAY_METADATA"), found.get("CONTENT_LIGHT_LEVEL")
    if mastering is None and light is None:
        return {}, warnings
    if codec not in _PARAMETERS:
        return {}, [*warnings, f"{codec} cannot carry HDR10's mastering metadata: left out"]
    option, display_name, light_name = _PARAMETERS[codec]
    texts = []
    if mastering is not None and (display := _display(mastering)):
        texts.append(f"{display_name}={display}")
    if light is not None:
        texts.append(f"{light_name}={','.join(str(level) for level in struct.unpack_from('=2I', light))}")
    return ({option: ":".join(texts)} if texts else {}), warnings


def _display(data: bytes) -> str:
    """AVMasteringDisplayMetadata (ten rationals, two flags) as x264 and x265 write it; empty if half of it lacks.

    Chromaticities count 0.00002, luminances 0.0001 cd/m2 (SMPTE ST 2086).
    """
    numbers = struct.unpack_from("=22i", data)
    ratios = [
        numerator / max(denominator, 1) for numerator, denominator in zip(numbers[:20:2], numbers[1:20:2], strict=True)
    ]
    has_primaries, has_luminance = numbers[20:22]
    if not has_primaries or not has_luminance:
        return ""
    red, green, blue, white = (
        f"({round(ratios[at] * 50_000)},{round(ratios[at + 1] * 50_000)})" for at in (0, 2, 4, 6)
    )
    least, most = (round(luminance * 10_000) for luminance in ratios[8:10])
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"
