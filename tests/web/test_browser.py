"""The page in a real browser: Chromium without a window, driven by Playwright. See docs/web.md."""

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import pytest
from browsing import CHROMIUM, DESKTOP, LONG, PHONE, Page, Tab, choose, launched, see_slider, served, upload, wait

import gfpvideo
from conftest import ROOT
from gfpvideo import RestoreOptions
from gfpvideo.web.folder import Folder

pytest.importorskip("gradio")
pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

SAMPLE = ROOT / "samples" / "home_movie.mp4"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def tab(chromium: Any) -> Iterator[Open]:
    """Opens tabs; what one asks of other machines, or in vain, fails the test."""
    tabs: list[Tab] = []

    def opened(page: Page, size: tuple[int, int] = DESKTOP, **how: str) -> Any:
        tabs.append(Tab.opened(chromium, page, size, **how))
        return tabs[-1].made

    yield opened
    for each in tabs:
        each.made.context.close()
    assert [each.elsewhere for each in tabs if each.elsewhere] == []
    assert [each.missing for each in tabs if each.missing] == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 24 frames of the sample."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    _repeated(SAMPLE, path, 1, packets=24)
    return path


@pytest.fixture
def films(tmp_path: Path, clip: Path) -> Path:
    """A folder with a short film."""
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(clip, folder)
    return folder


def test_a_film_is_dropped_looked_at_restored_and_saved(tab: Open, tmp_path: Path) -> None:
    """The whole way, with another browser that sees the same; the film is the command line's."""
    with served(tmp_path / "films") as page:
        anna, berta = tab(page), tab(page, PHONE)
        upload(anna, SAMPLE)
        wait(anna, "#faces button img")
        see_slider(anna)
        anna.click("#start")
        for one in (anna, berta):
            wait(one, "#status progress[value]")
            wait(one, "#frame img >> nth=1")
        for one in (berta, anna):
            _wait_for_films(one)
        with anna.expect_download() as saved:
            anna.click("#result a.save")
        assert saved.value.suggested_filename == "home_movie.restored.mp4"
        saved.value.save_as(tmp_path / "saved.mp4")
    assert sorted(path.name for path in (tmp_path / "films").glob("*.mp4")) == [
        "home_movie.mp4",
        "home_movie.restored.mp4",
    ]
    subprocess.run(
        [sys.executable, "-m", "gfpvideo", "restore", SAMPLE, "-q", "-o", tmp_path / "expected.mp4"], check=True
    )
    assert (tmp_path / "saved.mp4").read_bytes() == (tmp_path / "expected.mp4").read_bytes()


def test_settings_and_faces_are_those_that_are_used(tab: Open, films: Path, tmp_path: Path) -> None:
    with served(films) as page:
        anna = tab(page)
        choose(anna, "clip.mp4")
        see_slider(anna)
        wait(anna, "#left input")
        anna.fill("#option-strength input[type=number]", "0.5")
        anna.press("#option-strength input[type=number]", "Tab")
        anna.click("#faces button")
        wait(anna, "#left input:checked")
        anna.click("#show")
        wait(anna, "#trouble [role=alert] >> text=no face was found that is to be restored")
        anna.click("#start")
        wait(anna, "#status >> text=Done: 0 faces in 24 frames")
        wait(anna, "#status >> text=none of those who were found")
        anna.click("#faces button")
        anna.wait_for_selector("#left input:checked", state="hidden", timeout=LONG)
        anna.click("#start")
        wait(anna, "#status >> text=Done: 24 faces in 24 frames")
    gfpvideo.restore(films / "clip.mp4", tmp_path / "expected.mp4", RestoreOptions(strength=0.5))
    assert (films / "clip.restored 2.mp4").read_bytes() == (tmp_path / "expected.mp4").read_bytes()


