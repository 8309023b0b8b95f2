"""The page for people without a terminal: its folder, its queue, who may use it."""

import base64
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gfpvideo
from conftest import ROOT
from gfpvideo import RestoreOptions
from gfpvideo.errors import GfpvideoError, InputError, OptionError, OutputError, StoppedError
from gfpvideo.options.groups import TITLES, about
from gfpvideo.web.folder import Folder, readable
from gfpvideo.web.looking import Looking, Turns
from gfpvideo.web.restorations import Restoration, Restorations, file_of
from gfpvideo.web.words import ENGLISH, LANGUAGES, duration, preferred

with suppress(ImportError):
    import gradio  # noqa: F401  # where it keeps temporary files is settled when it is imported: before a test's folder

SAMPLE = ROOT / "samples" / "home_movie.mp4"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "films")
    (made.root / "film.mp4").write_bytes(SAMPLE.read_bytes())
    return made


def ended(restorations: Restorations, number: int, *states: str, seconds: float = 120) -> Restoration:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (found := restorations.get(number)).state in states:
            return found
        time.sleep(0.1)
    raise AssertionError(f"still {restorations.get(number).state}")


# The folder


@given(st.text(max_size=300))
def test_a_name_from_a_browser_is_a_name(name: str) -> None:
    kept = readable(name)
    assert kept
    assert not {"/", "\\", "\0"} & set(kept)
    assert not kept.startswith(".")
    assert kept.isprintable()
    assert len(kept) < 250
    assert readable(kept) == kept


