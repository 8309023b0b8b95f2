"""The settings of the page as components, made from the option groups, and their values as options of a restoration."""

from typing import Any

import gradio as gr
from gradio.components import Component

from gfpvideo.errors import OptionError
from gfpvideo.generator.models import installed_generators
from gfpvideo.media.filters import check_filters
from gfpvideo.options.groups import TITLES, about, choices_of, films_alone, flag_name, kind_of, limits, taken
from gfpvideo.options.pipelines import load_pipeline, pipeline_names
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.web.words import Words

Values = dict[str, Any]

FIELDS = taken(RestoreOptions, "web")
"""The options that the page offers, by name."""
PLAIN = ("strength", "steady", "model", "grain", "deinterlace")
"""Those that everybody sees, in the page's own words; all others stand under "More"."""
_NOTHING = ("", None)


def preset_values(preset: str) -> Values:
    """What a preset sets, the options that the page does not show included.

    Raises:
        OptionError: if there is none of that name.
    """
    if not preset:
        return {}
    if preset not in pipeline_names():  # a path would be read as well
        raise OptionError(f"there is no kind of film {preset!r}")
    return load_pipeline(preset, check_filters).values


def shown_values(preset: str) -> list[Any]:
    """What every component shows once a preset is chosen, in the order of :data:`FIELDS`."""
    options = RestoreOptions.parse(preset_values(preset))
    return [_shown(name, getattr(options, name)) for name in FIELDS]


def given(preset: str, shown: list[Any], *, film: bool = True) -> Values:
    """Options of a restoration: the preset's, and whatever the components show that differs from them.

    Args:
        preset: its name, or nothing.
        shown: values of the components, in the order of :data:`FIELDS`.
        film: whether it is of a film; what means nothing to a photograph is left out.

    Raises:
        OptionError: if the preset or the model is none that the page offers.
    """
    values, base = preset_values(preset), shown_values(preset)
    for name, value, before in zip(FIELDS, shown, base, strict=True):
        if value != before and not (value in _NOTHING and before in _NOTHING):
            values[name] = _meant(name, value)
    if values.get("model", "auto") not in models():  # the option takes paths as well, which a browser may not name
        raise OptionError(f"option model = {values['model']!r}: must be one of {', '.join(models())}")
    strange = () if film else films_alone(RestoreOptions)
    return {name: value for name, value in values.items() if name not in strange}


def models() -> list[str]:
    """Names of the models that are there."""
    return ["auto", *installed_generators()]


def changes(components: list[Component]) -> list[Any]:
    """What tells that a setting has another value, of those that decide who is found in a film."""
    deciding = taken(RestoreOptions, "inspect")
    found = [component for name, component in zip(FIELDS, components, strict=True) if name in deciding]
    return [each.blur if isinstance(each, gr.Textbox | gr.Number) else each.change for each in found]  # type: ignore[attr-defined]  # made for each component


def component(name: str, words: Words) -> Component:
    """What shows an option and takes its value."""
    made = _plain(name, words) if name in PLAIN else _generic(name, words)
    made.elem_id = f"option-{name}"
    return made


def _plain(name: str, words: Words) -> Component:
    value = _shown(name, FIELDS[name].default)
    if name == "strength":
        return gr.Slider(0, 1, value, step=0.05, label=words.strength, info=words.strength_help)
    if name == "steady":
        return gr.Slider(0, 24, value, step=1, label=words.steady, info=words.steady_help)
    if name == "model":
        return gr.Dropdown(models(), value=value, label=words.model)
    if name == "grain":
        return gr.Checkbox(value, label=words.grain, info=words.grain_help)
    choices = [(words.fields_refuse, ""), (words.fields_weave, "yes"), (words.fields_keep, "no")]
    return gr.Radio(choices, value=value, label=words.fields)


def _generic(name: str, words: Words) -> Component:
    field = FIELDS[name]
    kind, value = kind_of(field), _shown("", field.default)
    label, info = words.options.get(name, (flag_name(name), field.description))
    if kind is bool:
        return gr.Checkbox(value, label=label, info=info)
    if choices := choices_of(field):
        empty = [("", "")] if field.default is None else []
        return gr.Dropdown([*empty, *((choice, choice) for choice in choices)], value=value, label=label, info=info)
    if kind in (int, float):
        bounds = limits(field)
        return gr.Number(value, label=label, info=info, minimum=bounds.get("ge"), maximum=bounds.get("le"))
    return gr.Textbox(value, label=label, info=info, max_lines=1)


def groups(words: Words) -> dict[str, list[str]]:
    """The options under "More", by the title of their group."""
    found: dict[str, list[str]] = {}
    for name, field in FIELDS.items():
        if name not in PLAIN:
            group = about(field).group
            found.setdefault(words.groups.get(group, TITLES[group]), []).append(name)
    return found


def _shown(name: str, value: Any) -> Any:
    """An option's value as its component shows it."""
    if name == "grain":
        return value == "match"
    if name == "deinterlace":
        return {None: "", True: "yes", False: "no"}[value]
    return "" if value is None and name and kind_of(FIELDS[name]) not in (int, float) else value


def _meant(name: str, shown: Any) -> Any:
    """What a component's value means as the option's."""
    if name == "grain":
        return "match" if shown else "none"
    if name == "deinterlace":
        return {"": None, "yes": True, "no": False}.get(shown)
    if shown in _NOTHING:
        return None
    return int(shown) if kind_of(FIELDS[name]) is int and float(shown).is_integer() else shown