def test_a_film_is_stopped_and_gone_on_with_even_after_the_server_was_killed(
    tab: Open, films: Path, tmp_path: Path
) -> None:
    long = films / "long.mp4"
    _repeated(SAMPLE, long, 4)
    with served(films) as page:
        anna = tab(page)
        choose(anna, long.name)
        anna.click("#start")
        wait(anna, "#frame img")
        anna.click("#stop")
        wait(anna, "#status >> text=Stopping after this piece")
        wait(anna, "#status >> text=Stopped; what is done is kept")
        anna.click("#go-on")
        wait(anna, "#frame img")
        page.kill()
    with served(films) as page:
        anna = tab(page)
        wait(anna, "#status >> text=Stopped")
        assert (films / "long.restored.mp4.gfpvideo").is_dir()
        anna.click("#go-on")
        wait(anna, "#result video >> nth=1")
    gfpvideo.restore(long, tmp_path / "expected.mp4")
    assert (films / "long.restored.mp4").read_bytes() == (tmp_path / "expected.mp4").read_bytes()


def _repeated(source: Path, target: Path, times: int, packets: int | None = None) -> None:
    """A film's first packets several times over."""
    shift = 0
    with av.open(str(target), "w") as written:
        stream = None
        for _ in range(times):
            with av.open(str(source)) as opened:
                stream = stream or written.add_stream_from_template(opened.streams.video[0])
                taken = [packet for packet in opened.demux(video=0) if packet.dts is not None][:packets]
                for packet in taken:
                    packet.pts, packet.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                    packet.stream = stream
                    written.mux(packet)
            shift += sum(packet.duration or 0 for packet in taken)


def test_several_films_wait_and_both_browsers_are_told(tab: Open, films: Path) -> None:
    shutil.copy(SAMPLE, films / "first.mp4")
    with served(films) as page:
        anna, berta = tab(page), tab(page, language="de")
        choose(anna, "first.mp4")
        anna.click("#start")
        wait(anna, "#frame img")
        choose(berta, "clip.mp4")
        berta.click("#start")
        wait(berta, "#status >> text=Wartet: noch 1 davor")
        anna.click("#list label >> text=clip.mp4")
        wait(anna, "#status >> text=Waiting: 1 before it")
        anna.context.close()  # a closed tab stops nothing
        wait(berta, "#status >> text=Fertig: 24 Gesichter in 24 Bildern")
    assert (films / "first.restored.mp4").exists()


