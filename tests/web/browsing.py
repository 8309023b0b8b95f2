"""The page as a user starts it, and tabs that watch what it asks for."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LONG = 240_000
"""Milliseconds that anything may take where other work has the processor."""
_TOO_LARGE = 413
"""The answer that is wanted where too large a file is sent on purpose."""
DESKTOP, PHONE = (1000, 900), (390, 844)


@dataclass
class Page:
    """A page that is served."""

    folder: Path
    address: str
    process: "subprocess.Popen[str]"

    def url(self, path: str) -> str:
        return f"{self.address}{path}"

    def kill(self) -> None:
        """As a power failure would."""
        self.process.kill()
        self.process.wait()

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Page]:
    """The page of a folder, served until the block ends."""
    port = _free_port()
    command = [sys.executable, "-m", "gfpvideo", "web", "--folder", str(folder), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/ - leave" in process.stdout.readline()
        yield Page(folder, f"http://127.0.0.1:{port}", process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _flags() -> list[str]:
    """No GPU is needed for what is only measured; Chromium's sandbox does not work for root."""
    return ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=_flags())
        yield browser
        browser.close()


@dataclass
class Tab:
    """A tab of a browser of its own, and what it asked of other machines, or in vain."""

    made: Any
    elsewhere: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def opened(
        cls, chromium: Any, page: Page, size: tuple[int, int], language: str = "en", scheme: str = "light"
    ) -> "Tab":
        viewport = {"width": size[0], "height": size[1]}
        tab = cls(
            chromium.new_context(
                viewport=viewport, color_scheme=scheme, locale=language, reduced_motion="reduce"
            ).new_page()
        )
        tab.made.on("request", lambda request: tab._asked(request.url, page.address))
        tab.made.on("response", lambda response: tab._answered(response.url, response.status))
        tab.made.goto(page.address)
        tab.made.wait_for_selector("#upload", timeout=LONG)
        assert tab.made.url == page.url(f"/{language}/")
        return tab

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((address + "/", "data:", "blob:")):
            self.elsewhere.append(url)

    def _answered(self, url: str, status: int) -> None:
        gradios_own = url.endswith("/manifest.json") or "/upload_progress" in url
        forgotten = url.endswith(
            ("/source", "/target")
        )  # while it was still fetched; tests look whether films are shown
        if status >= 400 and status != _TOO_LARGE and not gradios_own and not forgotten:
            self.missing.append(f"{status} {url}")


def upload(tab: Any, path: Path) -> None:
    tab.set_input_files("#upload input[type=file]", str(path))


def choose(tab: Any, name: str) -> None:
    tab.click("#name input")
    tab.get_by_role("option", name=name, exact=True).click()


def wait(tab: Any, selector: str) -> Any:
    return tab.wait_for_selector(selector, timeout=LONG)


def see_slider(tab: Any) -> None:
    """Wait for a moment before and after: pictures that nobody has scrolled to are not even fetched."""
    tab.wait_for_selector("#slider img >> nth=1", state="attached", timeout=LONG)
    tab.locator("#slider").scroll_into_view_if_needed(timeout=LONG)
    wait(tab, "#slider img >> nth=1")
