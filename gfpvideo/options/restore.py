"""The options of a restoration: one frozen model that the command line, Python and presets all fill.

Each option is validated here and nowhere else, so a wrong value gives the same message wherever it came from.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gfpvideo.errors import OptionError
from gfpvideo.options.timecode import seconds

EngineName = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DetectorName = Literal["centerface", "retinaface"]
Container = Literal["mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "m2ts", "flv", "nut"]
Comparison = Literal["side", "split", "wipe"]
Compiler = Literal["none", "inductor", "cudagraphs", "tensorrt"]


_DEVICE = r"auto|cpu|cuda(:\d+)?|gpu"


class RestoreOptions(BaseModel):
    """How a film or a picture is restored."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        default="auto",
        description="Model: a name of `gfpvideo weights list`, `compact`, the path of a file, or `auto`.",
    )
    weights_dir: Path | None = Field(default=None, description="Folder of downloaded weights.")
    engine: EngineName = Field(default="auto", description="Inference engine.")
    device: str = Field(default="auto", pattern=f"^({_DEVICE})$", description="auto, cpu, cuda, cuda:N or gpu.")
    devices: tuple[str, ...] = Field(
        default=(),
        description="Several devices that share the generator's work (cuda:0,cuda:1), instead of --device.",
    )
    precision: Precision = Field(default="auto", description="Arithmetic of the generator.")
    compiler: Compiler = Field(
        default="none", description="What compiles torch's networks: inductor, cudagraphs or tensorrt (CUDA)."
    )
    hwaccel: str | None = Field(
        default=None, pattern="^[a-z0-9_]+$", description="Decode on a device of this kind (cuda, vaapi, qsv ...)."
    )
    batch: int = Field(default=8, ge=1, le=64, description="Crops that go through the generator at once.")
    reuse: float = Field(
        default=0.5,
        ge=0,
        le=16,
        description="Grey levels of 255 by which a crop may differ from one just restored that serves again.",
    )

    detector: DetectorName = Field(default="centerface", description="Face detector.")
    detect_size: int | None = Field(
        default=None,
        ge=64,
        le=8192,
        description="Long side of the picture that the detector sees [default: 640, or half of the film's if more].",
    )
    detect_every: int = Field(
        default=2, ge=1, le=8, description="Search every Nth frame; between, where faces hardly move, interpolate."
    )
    min_score: float = Field(default=0.5, gt=0, lt=1, description="Least score that starts a face.")
    min_face: float = Field(
        default=10.0, ge=0, description="Least distance of eyes to mouth, in pixels, to restore a face."
    )

    tracks: Path | None = Field(default=None, description="File of `gfpvideo inspect` to take faces from.")
    only: tuple[int, ...] = Field(
        default=(), description="Restore these tracks alone (`gfpvideo inspect` numbers them)."
    )
    skip: tuple[int, ...] = Field(default=(), description="Leave these tracks alone.")
    reference: Path | None = Field(
        default=None, description="Picture of a person: restore who looks like it (needs the ArcFace weights)."
    )
    likeness: float = Field(
        default=0.3, ge=-1, le=1, description="Least cosine between the vectors of a face and of the reference."
    )
    max_faces: int | None = Field(
        default=None, ge=1, description="Most faces of a frame to restore, the largest first."
    )

    start: Fraction | None = Field(
        default=None, ge=0, description="Restore from here on: seconds, or h:mm:ss.sss from the film's beginning."
    )
    end: Fraction | None = Field(default=None, gt=0, description="Restore up to here, counted like --start.")

    deinterlace: bool | None = Field(
        default=None,
        description="Make whole pictures of fields, or keep them [default: an interlaced film is refused].",
    )
    telecine: bool = Field(default=False, description="Undo telecine: 24 whole frames of the 30 that TV made of them.")

    lag: int = Field(default=12, ge=0, le=120, description="Frames that tracking looks ahead.")
    max_gap: int = Field(default=8, ge=0, le=120, description="Frames for which a missed face is filled in.")

    smooth: bool = Field(default=True, description="Stabilise landmarks over time and fill gaps.")
    steady: int = Field(
        default=4, ge=0, le=24, description="Frames either side that a face is averaged with where nothing moves."
    )
    adapt: bool = Field(default=True, description="Restore less what is sharp, tiny or seen from the side.")
    grain: Literal["none", "match"] = Field(default="none", description="Put the film's own grain back on faces.")

    mask: Literal["ellipse", "parsing"] = Field(
        default="ellipse", description="Region of a face: a soft ellipse, or what ParseNet (slow) says is face."
    )
    guard: bool = Field(default=True, description="Keep what covers a face: hands, microphones, hair.")
    strength: float = Field(default=1.0, ge=0, le=1, description="How much of the restoration goes into the picture.")
    color: Literal["source", "model"] = Field(default="source", description="Where colour and light come from.")

    filters: tuple[str, ...] = Field(
        default=(), description="FFmpeg filters before the restoration, each `name=option=value:...`."
    )
    filters_after: tuple[str, ...] = Field(
        default=(), description="FFmpeg filters after the restoration; they must keep every frame."
    )

    upscale: int = Field(default=1, ge=1, le=8, description="Enlarge the picture this many times, by Lanczos.")
    background_model: Path | None = Field(
        default=None, description="File of an upscaler that spandrel knows, to enlarge with instead."
    )

    compare: Comparison | None = Field(
        default=None,
        description="Write a film to compare by: side by side, split in the middle, or with a border that wanders.",
    )

    container: Container | None = Field(
        default=None, description="Container of a target that is not named [default: the source's, or mkv]."
    )
    codec: str = Field(default="auto", description="Video encoder, any PyAV has; auto: libx264, or what loses nothing.")
    crf: float | None = Field(
        default=None, ge=0, le=63, description="Constant quality [default: 16 where the encoder has it]."
    )
    preset: str | None = Field(default=None, description="Speed preset of the encoder.")
    encoder_options: dict[str, str] = Field(default_factory=dict, description="Further options of the encoder.")
    audio_codec: str = Field(default="copy", description="Encode sound anew with this encoder, or `copy` it.")
    audio_kbits: int | None = Field(
        default=None, ge=6, le=6144, description="Kilobits a second of sound that is encoded."
    )
    max_side: int = Field(default=16_384, ge=16, description="Widest or highest picture that is accepted.")
    max_streams: int = Field(default=256, ge=1, description="Most streams of a file that are accepted.")
    segment: int = Field(
        default=240, ge=8, le=100_000, description="Frames that are finished together: what an interruption costs."
    )
    resume: bool = Field(default=False, description="Go on with an interrupted restoration of the same target.")
    strict: bool = Field(default=False, description="Fail where the target cannot hold a stream, not just warn.")
    disk_check: bool = Field(default=True, description="Refuse to begin where the disk will probably be full.")
    overwrite: bool = Field(default=False, description="Replace an existing target.")

    @field_validator("only", "skip", "devices", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Lists may come as text: ``3,7``."""
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("devices")
    @classmethod
    def _known_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(_DEVICE, name):
                raise ValueError(f"{name!r} is not a device: give auto, cpu, cuda, cuda:N or gpu")
        return value

    @field_validator("start", "end", mode="before")
    @classmethod
    def _timed(cls, value: object) -> object:
        return seconds(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end is not None and self.end <= (self.start or 0):
            raise ValueError("end must be later than start")
        if (self.start or self.end) and (self.only or self.skip):
            raise ValueError(
                "tracks are numbered over the whole film: with start or end, choose by an edited tracks file"
            )
        if self.background_model is not None and self.upscale == 1:
            raise ValueError("background-model enlarges the picture: say how much with upscale")
        if self.reference is not None and self.only:
            raise ValueError("only and reference both choose the faces; give one")
        return self

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Validate ``values``.

        Raises:
            OptionError: with one line that names every wrong option.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise OptionError(one_line(error)) from None


def one_line(error: ValidationError) -> str:
    """Every wrong option of a validation, in one line."""
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"]).replace("_", "-")
        reason = item["msg"].removeprefix("Value error, ")
        subject = f"option {name} = {item['input']!r}: " if name else ""
        problems.append(f"{subject}{reason[0].lower()}{reason[1:]}")
    return "; ".join(problems)