def test_two_who_look_are_told_that_they_take_turns(tab: Open, films: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        _repeated(SAMPLE, films / name, 3)
    with served(films) as page:
        anna, berta = tab(page), tab(page)
        choose(anna, "one.mp4")
        wait(anna, "#looked >> text=frames seen")
        choose(berta, "two.mp4")
        for one in (anna, berta):
            wait(one, "#looked >> text=you take turns")
            see_slider(one)


SENT = """async ([url, name, content]) => {
    const form = new FormData();
    form.append("files", new File([content], name));
    const answer = await fetch(url, {method: "POST", body: form});
    return [answer.status, await answer.text()]; }"""
"""Uploads something by itself, as a page would that somebody has tampered with."""


def test_what_is_wrong_is_said_where_one_looks(tab: Open, tmp_path: Path, clip: Path) -> None:
    text, program, large = tmp_path / "text.mp4", tmp_path / "program.exe", tmp_path / "large.mp4"
    text.write_text("no film")
    program.write_text("none either")
    large.write_bytes(bytes(2_000_000))
    films = tmp_path / "films"
    with served(films, "--max-upload", "1M") as page:
        anna = tab(page)
        upload(anna, program)
        wait(anna, "#trouble [role=alert] >> text=program.exe: not a film")
        upload(anna, text)
        wait(anna, "#trouble [role=alert] >> text=text.mp4")
        upload(anna, large)
        wait(anna, "text=exceed the maximum allowed size")
        assert anna.evaluate(SENT, [page.url("/en/gradio_api/upload"), "large.mp4", "x" * 2_000_000])[0] == 413
        assert sorted(path.name for path in films.glob("*.*")) == [".gfpvideo-page", "text.mp4"]
        upload(anna, clip)
        see_slider(anna)


ESCAPES = ("../secret.mp4", "..%2fsecret.mp4", "/etc/passwd", "....//secret.mp4", "..\\secret.mp4")


def test_no_name_and_no_address_leads_out_of_the_folder(tab: Open, films: Path, clip: Path) -> None:
    """As a page would ask that somebody has tampered with: with its cookies, from its own origin."""
    secret = films.parent / "secret.mp4"
    shutil.copy(clip, secret)
    with served(films) as page:
        anna = tab(page)
        for name in ESCAPES:
            status, answer = anna.evaluate(SENT, [page.url("/en/gradio_api/upload"), name, "x"])
            assert status == 200
            (kept,) = json.loads(answer)
            assert Path(kept).resolve().is_relative_to(films / ".gfpvideo-page")
        for address in (
            *(f"/en/gradio_api/file={films}/{name}" for name in (*ESCAPES, "clip.mp4", ".gfpvideo-page/lock")),
            *(f"/films/1/{name}" for name in (*ESCAPES, "target", "source")),
            f"/en/gradio_api/file={secret}", "/films/../secret.mp4", "/en/static/../../secret.mp4", "/../../etc/passwd",
        ):  # fmt: skip
            assert _status(page, address) in (400, 403, 404, 405, 422), address
        called = """async ([base, name]) => {
            const config = await (await fetch(base + "/config")).json();
            const start = config.dependencies.findIndex(each => each.targets.some(target => target[1] == "click"
                && config.components.find(one => one.id == target[0]).props.elem_id == "start"));
            const shown = config.dependencies[start].inputs.map(id =>
                config.components.find(one => one.id == id).props.value ?? null);
            shown[1] = name;
            const body = {fn_index: config.dependencies[start].id, data: shown, session_hash: "tampered"};
            const headers = {"Content-Type": "application/json"};
            await fetch(base + "/gradio_api/queue/join", {method: "POST", body: JSON.stringify(body), headers});
            return await (await fetch(base + "/gradio_api/queue/data?session_hash=tampered")).text(); }"""
        for name in (*ESCAPES, str(secret)):
            answer = anna.evaluate(called, [page.url("/en"), name])
            assert "there is no such film" in answer or '"success":false' in answer, name
        wait(anna, "#status >> text=Nothing here yet")
        assert [path.name for path in films.parent.glob("*.mp4")] == ["secret.mp4"]


def _status(page: Page, path: str) -> int:
    """The answer to a path just as it is: a browser would make it plain first."""
    connection = http.client.HTTPConnection(urlsplit(page.address).netloc)
    connection.request("GET", path.replace("\\", "%5c"))
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_photograph_is_looked_at_and_restored(tab: Open, films: Path) -> None:
    with av.open(str(SAMPLE)) as container:
        next(container.decode(video=0)).to_image().save(films / "photo.png")
    with served(films) as page:
        anna = tab(page, PHONE)
        choose(anna, "photo.png")
        see_slider(anna)
        assert not anna.is_visible("#faces")
        anna.click("#start")
        wait(anna, "#result img >> nth=1")
    assert (films / "photo.restored.png").exists()


def test_the_keyboard_alone_is_enough(tab: Open, films: Path) -> None:
    with served(films) as page:
        anna = tab(page)
        _reach(anna, "name")
        anna.keyboard.press("ArrowDown")
        wait(anna, "[role=option].active >> text=clip.mp4")
        anna.keyboard.press("Enter")
        see_slider(anna)
        wait(anna, "#left input")
        _reach(anna, "faces")
        anna.keyboard.press("Enter")
        wait(anna, "#left input:checked")
        _reach(anna, "left")
        anna.keyboard.press("Space")
        anna.wait_for_selector("#left input:checked", state="hidden")
        _reach(anna, "start")
        anna.keyboard.press("Enter")
        _wait_for_films(anna)
        _reach(anna, "forget")
        anna.keyboard.press("Enter")
        wait(anna, "#status >> text=Nothing here yet")


def _wait_for_films(tab: Any) -> None:
    """Until both are there and fetched: once a restoration is forgotten, nothing of it is served."""
    wait(tab, "#result video >> nth=1")
    tab.wait_for_function("[...document.querySelectorAll('video')].every(film => film.readyState > 0)", timeout=LONG)


def _reach(tab: Any, part: str) -> None:
    """Press Tab until a part of the page has the focus, as somebody without a mouse does."""
    tab.evaluate("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()")
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("part => document.activeElement.closest('#' + part) != null", part):
            return
    raise AssertionError(f"{part} cannot be reached by the keyboard")


CHECKED = """async () => {
    const found = (await axe.run()).violations.filter(each => ["serious", "critical"].includes(each.impact));
    const shown = node => node.html.slice(0, 160) + " " + node.failureSummary.slice(0, 200);
    return found.map(each => each.id + ": " + each.nodes.map(shown).join(" | ")); }"""
"""Axe-core's serious faults, one text each."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_use_it(tab: Open, shown: Page, size: tuple[int, int], scheme: str) -> None:
    """axe-core finds no serious fault, nothing lies beside the screen, and the pictures for the guide are made."""
    anna = tab(shown, size, scheme=scheme)
    faults = _faults(anna)
    choose(anna, "home_movie.mp4")
    see_slider(anna)
    wait(anna, "#result video >> nth=1")
    anna.wait_for_selector("#looked p", state="detached", timeout=LONG)
    _picture(anna, f"{'phone' if size == PHONE else 'desktop'}-{scheme}")
    anna.get_by_role("button", name="More").click()
    wait(anna, "#option-detect_every")
    assert [*faults, *_faults(anna)] == []
    assert anna.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a folder with a film that is restored."""
    folder = Folder(tmp_path_factory.mktemp("restored") / "Videos" / "gfpvideo")
    shutil.copy(SAMPLE, folder.root)
    gfpvideo.restore(folder.root / SAMPLE.name)
    made = {"number": 1, "source": SAMPLE.name, "target": "home_movie.restored.mp4", "values": {}, "state": "done"}
    (folder.hidden / "restorations.json").write_text(json.dumps([made | {"frames": 90, "faces": 90}]))
    with served(folder.root) as page:
        yield page


def _faults(tab: Any) -> list[str]:
    if "GFPVIDEO_AXE" not in os.environ:
        pytest.skip("GFPVIDEO_AXE names no axe.min.js of axe-core")
    tab.evaluate(Path(os.environ["GFPVIDEO_AXE"]).read_text(encoding="utf-8"))
    return tab.evaluate(CHECKED)


def _picture(tab: Any, name: str) -> None:
    if "GFPVIDEO_SCREENSHOTS" in os.environ:
        path = Path(os.environ["GFPVIDEO_SCREENSHOTS"]) / f"web-{name}.jpg"
        tab.screenshot(path=path, full_page=True, type="jpeg", quality=80)


def test_it_works_with_the_network_cable_out(films: Path) -> None:
    """In a network namespace of its own nothing but this machine's own address can be reached."""
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("cannot make a network namespace here")
    script = Path(__file__).with_name("without_network.py")
    done = subprocess.run(
        [*alone, sys.executable, str(script), str(films)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the first film was looked at\n"), done.stderr[-2000:]


def test_memory_does_not_grow_with_what_was_restored(tab: Open, films: Path, record_property: Any) -> None:
    """Ten restored films, a page that shows them, and twenty more: each looked at, restored and watched."""
    short = films / "short.mp4"
    _repeated(films / "clip.mp4", short, 1, packets=6)
    with served(films) as page:
        anna = tab(page)
        choose(anna, "short.mp4")
        see_slider(anna)
        sizes = [_after_restoring(anna, page, count) for count in range(1, 31)]
    grown = (sizes[29] - sizes[9]) / 1e6
    record_property("megabytes", grown)
    assert grown < 50, [round(size / 1e6) for size in sizes]


def _after_restoring(tab: Any, page: Page, count: int) -> int:
    tab.click("#start")
    wait(tab, f"#list label:nth-of-type({count}) >> visible=true")
    wait(tab, "#status >> text=Done: 6 faces in 6 frames")
    wait(tab, f"#result video[src='/films/{count}/target']")
    return page.memory
