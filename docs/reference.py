"""Pages that mkdocs makes from the code: every command with its options, every public name with its docstring."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import gfpvideo
from gfpvideo.cli import app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {"reference/commands.md": commands_page(), "reference/python.md": python_page()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def commands_page() -> str:
    """Every command, its arguments and options, as their help describes them."""
    parts = ["# Commands", ""]
    for path, command in _commands("gfpvideo", typer.main.get_command(app)):
        parts += [f"## `{path}`", "", command.help or "", "", "| | |", "|---|---|"]
        parts += [f"| {_names(item)} | {_cell(_help(item))} |" for item in command.params]
        parts.append("")
    return "\n".join(parts)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
        return
    for name, child in children.items():
        yield from _commands(f"{path} {name}", child)


def _names(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{item.name.upper()}`"
    return ", ".join(f"`{name}`" for name in [*item.opts, *item.secondary_opts])


def _help(item: Any) -> str:
    return (getattr(item, "help", None) or "").replace("\\[", "[")  # as Rich shows it


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def python_page() -> str:
    """Every public name of the package."""
    parts = ["# Python", "", "```python", "import gfpvideo", "```", ""]
    for name in sorted(gfpvideo.__all__):
        if not name.startswith("__"):
            parts += _described(name, getattr(gfpvideo, name))
    return "\n".join(parts)


def _described(name: str, value: Any) -> list[str]:
    parts = [f"## `{name}`", ""]
    if inspect.isfunction(value):
        parts += ["```text", f"{name}{inspect.signature(value)}", "```", ""]
    parts += ["```text", inspect.getdoc(value) or "", "```", ""]
    if hasattr(value, "model_fields"):
        parts += ["| option | default | |", "|---|---|---|"]
        for option, item in value.model_fields.items():
            parts.append(f"| `{option}` | `{item.default}` | {_cell(item.description)} |")
        parts.append("")
    return parts
