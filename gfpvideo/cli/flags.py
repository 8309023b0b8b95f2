"""A command's flags out of the options model: typed, with defaults and ranges, in panels by group.

Which groups a command takes is stated in :mod:`gfpvideo.options.groups`. Values stay text here: the model alone
validates them, with the same message wherever they come from.
"""

import functools
import re
from collections.abc import Callable
from fractions import Fraction
from inspect import Parameter, Signature, signature
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
import typer.core
from pydantic.fields import FieldInfo

from gfpvideo.options.groups import TITLES, End, about, choices_of, default_and_range, flag_name, kind_of, taken
from gfpvideo.options.restore import RestoreOptions

Command = Callable[..., int]
_METAVARS: dict[Any, str] = {int: "<int>", float: "<float>", str: "<str>", Fraction: "<time>", Path: "<path>"}
"""How values are called, in the way of typer's own."""
_WIDEST = 25
"""Most letters of choices that stand where a value's kind is told; more are part of the help, or that has no room."""
_TAG = re.compile(r"(\\*)(\[[a-z#/@][^[]*?])")
"""What Rich takes for markup, as its own ``escape`` has it (importing that costs more than the rest of the help)."""


def takes(end: End) -> Callable[[Command], Command]:
    """Give a command the flags of an end; it receives the options that were given, by name, as ``given``."""

    def decorate(function: Command) -> Command:
        fields = taken(RestoreOptions, end)
        own = [each for each in signature(function, eval_str=True).parameters.values() if each.name != "given"]
        flags = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name, field))
            for name, field in fields.items()
        ]

        @functools.wraps(function)
        def wrapped(*args: Any, **values: Any) -> int:
            given = {name: values.pop(name, None) for name in fields}
            return function(*args, **values, given={key: value for key, value in given.items() if value is not None})

        shown = Signature([*own, *flags], return_annotation=int)
        wrapped.__signature__ = shown  # type: ignore[attr-defined]  # what typer reads
        wrapped.__annotations__ = {name: each.annotation for name, each in shown.parameters.items()} | {"return": int}
        return wrapped

    return decorate


def flag(name: str, *, panel: bool = False) -> Any:
    """The flag of one option, for a command that takes no group; with ``panel``, below its group's title."""
    field = RestoreOptions.model_fields[name]
    facts, (kind, metavar) = about(field), _kind(field)
    declared = f"--{facts.each or flag_name(name)}"
    if kind is bool and "pipelines" not in facts.never:  # a pipeline's file may say yes, and the command line then no
        declared += f"/--no-{flag_name(name)}"
    title = TITLES[facts.group] if panel else None
    return typer.Option(declared, metavar=metavar, help=_help(name, field), show_default=False, rich_help_panel=title)


def _help(name: str, field: FieldInfo) -> str:
    """What an option does, its default, its range, and its choices where they are many."""
    choices = choices_of(field)
    parts = [default_and_range(name, field), f"one of {', '.join(choices)}" if _many(choices) else ""]
    ending = "; ".join(filter(None, parts))
    return plain(f"{field.description} [{ending}]" if ending else field.description or "")


def _annotation(name: str, field: FieldInfo) -> Any:
    """What typer reads a command's parameter by; ``None`` stands for an option that is not given."""
    return Annotated[_kind(field)[0] | None, flag(name, panel=True)]


class Restoring(typer.core.TyperCommand):
    """A command some of whose flags may stand alone, without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give such a flag its value, unless what stands after it looks like one."""
        fields = taken(RestoreOptions, "restore")
        for name, meant in ((name, about(field).alone) for name, field in fields.items()):
            if meant is not None:
                args = _valued(args, f"--{flag_name(name)}", *meant)
        return super().parse_args(ctx, args)


def _valued(args: list[str], flag: str, value: str, pattern: str) -> list[str]:
    pairs = zip_longest(args, args[1:], fillvalue="")
    return [
        word
        for this, after in pairs
        for word in ([this] if this != flag or re.fullmatch(pattern, after) else [this, value])
    ]


def plain(text: str) -> str:
    """Help text whose square brackets Rich shows instead of taking them for markup."""
    return _TAG.sub(r"\1\1\\\2", text)


def _kind(field: FieldInfo) -> tuple[Any, str | None]:
    """What typer reads an option as, and how its value is called."""
    kind = kind_of(field)
    if kind is bool:
        return bool, None
    if kind is Path:
        return Path, _METAVARS[Path]
    choices = choices_of(field)
    if choices:
        return str, "<str>" if _many(choices) else "|".join(choices)
    if about(field).alone:
        return str, "ADDRESS"
    if about(field).each:
        return list[str], "KEY=VALUE" if get_origin(kind) is dict else "<str>"
    if get_origin(kind) is tuple:
        item = _METAVARS[get_args(kind)[0]]
        return str, f"{item},{item}"
    return str, _METAVARS[kind]


def _many(choices: tuple[str, ...]) -> bool:
    return len("|".join(choices)) > _WIDEST
