"""The options of a restoration: one frozen model that the command line, Python and presets all fill.

Each option is validated here and nowhere else, so a wrong value gives the same message wherever it came from.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gfpvideo.errors import OptionError

EngineName = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
DetectorName = Literal["centerface", "retinaface"]


class RestoreOptions(BaseModel):
    """How a film or a picture is restored."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        default="auto",
        description="Model: a name of `gfpvideo weights list`, `compact`, the path of a file, or `auto`.",
    )
    weights_dir: Path | None = Field(default=None, description="Folder of downloaded weights.")
    engine: EngineName = Field(default="auto", description="Inference engine.")
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|gpu)$", description="auto, cpu, cuda, cuda:N or gpu."
    )
    precision: Precision = Field(default="auto", description="Arithmetic of the generator.")
    batch: int = Field(default=4, ge=1, le=64, description="Crops that go through the generator at once.")

    detector: DetectorName = Field(default="centerface", description="Face detector.")
    detect_size: int | None = Field(
        default=None,
        ge=64,
        le=8192,
        description="Long side of the picture that the detector sees [default: 640, or half of the film's if more].",
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
    max_faces: int | None = Field(
        default=None, ge=1, description="Most faces of a frame to restore, the largest first."
    )

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

    codec: str = Field(default="libx264", description="Video encoder, any that PyAV has.")
    crf: float | None = Field(
        default=None, ge=0, le=63, description="Constant quality [default: 16 where the encoder has it]."
    )
    preset: str | None = Field(default=None, description="Speed preset of the encoder.")
    encoder_options: dict[str, str] = Field(default_factory=dict, description="Further options of the encoder.")
    overwrite: bool = Field(default=False, description="Replace an existing target.")

    @field_validator("only", "skip", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Numbers may come as text: ``3,7``."""
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

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
        problems.append(f"option {name} = {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}")
    return "; ".join(problems)
