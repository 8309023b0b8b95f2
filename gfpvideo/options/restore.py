"""The options of a restoration: one frozen model that the command line, Python, pipelines and VapourSynth all fill.

Each option is declared and validated here and nowhere else (:mod:`gfpvideo.options.groups` says what a field tells
of it), so a wrong value gives the same message wherever it came from.
"""

import re
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gfpvideo.errors import OptionError
from gfpvideo.options.groups import option
from gfpvideo.options.timecode import seconds

EngineName = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DetectorName = Literal["centerface", "retinaface"]
Placement = Literal["landmarks", "centerface", "retinaface"]
"""Whose landmarks faces are placed by: those of the landmark network, or a detector's."""
Container = Literal["mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "flv", "nut"]
Comparison = Literal["side", "split", "wipe"]
Compiler = Literal["none", "inductor", "cudagraphs", "tensorrt"]
Mask = Literal["outline", "ellipse", "parsing"]
Around = Literal["none", "crop", "picture"]
Color = Literal["source", "model"]
Grain = Literal["none", "match"]
Every = Literal["auto", "1", "2", "4", "8"]


_DEVICE = r"auto|cpu|cuda(:\d+)?|gpu"
_ADDRESS = r"auto|[^\s/:]+:\d+|\[[0-9a-fA-F:.]+\]:\d+"
"""Where a cluster is: ``auto``, or host and port."""


class RestoreOptions(BaseModel):
    """How a film or a picture is restored."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    detector: DetectorName = option("centerface", "find", "Face detector.")
    detect_size: int | None = option(
        None,
        "find",
        "Long side of the picture that the detector sees.",
        shown="640, or half of the film's if more",
        ge=64,
        le=8192,
    )
    detect_every: int = option(
        4,
        "find",
        "Most frames from one search for faces to the next; fewer where faces come, go or move fast.",
        films=True,
        ge=1,
        le=16,
    )
    refine: bool = option(
        True, "find", "Place faces by their own dense landmarks, and leave alone what nobody can restore."
    )
    min_score: float = option(0.5, "find", "Least score that starts a face.", gt=0, lt=1)
    min_face: float = option(10.0, "find", "Least distance of eyes to mouth, in pixels, to restore a face.", ge=0)

    tracks: Path | None = option(
        None,
        "follow",
        "File of `gfpvideo inspect` to take faces from.",
        films=True,
        never=("watch", "inspect", "pipelines", "web"),
    )
    lag: int = option(12, "follow", "Frames that tracking looks ahead.", films=True, ge=0, le=120)
    max_gap: int = option(8, "follow", "Frames for which a missed face is filled in.", films=True, ge=0, le=120)
    smooth: bool = option(True, "follow", "Stabilise landmarks over time and fill gaps.", films=True)

    only: tuple[int, ...] = option(
        (),
        "restore",
        "Restore these tracks alone (`gfpvideo inspect` numbers them).",
        never=("watch", "pipelines", "web"),
    )
    skip: tuple[int, ...] = option((), "restore", "Leave these tracks alone.", never=("watch", "pipelines", "web"))
    max_faces: int | None = option(
        None, "restore", "Most faces of a frame to restore, the largest first.", shown="all", ge=1
    )
    person: tuple[Path, ...] = option(
        (),
        "restore",
        "Picture of a person: restore who that is (extra `likeness`); may be repeated.",
        each="person",
        never=("pipe", "stdin", "vapoursynth", "pipelines", "web"),
    )
    likeness: float = option(
        0.5,
        "restore",
        "How alike a face and a person's must be: 1 is the same, strangers have up to 0.5.",
        never=("pipe", "stdin", "vapoursynth", "pipelines", "web"),
        ge=0,
        le=1,
    )
    adapt: bool = option(
        True,
        "restore",
        "Restore less what is sharp, tiny or seen from the side. A face whose eyes and mouth cannot be placed is left "
        "alone either way, unless --no-refine does not ask.",
    )
    believe: bool = option(
        True, "restore", "Take of the generator's guess only as much as can be believed, pixel by pixel."
    )
    mask: Mask = option(
        "outline",
        "restore",
        "Region of a face: its own outline (with --no-refine: an ellipse), an ellipse, or what ParseNet (slow) finds.",
    )
    around: Around = option(
        "crop",
        "restore",
        "What lies around a face: left as it is, or given what the frames beside know of it: hair, neck and collar "
        "(crop), or the whole picture.",
        films=True,
    )
    guard: bool = option(True, "restore", "Keep what covers a face: hands, microphones, hair.")
    strength: float = option(1.0, "restore", "How much of the restoration goes into the picture.", ge=0, le=1)
    color: Color = option("source", "restore", "Where colour and light come from.")

    gather: bool = option(
        True, "time", "Show the generator each face with what the frames around it know of it.", films=True
    )
    every: Every = option(
        "auto",
        "time",
        "Where a face moves little, restore every second, fourth or eighth crop by itself and make the others of "
        "those; 1 restores all, auto every fourth.",
        films=True,
    )
    steady: int = option(
        4, "time", "Frames either side that a face is averaged with where nothing moves.", films=True, ge=0, le=24
    )
    grain: Grain = option("none", "time", "Put the film's own grain back on faces.", films=True)

    model: str = option(
        "auto",
        "engine",
        "Model: a name of `gfpvideo weights list`, `compact`, the path of a file, or `auto`.",
        identity=False,  # held by the hash of its file
    )
    weights_dir: Path | None = option(
        None, "engine", "Folder of downloaded weights.", identity=False, shown="the user's data folder", never=("web",)
    )
    engine: EngineName = option("auto", "engine", "Inference engine.")
    device: str = option("auto", "engine", "auto, cpu, cuda, cuda:N or gpu.", pattern=f"^({_DEVICE})$")
    devices: tuple[str, ...] = option(
        (),
        "engine",
        "Several devices (cuda:0,cuda:1), instead of --device: a film gets a worker for each, all else is shared out.",
        identity=False,  # the engine says what computes
        never=("web",),
    )
    precision: Precision = option("auto", "engine", "Arithmetic of the generator.")
    compiler: Compiler = option("none", "engine", "What compiles torch's networks (all but inductor want CUDA).")
    batch: int = option(
        8,
        "engine",
        "Crops that go through the generator at once.",
        films=True,
        identity=False,
        never=("vapoursynth",),
        ge=1,
        le=64,
    )
    reuse: float = option(
        0.5,
        "engine",
        "Grey levels of 255 by which a crop may differ from one just restored that serves again.",
        films=True,
        ge=0,
        le=16,
    )

    start: Fraction | None = option(
        None,
        "before",
        "Restore from here on: seconds, or h:mm:ss.sss from the film's beginning.",
        films=True,
        never=("stdin", "pipelines"),
        ge=0,
    )
    end: Fraction | None = option(
        None,
        "before",
        "Restore up to here, counted like --start.",
        films=True,
        never=("stdin", "pipelines"),
        gt=0,
    )
    deinterlace: bool | None = option(
        None,
        "before",
        "Make whole pictures of fields, or keep them.",
        films=True,
        shown="an interlaced film is refused",
    )
    telecine: bool = option(
        False, "before", "Undo telecine: 24 whole frames of the 30 that TV made of them.", films=True
    )
    filters: tuple[str, ...] = option(
        (),
        "before",
        "FFmpeg filter before the restoration, as `name=option=value:...`; may be repeated.",
        films=True,
        each="filter",
        filters=True,
        never=("web",),
    )
    hwaccel: str | None = option(
        None,
        "before",
        "Decode on a device of this kind (cuda, vaapi, qsv ...).",
        films=True,
        never=("stdin", "web"),
        pattern="^[a-z0-9_]+$",
    )
    max_side: int = option(
        16_384,
        "before",
        "Widest or highest picture that is accepted.",
        films=True,
        identity=False,
        ge=16,
        never=("web",),
    )
    max_streams: int = option(
        256, "before", "Most streams of a file that are accepted.", films=True, identity=False, ge=1, never=("web",)
    )

    filters_after: tuple[str, ...] = option(
        (),
        "after",
        "FFmpeg filter after the restoration, which must keep every frame; may be repeated.",
        films=True,
        each="filter-after",
        filters=True,
        never=("web",),
    )
    upscale: int = option(
        1,
        "after",
        "Enlarge the picture this many times, by Lanczos; faces get all that their restoration holds.",
        ge=1,
        le=8,
    )
    background_model: Path | None = option(
        None, "after", "File of an upscaler that spandrel knows, to enlarge with instead.", never=("web",)
    )
    compare: Comparison | None = option(
        None,
        "after",
        "Write a film to compare by: side by side, split in the middle, or with a border that wanders.",
        films=True,
    )

    container: Container | None = option(
        None,
        "write",
        "Container of a target that is not named.",
        films=True,
        identity=False,
        shown="the source's, or mkv",
    )
    codec: str = option(
        "auto", "write", "Video encoder, any that PyAV has; auto is libx264, or what loses nothing.", films=True
    )
    crf: float | None = option(
        None, "write", "Constant quality.", films=True, shown="16 where the encoder has it", ge=0, le=63
    )
    preset: str | None = option(None, "write", "Speed preset of the encoder.", films=True, shown="the encoder's own")
    encoder_options: dict[str, str] = option(
        {},
        "write",
        "A further option of the encoder; may be repeated.",
        films=True,
        each="encoder-option",
        never=("web",),
    )
    audio_codec: str = option("copy", "write", "Encode sound anew with this encoder, or `copy` it.", films=True)
    audio_kbits: int | None = option(
        None,
        "write",
        "Kilobits a second of sound that is encoded.",
        films=True,
        shown="the encoder's own",
        ge=6,
        le=6144,
    )
    strict: bool = option(
        False, "write", "Fail where the target cannot hold a stream, not just warn.", films=True, identity=False
    )
    overwrite: bool = option(False, "write", "Replace an existing target.", identity=False, never=("pipelines", "web"))

    workers: int = option(
        1,
        "run",
        "Processes that restore a film together.",
        films=True,
        identity=False,
        never=("pipelines",),
        ge=1,
        le=256,
    )
    cluster: str | None = option(
        None,
        "run",
        "Share the work out among the machines of a Ray cluster: HOST:PORT, or the one that this machine belongs to.",
        films=True,
        identity=False,
        never=("pipelines",),
        alone=("auto", rf"{_ADDRESS}|\w+://.*"),
    )
    segment: int = option(
        240, "run", "Frames that are finished together: what an interruption costs.", films=True, ge=8, le=100_000
    )
    resume: bool = option(
        False,
        "run",
        "Go on with an interrupted restoration of the same target.",
        films=True,
        folders=True,
        identity=False,
        never=("watch", "pipelines"),
    )
    disk_check: bool = option(
        True,
        "run",
        "Refuse to begin where the disk will probably be full.",
        films=True,
        identity=False,
    )

    @field_validator("only", "skip", "devices", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Lists may come as text: ``3,7``; a text with nothing in it is a mistake, not the default."""
        if not isinstance(value, str):
            return value
        parts = [part for part in value.split(",") if part.strip()]
        if not parts:
            raise ValueError("names nothing: leave it out, or separate what it names by commas")
        return parts

    @field_validator("devices")
    @classmethod
    def _known_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(_DEVICE, name):
                raise ValueError(f"{name!r} is not a device: give auto, cpu, cuda, cuda:N or gpu")
        if len(kinds := {name.split(":")[0] for name in value}) > 1:
            raise ValueError(
                f"{' and '.join(sorted(kinds))} compute differently: a face would flicker between them; give one kind"
            )
        return value

    @field_validator("cluster")
    @classmethod
    def _known_address(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("ray://"):
            raise ValueError("run gfpvideo on a machine of the cluster itself, and give HOST:PORT or auto")
        if value is not None and not re.fullmatch(_ADDRESS, value):
            raise ValueError("must be HOST:PORT, as `ray start` prints it, or auto")
        return value

    @field_validator("start", "end", mode="before")
    @classmethod
    def _timed(cls, value: object) -> object:
        return seconds(value) if isinstance(value, str) else value

    @field_validator("encoder_options", mode="before")
    @classmethod
    def _paired(cls, value: object) -> object:
        """Pairs may come as text: ``tune=film``."""
        if not isinstance(value, list | tuple):
            return value
        pairs = [str(item).partition("=") for item in value]
        if not all(separator for _, separator, _ in pairs):
            raise ValueError("each must be KEY=VALUE")
        return {key: text for key, _, text in pairs}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end is not None and self.end <= (self.start or 0):
            raise _misfit("end", "end must be later than start")
        if (self.start or self.end) and (self.only or self.skip):
            raise _misfit(
                "start", "tracks are numbered over the whole film: with start or end, choose by an edited tracks file"
            )
        if self.person and self.only:
            raise _misfit("person", "only and person both choose the faces; give one")
        return self

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        """Refuse what has no effect beside the other options: who gives it expects one."""
        if self.background_model is not None and self.upscale == 1:
            raise _misfit("background_model", "background-model enlarges the picture: say how much with upscale")
        if self.grain == "match" and not self.steady:
            raise _misfit(
                "grain", "grain = match puts back what steadying takes away: with steady = 0 it has no effect"
            )
        if self.grain == "match" and self.around == "picture":
            raise _misfit(
                "grain", "grain = match puts back what around = picture takes away everywhere else: give one of the two"
            )
        if self.max_gap > self.lag and self.changed("max_gap"):
            raise _misfit(
                "max_gap", f"a gap is filled once the face is seen again: for {self.max_gap} frames give that much lag"
            )
        if self.around == "picture" and not self.gather:
            raise _misfit("around", "around = picture gathers the whole picture: it does not go with gather off")
        if not self.person and self.changed("likeness"):
            raise _misfit("likeness", "likeness has no effect without a person")
        if self.cluster is not None and (self.devices or ":" in self.device):
            raise _misfit("cluster", "each worker of a cluster gets a device of its own there: give no number or list")
        if self.devices and self.workers > 1:
            raise _misfit("workers", "each of the devices gets a worker: give workers or devices, not both")
        if self.audio_kbits is not None and self.audio_codec == "copy":
            raise _misfit("audio_kbits", "audio-kbits has no effect on sound that is copied: give audio-codec as well")
        return self

    @property
    def crew(self) -> int:
        """Processes of this machine that restore a film."""
        return len(self.devices) or self.workers

    @property
    def shared(self) -> bool:
        """Whether several processes restore a film, here or elsewhere."""
        return self.crew > 1 or self.cluster is not None

    @property
    def placement(self) -> Placement:
        """Whose landmarks faces are placed by."""
        return "landmarks" if self.refine else self.detector

    def changed(self, name: str) -> bool:
        """Whether an option has another value than its default."""
        return getattr(self, name) != type(self).model_fields[name].default

    def usual(self, names: Collection[str]) -> Self:
        """The same, with some options as they are where nobody gives them."""
        return self.model_copy(update={name: type(self).model_fields[name].default for name in names})

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


def _misfit(option: str, reason: str) -> PydanticCustomError:
    """An option that does not go with others."""
    return PydanticCustomError("misfit", "{reason}", {"reason": reason, "option": option})  # type: ignore[arg-type]


_SHOWN = 120
"""Longest value that a message repeats; a whole file's content would bury what is wrong with it."""


def one_line(error: ValidationError, *, dashes: bool = True) -> str:
    """Every wrong option of a validation, in one line; ``dashes``: called as on the command line, not as in files."""
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        name = name.replace("_", "-") if dashes else name
        reason = item["msg"].removeprefix("Value error, ")
        given = f" = {item['input']!r}" if len(repr(item["input"])) <= _SHOWN else ""
        subject = f"option {name}{given}: " if name else ""
        problems.append(f"{subject}{reason[0].lower()}{reason[1:]}")
    return "; ".join(problems)
