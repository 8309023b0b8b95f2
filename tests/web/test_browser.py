"""The page in a real browser: Chromium without a window, driven by Playwright. See docs/web.md."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import gfpvideo
from conftest import ROOT

gradio = pytest.importorskip("gradio")
playwright: Any = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

SAMPLE = ROOT / "samples" / "home_movie.mp4"
SECONDS = 120_000


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The page of a folder as a user starts it: its address, and the process."""
    port = _free_port()
    command = [sys.executable, "-m", "gfpvideo", "web", "--folder", str(folder), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "http://127.0.0.1" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}/en/", process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@contextmanager
def opened(chromium: Any, address: str) -> Iterator[Any]:
    """A tab of a browser of its own; what it asks of other machines, or says is wrong, fails the test."""
    context = chromium.new_context(viewport={"width": 1000, "height": 1400})
    page, elsewhere = context.new_page(), []
    page.on("request", lambda request: elsewhere.append(request.url) if _foreign(request.url, address) else None)
    page.goto(address)
    page.wait_for_selector("#start", timeout=SECONDS)
    yield page
    context.close()
    assert elsewhere == []


def _foreign(url: str, address: str) -> bool:
    return not url.startswith((address.removesuffix("/en/"), "data:", "blob:"))


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#upload input[type=file]", str(path))


def test_a_film_is_dropped_looked_at_restored_and_saved(chromium: Any, tmp_path: Path) -> None:
    expected = tmp_path / "expected.mp4"
    gfpvideo.restore(SAMPLE, expected)
    with served(tmp_path / "films") as (address, _), opened(chromium, address) as page:
        upload(page, SAMPLE)
        page.wait_for_selector("#faces button img", timeout=SECONDS)
        page.wait_for_selector("#slider img >> nth=1", timeout=SECONDS)
        with opened(chromium, address) as other:
            page.click("#start")
            other.wait_for_selector("#status progress", timeout=SECONDS)
        page.wait_for_selector("#result video >> nth=1", timeout=SECONDS)
        with page.expect_download() as saved:
            page.click("#result a.save")
        saved.value.save_as(tmp_path / "saved.mp4")
        assert (tmp_path / "saved.mp4").read_bytes() == expected.read_bytes()


def test_going_on_after_the_server_was_killed(chromium: Any, tmp_path: Path) -> None:
    expected, films = tmp_path / "expected.mp4", tmp_path / "films"
    gfpvideo.restore(SAMPLE, expected)
    films.mkdir()
    shutil.copy(SAMPLE, films / "film.mp4")
    with served(films) as (address, process), opened(chromium, address) as page:
        page.click("#name input")
        page.get_by_role("option", name="film.mp4").click()
        page.wait_for_selector("#slider img >> nth=1", timeout=SECONDS)
        page.click("#start")
        page.wait_for_selector("#frame img", timeout=SECONDS)
        process.kill()
        process.wait()
    with served(films) as (address, _), opened(chromium, address) as page:
        page.click("#go-on")
        page.wait_for_selector("#result video", timeout=SECONDS)
    assert (films / "film.restored.mp4").read_bytes() == expected.read_bytes()


def test_what_is_wrong_is_said_where_one_looks(chromium: Any, tmp_path: Path) -> None:
    text, program, large = tmp_path / "text.mp4", tmp_path / "program.exe", tmp_path / "large.mp4"
    text.write_text("no film")
    program.write_text("none either")
    large.write_bytes(bytes(2_000_000))
    with served(tmp_path / "films", "--max-upload", "1M") as (address, _), opened(chromium, address) as page:
        upload(page, program)
        page.wait_for_selector("#trouble [role=alert] >> text=program.exe: not a film", timeout=SECONDS)
        upload(page, text)
        page.wait_for_selector("#trouble [role=alert] >> text=text.mp4", timeout=SECONDS)
        upload(page, large)
        page.wait_for_timeout(3000)
        assert sorted(path.name for path in (tmp_path / "films").glob("*.mp4")) == ["text.mp4"]


def test_the_keyboard_alone_is_enough(chromium: Any, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    shutil.copy(SAMPLE, films / "film.mp4")
    with served(films) as (address, _), opened(chromium, address) as page:
        page.focus("#name input")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_selector("#slider img >> nth=1", timeout=SECONDS)
        page.focus("#start")
        page.keyboard.press("Enter")
        page.wait_for_selector("#result video", timeout=SECONDS)
        until = time.monotonic() + 10
        while not (films / "film.restored.mp4").exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert (films / "film.restored.mp4").exists()
