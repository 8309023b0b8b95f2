"""The pipelines: right, told apart from wrong ones, and keeping the promises on a clip aged accordingly."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import gfpvideo
from aged_films import aged
from conftest import ROOT
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import OptionError
from gfpvideo.media.filters import check_filters
from gfpvideo.options.pipelines import load_pipeline, parse_pipeline, pipeline_names
from helpers import facts, plane_bytes
from quick import QUICK, QUICK_ARGUMENTS

RUNNER = CliRunner()
NAMES = ["archive", "bw_film", "dvd_interlaced", "home_movie_8mm", "vhs", "webcam"]


def test_all_pipelines_are_listed_shown_and_right() -> None:
    assert pipeline_names() == NAMES
    listed = RUNNER.invoke(app, ["pipelines", "list"]).stdout
    for name in NAMES:
        assert name in listed
        assert (
            RUNNER.invoke(app, ["pipelines", "show", name]).stdout == (ROOT / "pipelines" / f"{name}.toml").read_text()
        )
    files = [str(ROOT / "pipelines" / f"{name}.toml") for name in NAMES]
    assert RUNNER.invoke(app, ["pipelines", "check", *files]).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_pipeline_keeps_the_promises(name: str, tmp_path: Path) -> None:
    source = aged(name, tmp_path / "film.mkv")
    report = gfpvideo.restore(source, options=RestoreOptions.parse(QUICK | load_pipeline(name, check_filters).values))
    target = tmp_path / "film.restored.mkv"
    assert Path(report.target) == target
    assert report.exit_code == 0
    assert report.faces >= 20
    before, after = facts(source), facts(target)
    assert after.pts == before.pts
    assert after.payloads == before.payloads
    assert after.starts == before.starts
    if name == "archive":
        with av.open(str(target)) as container:
            assert container.streams.video[0].codec_context.name == "ffv1"
        assert after.first.format.name == "yuv420p10le"
    if name == "bw_film":
        with av.open(str(target)) as container:
            for picture in container.decode(video=0):
                chroma = np.frombuffer(b"".join(plane_bytes(picture)[1:]), np.uint8).astype(int)
                assert np.abs(chroma - 128).max() <= 3


@pytest.mark.slow
def test_the_archive_keeps_what_is_not_a_face_exactly(tmp_path: Path, rng: np.random.Generator) -> None:
    source = aged("archive", tmp_path / "film.mkv")
    values = QUICK | load_pipeline("archive", check_filters).values | {"strength": 0.0}
    gfpvideo.restore(source, tmp_path / "out.mkv", RestoreOptions.parse(values))
    for one, other in zip(
        facts(source, planes=True).planes, facts(tmp_path / "out.mkv", planes=True).planes, strict=True
    ):
        for before, after in zip(one, other, strict=True):
            eight, ten = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint16)
            assert np.array_equal(ten, eight.astype(np.uint16) * 4)


def test_the_command_line_wins(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    arguments = ["restore", str(film), "-o", str(target), "--pipeline", "archive", "--codec", "libx264", "-q"]
    done = RUNNER.invoke(
        app, [*arguments, "--encoder-option", "tune=film", "--preset", "ultrafast", "--end", "0.5", *QUICK_ARGUMENTS]
    )
    assert done.exit_code == 0
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].format.name == "yuv420p10le"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('description = "a"\n[before]\nfilters = ["nosuch"]\n', "line 3: filter 'nosuch'"),
        (
            'description = "a"\n[before]\nfilters = [\n  "deflicker=sizzle=4",\n]\n',
            "line 3: filter 'deflicker=sizzle=4'",
        ),
        ('description = "a"\n\n[time]\nsteady = "many"\n', "line 4: option steady = 'many'"),
        ('description = "a"\n[restore]\nsteady = 3\n', r"line 3: 'steady' belongs in \[time\]"),
        ('description = "a"\n[write]\n# codec\ncodek = "x"\n', r"line 4: unknown key 'codek' in \[write\]; known are"),
        ('description = "a"\n[early]\nfilters = []\n', r"line 2: unknown 'early'; known are description, \[find\]"),
        ("[time]\nsteady = 2\n", "line 1: a pipeline needs a description"),
        ("description = 3\n", "line 1: a pipeline needs a description"),
        ('description = "a"\nrestore = 3\n', "line 2: option restore = 3: must be a table"),
        ('description = "a"\n[restore]\nonly = [3]\n', "line 3: unknown key 'only'"),
        ('description = "a"\n[write]\noverwrite = true\n', "line 3: unknown key 'overwrite'"),
        (
            'description = "a"\n[write]\ncodec = "ffv1"\naudio_kbits = 64\n',
            "line 4: audio-kbits has no effect on sound that is copied",
        ),
        ('description = "a"\n[after]\nbackground_model = "x.pth"\n', "line 3: background-model enlarges"),
        ("description =", "not a TOML file"),
    ],
)
def test_wrong_pipelines_name_the_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=words) as caught:
        load_pipeline(str(path), check_filters)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_values_are_checked_beside_each_other(tmp_path: Path) -> None:
    """A network that enlarges says nothing without how much: each alone is wrong, both together are right."""
    path = tmp_path / "mine.toml"
    path.write_text('description = "a"\n[after]\nbackground_model = "x.pth"\nupscale = 2\n')
    assert load_pipeline(str(path), check_filters).values == {"background_model": "x.pth", "upscale": 2}


def test_the_command_line_may_not_make_a_pipeline_pointless(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["restore", "film.mp4", "--pipeline", "archive", "--steady", "0"])
    assert done.exit_code == 2
    assert "with steady = 0 it has no effect" in done.stderr


def test_unknown_pipelines_are_named() -> None:
    with pytest.raises(OptionError, match="no pipeline 'betamax'; give one of archive, bw_film"):
        load_pipeline("betamax", check_filters)
    with pytest.raises(OptionError, match=r"nowhere\.toml: the pipeline cannot be read"):
        load_pipeline("nowhere.toml", check_filters)


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.text(max_size=60), st.sampled_from(["[before]\nfilters = 3", "restore.x = {}", "[[encode]]\na=1"])))
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionError):
        parse_pipeline(text, Path("any.toml"), check_filters)
