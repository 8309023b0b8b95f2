"""What is known of an option besides its type: its field in the options model says all of it, and nothing else does.

Options fall into groups. Who takes options (an *end*) takes whole groups:

- ``restore`` (with its ``--preview``) and the tables of a pipeline's file: every group;
- ``watch``: every group, less what speaks of one film's tracks, and ``resume``, which it always does;
- ``pipe``: all but ``write`` and ``run``, since a stream has no target;
- ``inspect``: ``find``, ``follow``, ``engine`` and ``before``, all that its tracks and its sheet depend on;
- ``vapoursynth``: ``find``, ``follow``, ``restore``, ``time`` and ``engine``; what happens before and after is the
  script's own business;
- ``web``: every group but ``run``, less what names files of the machine or filters, which can: a browser's page may be
  another person's.

Where a single option of a group means nothing to an end, the option's field says so (``never``).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from inspect import Parameter
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Group = Literal["find", "follow", "restore", "time", "engine", "before", "after", "write", "run"]
End = Literal["restore", "watch", "pipe", "stdin", "inspect", "vapoursynth", "web", "pipelines"]

TITLES: dict[Group, str] = {
    "find": "Find faces",
    "follow": "Follow them",
    "restore": "Choose and restore them",
    "time": "Keep them steady over time",
    "engine": "Networks and devices",
    "before": "Before the restoration",
    "after": "After the restoration",
    "write": "Write the film",
    "run": "Run",
}
"""Every group, in the order in which they are shown, and what stands above it."""
_STREAM: frozenset[Group] = frozenset(("find", "follow", "restore", "time", "engine", "before", "after"))
TAKES: dict[End, frozenset[Group]] = {
    "restore": frozenset(TITLES),
    "watch": frozenset(TITLES),
    "pipe": _STREAM,
    "stdin": _STREAM,
    "inspect": frozenset(("find", "follow", "engine", "before")),
    "vapoursynth": frozenset(("find", "follow", "restore", "time", "engine")),
    "web": frozenset(TITLES) - {"run"},
    "pipelines": frozenset(TITLES),
}
"""Groups that each end takes; ``stdin`` is ``gfpvideo pipe`` without a file."""
_BOUNDS = (("ge", "at least {:g}"), ("gt", "more than {:g}"), ("le", "at most {:g}"), ("lt", "less than {:g}"))


@dataclass(frozen=True)
class About:
    """What an option's field says of it."""

    group: Group
    films: bool = False
    """Whether it means nothing to a photograph."""
    folders: bool = False
    """Whether it then means something to a folder of photographs all the same."""
    identity: bool = True
    """Whether the result depends on it, so that an interrupted restoration only goes on with the same value."""
    never: tuple[End, ...] = ()
    """Ends that leave it out though they take its group."""
    each: str | None = None
    """Name of the flag that gives one of several values; ``None`` if one flag gives all."""
    alone: tuple[str, str] | None = None
    """What its flag means that stands alone, and what a value looks like that may stand after it (an expression)."""
    shown: str | None = None
    """What the default comes to, where its value does not say it."""
    filters: bool = False
    """Whether its values are FFmpeg filters, which can be tried."""


def option(
    default: Any,
    group: Group,
    description: str,
    *,
    films: bool = False,
    folders: bool = False,
    identity: bool = True,
    never: Collection[End] = (),
    each: str | None = None,
    alone: tuple[str, str] | None = None,
    shown: str | None = None,
    filters: bool = False,
    **limits: Any,
) -> Any:
    """A field of the options model.

    Args:
        default: its value where nobody gives one.
        group: where it belongs.
        description: a sentence for whoever reads the help.
        films: see :class:`About`, as for all others.
        folders: see there.
        identity: see there.
        never: see there.
        each: see there.
        alone: see there.
        shown: see there.
        filters: see there.
        limits: of its values, as :func:`pydantic.Field` takes them: ``ge``, ``gt``, ``le``, ``lt``, ``pattern``.
    """
    facts = asdict(About(group, films, folders, identity, tuple(never), each, alone, shown, filters))
    return Field(default=default, description=description, json_schema_extra=facts, **limits)


def about(field: FieldInfo) -> About:
    """What a field made by :func:`option` says of its option."""
    facts = field.json_schema_extra
    assert isinstance(facts, dict), "an option is made by option()"
    return About(**facts)  # type: ignore[arg-type]  # what option() put there


def taken(model: type[BaseModel], end: End) -> dict[str, FieldInfo]:
    """The options that an end takes, by name, group after group."""
    groups = [group for group in TITLES if group in TAKES[end]]
    return {
        name: field
        for group in groups
        for name, field in model.model_fields.items()
        if about(field).group == group and end not in about(field).never
    }


def tables(model: type[BaseModel]) -> dict[str, list[str]]:
    """Tables that a pipeline's file may have, and the options in each."""
    found: dict[str, list[str]] = {group: [] for group in TITLES}
    for name, field in taken(model, "pipelines").items():
        found[about(field).group].append(name)
    return found


def films_alone(model: type[BaseModel], *, folder: bool = False) -> list[str]:
    """Options that mean nothing to a photograph, or nothing to a folder of photographs."""
    facts = {name: about(field) for name, field in model.model_fields.items()}
    return [name for name, known in facts.items() if known.films and not (folder and known.folders)]


def no_matter(model: type[BaseModel]) -> set[str]:
    """Options that the result does not depend on."""
    return {name for name, field in model.model_fields.items() if not about(field).identity}


def keywords(model: type[BaseModel], end: End) -> list[Parameter]:
    """The options of an end as keyword arguments of a function."""
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation)
        for name, field in taken(model, end).items()
    ]


def kind_of(field: FieldInfo) -> Any:
    """The type of an option's values, less the ``None`` that says that there is none."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(field.annotation) else field.annotation


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The values that an option can have, where they can be counted."""
    kind = kind_of(field)
    return get_args(kind) if get_origin(kind) is Literal else ()


def flag_name(name: str) -> str:
    """An option's name as people write it."""
    return name.replace("_", "-")


def default_and_range(name: str, field: FieldInfo) -> str:
    """What an option is by default and within which bounds: ``default: 4; 0 to 24``."""
    found = limits(field)
    low, high = found.get("ge"), found.get("le")
    if low is not None and high is not None:
        bounds = [f"{low:g} to {high:g}"]
    else:
        bounds = [words.format(found[kind]) for kind, words in _BOUNDS if kind in found]
    default = _shown(name, field)
    return "; ".join([f"default: {default}"] * bool(default) + [", ".join(bounds)] * bool(bounds))


def _shown(name: str, field: FieldInfo) -> str:
    shown, default = about(field).shown, field.default
    if shown is not None or default is None or isinstance(default, tuple | dict):
        return shown or ""
    if isinstance(default, bool):
        return flag_name(name) if default else ""
    return f"{default:g}" if isinstance(default, float) else str(default)


def limits(field: FieldInfo) -> Mapping[str, float]:
    """Bounds of a number; those of a time are plain from its name."""
    found = {kind: getattr(item, kind) for item in field.metadata for kind, _ in _BOUNDS if hasattr(item, kind)}
    return found if {int, float} & {field.annotation, *get_args(field.annotation)} else {}
