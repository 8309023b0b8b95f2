"""One place for an option: its field; flags, tables, arguments and lists are made of it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import gfpvideo
from gfpvideo.cli import app
from gfpvideo.errors import OptionError
from gfpvideo.options.groups import TITLES, about, films_alone, no_matter, tables, taken
from gfpvideo.options.restore import RestoreOptions
from quick import QUICK

RUNNER = CliRunner()
FIELDS = RestoreOptions.model_fields
WIDE = {"COLUMNS": "240", "NO_COLOR": "1", "TERM": "dumb"}

ADDED = '''
import json, sys, types
from pathlib import Path
from unittest.mock import MagicMock
import gfpvideo.options.restore as table
from gfpvideo.options.groups import option

class More(table.RestoreOptions):
    """The options, and one more."""

    glow: int = option(3, "restore", "Shine like a saint.", films=True, identity=False, ge=1, le=9)

table.RestoreOptions = More
sys.modules["vapoursynth"] = MagicMock()

import inspect
from typer.testing import CliRunner
from gfpvideo.cli import app
from gfpvideo.errors import OptionError
from gfpvideo.options.pipelines import parse_pipeline
from gfpvideo import load_generator
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.run import restore
from gfpvideo.vapoursynth import restore_faces

def helped(command):
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "240", "NO_COLOR": "1"})
    return [line for line in done.stdout.splitlines() if "--glow" in line]

def refused(call):
    try:
        call()
    except OptionError as error:
        return str(error)

text = 'description = "a"\\n[restore]\\nglow = 7\\n'
photo = Path(sys.argv[1])
print(json.dumps({
    "help": {command: helped(command) for command in ("restore", "pipe", "inspect")},
    "table": parse_pipeline(text, Path("x.toml"), print).values,
    "vapoursynth": str(inspect.signature(restore_faces).parameters["glow"]),
    "range": refused(lambda: More.parse({"glow": 10})),
    "picture": refused(lambda: restore(photo, None, More(glow=4))),
    "identity": "glow" in Fingerprint.of(photo, More(glow=4), load_generator("compact")).options,
}))
'''


def test_an_added_option_is_found_everywhere(tmp_path: Path) -> None:
    """One field, and every end that takes its group has it."""
    photo = tmp_path / "photo.png"
    photo.touch()
    done = subprocess.run([sys.executable, "-c", ADDED, str(photo)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    for command in ("restore", "pipe"):
        (line,) = found["help"][command]
        assert re.search(r"--glow\s+<int>\s+Shine like a saint. \[default: 3; 1 to 9\]", line)
    assert found["help"]["inspect"] == []
    assert found["table"] == {"glow": 7}
    assert found["vapoursynth"] == "glow: int = 3"
    assert found["range"].startswith("option glow = 10: ")
    assert found["picture"] == f"{photo}: option glow is for films, not for pictures"
    assert found["identity"] is False


def test_ends_take_whole_groups_but_for_what_means_nothing_to_them() -> None:
    assert taken(RestoreOptions, "restore").keys() == FIELDS.keys()
    left = {end: {name for name, field in FIELDS.items() if end in about(field).never} for end in ("pipe", "inspect")}
    assert left == {"pipe": {"person", "likeness"}, "inspect": {"tracks"}}
    groups = {about(field).group for field in taken(RestoreOptions, "pipe").values()}
    assert groups == set(TITLES) - {"write", "run"}
    assert {"filters", "start", "end", "lag", "max_gap", "model"} <= taken(RestoreOptions, "inspect").keys()
    assert "strength" not in taken(RestoreOptions, "inspect")
    assert list(tables(RestoreOptions)) == list(TITLES)
    assert "only" not in tables(RestoreOptions)["restore"]


def test_the_result_depends_on_all_but_a_few() -> None:
    assert no_matter(RestoreOptions) == {
        "batch", "cluster", "container", "devices", "disk_check", "max_side", "max_streams", "model", "overwrite",
        "resume", "strict", "weights_dir", "workers",
    }  # fmt: skip


OTHER: dict[str, Any] = {
    "detect_every": 1, "tracks": "t.json", "lag": 3, "max_gap": 3, "smooth": False, "steady": 2, "grain": "match",
    "every": "1", "around": "none",
    "batch": 2, "reuse": 0, "start": "1", "end": "2", "deinterlace": True, "telecine": True, "filters": ["hflip"],
    "hwaccel": "cuda", "max_side": 100, "max_streams": 3, "filters_after": ["hflip"], "compare": "side",
    "container": "mp4", "codec": "ffv1", "crf": 3, "preset": "slow", "encoder_options": {"a": "b"},
    "audio_codec": "aac", "strict": True, "workers": 2, "cluster": "auto", "segment": 8, "resume": True,
    "disk_check": False,
}  # fmt: skip
"""Another value of every option that is for films alone (two of them only go with another)."""


@pytest.mark.parametrize("name", OTHER)
def test_what_is_for_films_is_refused_for_pictures(name: str, tmp_path: Path) -> None:
    options = RestoreOptions.parse({name: OTHER[name]})
    photo = tmp_path / "photo.png"
    photo.touch()
    for source in (photo, tmp_path) if name in films_alone(RestoreOptions, folder=True) else (photo,):
        with pytest.raises(OptionError, match=f"option {name.replace('_', '-')} is for films, not for pictures"):
            gfpvideo.restore(source, None, options)
    assert set(films_alone(RestoreOptions)) - OTHER.keys() == {"audio_kbits", "gather"}
    assert set(films_alone(RestoreOptions)) - set(films_alone(RestoreOptions, folder=True)) == {"resume"}


def test_what_changes_a_picture_is_taken(tmp_path: Path) -> None:
    """It is taken; that it has an effect, tests of its own show."""
    values = {
        "detect_size": 64, "min_score": 0.9, "min_face": 5.0, "adapt": False, "guard": False, "strength": 0.1,
        "color": "model", "max_faces": 1, "only": (9,), "skip": (1,), "precision": "fp32", "overwrite": True,
    }  # fmt: skip
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(photo)
    assert gfpvideo.restore(photo, None, RestoreOptions.parse(QUICK | values)).faces == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"grain": "match", "steady": 0}, "with steady = 0 it has no effect"),
        ({"likeness": 0.6}, "likeness has no effect without a person"),
        ({"audio_kbits": 96}, "give audio-codec as well"),
        ({"background_model": "x.pth"}, "say how much with upscale"),
        ({"around": "picture", "gather": False}, "does not go with gather off"),
        ({"around": "picture", "grain": "match"}, "give one of the two"),
        ({"max_gap": 20}, "for 20 frames give that much lag"),
        ({"encoder_options": ["tune"]}, "must be KEY=VALUE"),
    ],
)
def test_what_has_no_effect_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as refused:
        RestoreOptions.parse(values)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["restore", "x.mp4", "--steady", "many"], "option steady = 'many': input should be a valid integer"),
        (["restore", "x.mp4", "--steady", "99"], "option steady = '99': input should be less than or equal to 24"),
        (["pipe", "x.mp4", "--mask", "square"], "option mask = 'square'"),
        (["inspect", "x.mp4", "--start", "soon"], "option start = 'soon': must be seconds or h:mm:ss.sss"),
        (["inspect", "x.mp4", "--pipeline", "betamax"], "no pipeline 'betamax'"),
        (["restore", "x.mp4", "-o", "y.mkv", "--container", "mp4"], "the name of the target, y.mkv, says which"),
        (["pipe", "--hwaccel", "cuda"], "standard input: option hwaccel is for films in files"),
        (["pipe", "--start", "3"], "standard input: option start is for films in files"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(arguments: list[str], words: str) -> None:
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_flags_say_what_they_take() -> None:
    text = squeezed(RUNNER.invoke(app, ["restore", "--help"], env=WIDE).stdout)
    for words in (
        "Target [default: SOURCE with .restored before the suffix]; - is standard output (Matroska).",
        "--steady <int> Frames either side that a face is averaged with where nothing moves. [default: 4; 0 to 24]",
        "--mask outline|ellipse|parsing Region",
        "detector sees. [default: 640, or half of the film's if more; 64 to 8192]",
        "--encoder-option KEY=VALUE",
        "--telecine --no-telecine",
    ):
        assert words in text
    titles = [text.index(f" {title} ") for title in TITLES.values()]
    assert titles == sorted(titles)


def every_command(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from every_command((*path, name), child)


def test_help_loses_nothing_in_square_brackets() -> None:
    for path, command in every_command((), typer.main.get_command(app)):
        shown = squeezed(RUNNER.invoke(app, [*path, "--help"], env=WIDE).stdout)
        for item in command.params:
            text = squeezed((getattr(item, "help", None) or "").replace("\\[", "["))
            assert text in shown, path
        for paragraph in (command.help or "").split("\n\n"):
            assert squeezed(paragraph) in shown, path


def squeezed(text: str) -> str:
    """Without the lines of panels, and with single spaces."""
    return re.sub(r"[\s│─╭╮╰╯]+", " ", text).strip()


def test_importing_the_command_line_is_light() -> None:
    code = (
        "import sys, gfpvideo.cli\n"
        "print(sorted({'torch', 'openvino', 'av', 'cv2', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("values", [{"start": "0.5", "end": "0:01.25"}, {"end": Fraction(1, 3)}, {"end": "7"}])
def test_workers_are_told_times_exactly(values: dict[str, Any]) -> None:
    """Options go to them as JSON."""
    options = RestoreOptions.parse(values)
    assert RestoreOptions.model_validate_json(options.model_dump_json()) == options