def test_only_films_of_the_folder_are_offered(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").touch()
    (folder.root / "elsewhere.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder.root / "notes.txt").touch()
    assert folder.names() == ["film.mp4"]
    for name in ("../secret.mp4", str(tmp_path / "secret.mp4"), "elsewhere.mp4", "notes.txt", "", ".", "film.mp4/"):
        with pytest.raises(InputError):
            folder.path(name)


def test_an_upload_replaces_nothing(folder: Folder, tmp_path: Path) -> None:
    for wanted, kept in (("film.mp4", "film 2.mp4"), ("film.mp4", "film 3.mp4"), ("../../other.mkv", "other.mkv")):
        uploaded = tmp_path / "upload"
        uploaded.write_text(kept)
        assert folder.take_in(uploaded, wanted) == kept
        assert (folder.root / kept).read_text() == kept
    (tmp_path / "program").touch()
    with pytest.raises(InputError, match=r"program\.exe: not a film"):
        folder.take_in(tmp_path / "program", "program.exe")
    assert not (tmp_path / "program").exists(), "it would lie there for as long as the page is open"
    assert (folder.root / "film.mp4").read_bytes() == SAMPLE.read_bytes()


def test_uploads_that_broke_off_do_not_fill_the_disk(folder: Folder, tmp_path: Path) -> None:
    with folder.opened():
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        for name in ("broken", "growing", "whole"):
            (uploads / name).write_bytes(b"part")
        os.utime(uploads / "broken", (0, 0))
        folder.take_in(uploads / "whole", "whole.mkv")
        assert [path.name for path in uploads.iterdir()] == ["growing"]


def test_what_is_half_written_is_not_offered(folder: Folder) -> None:
    """Nor what a Mac puts beside photographs; one that is renamed just now is no trouble."""
    for name in (".film.restored.0123abcd.partial.mp4", "._photo.jpg"):
        (folder.root / name).touch()
    (folder.root / "gone.mp4").symlink_to(folder.root / "nowhere.mp4")
    assert folder.names() == ["film.mp4"]


def test_an_upload_can_be_read_by_whom_other_new_files_can(folder: Folder, tmp_path: Path) -> None:
    with NamedTemporaryFile(dir=tmp_path, delete=False) as uploaded:
        pass
    (tmp_path / "new").touch()
    taken = folder.root / folder.take_in(Path(uploaded.name), "taken.mp4")
    assert taken.stat().st_mode == (tmp_path / "new").stat().st_mode


def test_one_page_has_a_folder_and_leaves_nothing_in_it(folder: Folder) -> None:
    (folder.hidden / "uploads-of-one-that-was-killed").mkdir()
    with folder.opened():
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        assert [path for path in folder.hidden.iterdir() if path.is_dir()] == [uploads]
        with pytest.raises(OutputError, match="another gfpvideo web"), Folder(folder.root).opened():
            pass
    assert not uploads.exists()


# Looking


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order, threads = Turns(), [], []

    def work(number: int) -> None:
        with turns.one():
            order.append(number)

    with turns.one():
        for number in range(4):
            threads.append(Thread(target=work, args=(number,)))
            threads[-1].start()
            while len(turns) < number + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]


@pytest.mark.slow
def test_whoever_looks_at_something_else_is_not_kept_waiting(folder: Folder) -> None:
    """A long film would be followed for hours: the new one ends the old, and others take turns with it."""
    looking, options, path = Looking(folder), RestoreOptions(), folder.root / "film.mp4"
    first, second = (looking.follow(path, options, who) for who in ("anna", "berta"))
    assert [next(first).frames, next(second).frames, next(first).frames] == [1, 1, 2]
    assert looking.others("anna") == looking.others("berta") == 1
    newer = looking.follow(path, options, "anna")
    assert next(newer).frames == 1
    with pytest.raises(StoppedError):
        next(first)
    looking.leave("berta")
    with pytest.raises(StoppedError):
        next(second)
    assert [so_far.frames for so_far in newer][-1] == 90
    assert looking.others("berta") == 0
    assert looking.is_known(path, RestoreOptions(steady=0), "anna")
    assert not looking.is_known(path, RestoreOptions(detect_every=1), "anna")


@pytest.mark.slow
def test_who_is_left_alone_is_shown_so(folder: Folder) -> None:
    looking, options, path = Looking(folder), RestoreOptions(steady=0), folder.root / "film.mp4"
    for so_far in looking.follow(path, options, "anna"):
        if so_far.frames == 40:
            break
    before, after = looking.moment(path, options, 0.2, "anna")
    assert np.abs(before.astype(int) - after).max() > 10
    with pytest.raises(InputError, match="no face was found that is to be restored"):
        looking.moment(path, options, 0.2, "anna", left=[1])
    assert [path.name for path in folder.hidden.iterdir()] == []


@pytest.mark.slow
def test_a_photograph_is_looked_at_as_a_whole(folder: Folder, film: Path) -> None:
    with av.open(str(film)) as container:
        next(container.decode(video=0)).to_image().save(folder.root / "photo.png")
    before, after = Looking(folder).moment(folder.root / "photo.png", RestoreOptions(), 0, "anna")
    assert before.shape == after.shape == (360, 480, 3)
    changed = np.abs(before.astype(int) - after).max(axis=2) > 20
    assert 0 < changed.mean() < 0.5
    assert sorted(path.name for path in folder.root.iterdir() if path.suffix) == ["film.mp4", "photo.png"]


# The queue


@pytest.mark.slow
def test_a_film_comes_out_as_on_the_command_line(folder: Folder, tmp_path: Path) -> None:
    expected = tmp_path / "expected.mp4"
    gfpvideo.restore(SAMPLE, expected, RestoreOptions(strength=0.7, end="0:01"))  # type: ignore[arg-type]
    with Restorations(folder) as restorations:
        added = restorations.add("film.mp4", {"strength": 0.7, "end": "0:01"})
        with pytest.raises(InputError, match="not restored yet"):
            file_of(restorations, added.number, "target")
        done = ended(restorations, added.number, "done", "failed")
        assert (done.state, done.target) == ("done", "film.restored.mp4")
        assert done.faces > 0
        assert file_of(restorations, added.number, "target").read_bytes() == expected.read_bytes()
        again = restorations.add("film.mp4", {"end": "0:01"})
        assert again.target == "film.restored 2.mp4"
        ended(restorations, again.number, "done")
    assert [each.state for each in Restorations(folder).all()] == ["done", "done"]


@pytest.mark.slow
def test_going_on_after_a_restart_gives_the_same_film(folder: Folder, tmp_path: Path) -> None:
    expected = tmp_path / "expected.mp4"
    values: dict[str, Any] = {"segment": 24}
    gfpvideo.restore(SAMPLE, expected, RestoreOptions(**values))
    with Restorations(folder) as restorations:
        added = restorations.add("film.mp4", values)
        until = time.monotonic() + 60
        while restorations.glance.done < 10 and time.monotonic() < until:
            time.sleep(0.02)
        restorations.stop(added.number)
        assert ended(restorations, added.number, "stopped", "done").state == "stopped"
    with Restorations(folder) as restorations:
        assert restorations.get(added.number).state == "stopped"
        restorations.go_on(added.number)
        assert ended(restorations, added.number, "done", "failed").state == "done"
        assert (folder.root / added.target).read_bytes() == expected.read_bytes()
        restorations.forget(added.number)
        assert restorations.all() == []
    assert (folder.root / added.target).exists()


def test_what_was_running_when_the_server_was_killed_can_be_gone_on_with(folder: Folder) -> None:
    first = Restorations(folder)  # its thread never starts, as if it were killed
    added = first.add("film.mp4", {})
    assert first.get(added.number).state == "waiting"
    assert Restorations(folder).get(added.number).state == "stopped"


def test_a_full_disk_ends_one_restoration_and_not_the_queue(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    full = False

    def restored(self: Restorations, found: Restoration) -> None:
        nonlocal full
        full = found.number == 1 and not found.message
        if full:
            raise OutputError("the disk is full")
        self._end(found, "done")

    def kept(path: Path, content: bytes) -> None:
        if full:
            raise OutputError(f"{path}: the disk is full")

    monkeypatch.setattr(Restorations, "_restore", restored)
    monkeypatch.setattr("gfpvideo.web.restorations.replace_whole", kept)
    with Restorations(folder) as restorations:
        restorations.add("film.mp4", {})
        assert ended(restorations, 1, "failed", seconds=20).message == "the disk is full"
        with pytest.raises(OutputError, match="the disk is full"):
            restorations.add("film.mp4", {})
        assert len(restorations.all()) == 1
        restorations.go_on(1)
        ended(restorations, 1, "done", seconds=20)


def test_mistakes_are_told_before_anything_waits(folder: Folder) -> None:
    (folder.root / "text.mp4").write_text("no film")
    restorations = Restorations(folder)
    for name, values in (("text.mp4", {}), ("../film.mp4", {}), ("film.mp4", {"strength": 3}), ("film.mp4", {"x": 1})):
        with pytest.raises(GfpvideoError):
            restorations.add(name, values)
    assert restorations.all() == []
    with pytest.raises(InputError, match="no such restoration"):
        restorations.get(1)


def test_no_number_is_given_twice(folder: Folder) -> None:
    """Another tab may still show the one that was taken off the list, and stop it."""
    restorations = Restorations(folder)
    first = restorations.add("film.mp4", {})
    scratch = folder.root / f".{Path(first.target).stem}.0123abcd.partial.mp4"
    scratch.touch()
    restorations.forget(first.number)
    assert not scratch.exists()
    assert restorations.add("film.mp4", {}).number != first.number


def test_a_kind_of_film_serves_for_photographs_too(folder: Folder) -> None:
    pytest.importorskip("gradio")
    from gfpvideo.options.pipelines import pipeline_names
    from gfpvideo.web import form

    Image.new("RGB", (64, 64)).save(folder.root / "photo.png")
    restorations = Restorations(folder)
    for preset in pipeline_names():
        restorations.add("photo.png", form.given(preset, form.shown_values(preset), film=False))
    assert [each.source for each in restorations.all()] == ["photo.png"] * len(pipeline_names())


def test_who_waits_is_told_how_many_come_first(folder: Folder) -> None:
    restorations = Restorations(folder)
    numbers = [restorations.add("film.mp4", {}).number for _ in range(3)]
    assert [restorations.ahead(number) for number in numbers] == [0, 1, 2]
    restorations.stop(numbers[0])
    assert [restorations.ahead(number) for number in numbers[1:]] == [0, 1]


# Words


def test_languages_are_those_that_browsers_ask_for() -> None:
    assert preferred("de-AT,de;q=0.9,en;q=0.8") == "de"
    assert preferred("fr,ko;q=0.5") == "ko"
    assert preferred("") == "en"


def _values(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("code", LANGUAGES)
def test_texts_of_a_language_take_the_same_values(code: str) -> None:
    for name, text in vars(LANGUAGES[code]).items():
        if isinstance(text, str):
            assert text
            assert _values(text) == _values(getattr(ENGLISH, name)), name


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_language_names_every_option(code: str) -> None:
    pytest.importorskip("gradio")
    from gfpvideo.web import form

    words = LANGUAGES[code]
    assert set(words.options) == set(form.FIELDS) - set(form.PLAIN)
    assert not {words.groups[about(field).group] for field in form.FIELDS.values()} & set(TITLES.values())
    assert list(form.groups(words)) == [
        title for name, title in words.groups.items() if any(
            about(form.FIELDS[option]).group == name for option in words.options
        )
    ]  # fmt: skip


def test_times_are_said_in_whole_units() -> None:
    assert [duration(ENGLISH, seconds) for seconds in (0.2, 89, 91, 5300, 7300)] == [
        "1 s", "89 s", "2 min", "89 min", "2 h 2 min",
    ]  # fmt: skip


# Who may use it


@pytest.fixture
def client(folder: Folder) -> Iterator[Any]:
    pytest.importorskip("gradio")
    from fastapi.testclient import TestClient

    from gfpvideo.web.server import application

    with folder.opened(), application(folder) as app:
        yield TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)


def test_the_page_speaks_the_browsers_language_and_fetches_nothing_from_elsewhere(client: Any) -> None:
    assert client.get("/", headers={"accept-language": "ko"}).headers["location"] == "/ko/"
    for code in LANGUAGES:
        found = client.get(f"/{code}/")
        assert found.status_code == 200
        assert "default-src 'self'" in found.headers["content-security-policy"]
        assert f'documentElement.lang = "{code}"' in found.text.replace('\\"', '"')


def test_other_sites_and_other_names_are_refused(client: Any) -> None:
    join = "/en/gradio_api/queue/join"
    assert client.post(join, json={}, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post(join, json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post(join, json={}, headers={"origin": "http://127.0.0.1:7860"}).status_code == 422
    for host, status in (("evil.example", 400), ("[::1", 400), ("", 400), ("[::1]:7860", 200), ("localhost", 200)):
        assert client.get("/en/", headers={"host": host}).status_code == status, host


def test_only_what_a_restoration_made_can_be_fetched(client: Any, folder: Folder) -> None:
    assert client.get("/films/1/target").status_code == 404
    assert client.get("/films/1/..%2f..%2fsecret").status_code in (404, 422)
    for path in (folder.root / "film.mp4", folder.hidden / "restorations.json", Path("/etc/passwd")):
        assert client.get(f"/en/gradio_api/file={path}").status_code in (403, 404)


@pytest.mark.slow
def test_a_proxy_may_ask_by_another_name(folder: Folder) -> None:
    pytest.importorskip("gradio")
    from fastapi.testclient import TestClient

    from gfpvideo.web.server import application

    with folder.opened(), application(folder, name="Films.example", auth="anna:word") as app:
        client = TestClient(app, follow_redirects=False)
        for host, status in (("films.example", 307), ("evil.example", 400)):
            headers = {"host": host, "authorization": f"Basic {_encoded('anna:word')}"}
            assert client.get("/", headers=headers).status_code == status


def test_a_browser_asks_whether_a_film_is_still_the_same(folder: Folder) -> None:
    """Else it may show one that is no more, for years."""
    pytest.importorskip("gradio")
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from gfpvideo.web.server import _routes

    restorations = Restorations(folder)
    number = restorations.add("film.mp4", {}).number
    restorations._all[0].state = "done"
    app = FastAPI()
    _routes(app, restorations)
    assert TestClient(app).get(f"/films/{number}/source").headers["cache-control"] == "no-cache"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_password_is_asked_for(folder: Folder) -> None:
    pytest.importorskip("gradio")
    from fastapi.testclient import TestClient

    from gfpvideo.web.server import application, check_access

    with pytest.raises(OptionError, match="--auth"):
        check_access("0.0.0.0", None)
    with pytest.raises(OptionError, match="USER:PASSWORD"):
        check_access("127.0.0.1", "word")
    with pytest.raises(OptionError, match="come through a proxy"):
        check_access("127.0.0.1", None, "films.example")
    with folder.opened(), application(folder, host="0.0.0.0", auth="anna:word") as app:
        client = TestClient(app, follow_redirects=False)
        asked = {said: {"authorization": f"Basic {_encoded(said)}"} for said in ("anna:word", "anna:w")}
        assert client.get("/").status_code == 401
        assert client.get("/", headers=asked["anna:w"]).status_code == 401
        assert client.get("/", headers=asked["anna:word"]).status_code == 307
        assert client.get("/", headers={"authorization": "Basic ???"}).status_code == 401


def test_settings_mean_the_same_options_as_anywhere() -> None:
    pytest.importorskip("gradio")
    from gfpvideo.web import form

    plain = form.shown_values("")
    assert form.given("", plain) == {}
    changed = list(plain)
    changed[list(form.FIELDS).index("grain")] = True
    changed[list(form.FIELDS).index("steady")] = 6
    changed[list(form.FIELDS).index("deinterlace")] = "yes"
    assert form.given("", changed) == {"grain": "match", "steady": 6, "deinterlace": True}
    assert form.given("vhs", form.shown_values("vhs")) == form.preset_values("vhs")
    changed = list(plain)
    changed[list(form.FIELDS).index("model")] = "/etc/passwd"
    for preset, shown in (("", changed), ("/etc/passwd.toml", plain)):
        with pytest.raises(OptionError):
            form.given(preset, shown)
    assert not {"filters", "tracks", "person", "background_model", "encoder_options", "overwrite"} & set(form.FIELDS)


def test_a_port_that_is_taken_is_told_before_anything_is_loaded() -> None:
    pytest.importorskip("gradio")
    from gfpvideo.web.server import listen

    with listen("127.0.0.1", 0) as at, pytest.raises(OutputError, match="try another --port"):
        listen("127.0.0.1", at.getsockname()[1])
