"""Fixtures shared by all tests."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers share the cores: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
pytest_plugins = ["pytester"]


def _told(self: Result) -> str:
    """What a command said: without it, a wrong exit code in a test's report tells nothing."""
    return f"<exit code {self.exit_code}: {self.output.strip()}>"


Result.__repr__ = _told


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked ``cuda`` need a GPU; a machine that is there to run them says so and cannot pass by skipping."""
    if item.get_closest_marker("cuda") is None:
        return
    import torch

    if torch.cuda.is_available():
        return
    if os.environ.get("FAIL_WITHOUT_CUDA"):
        pytest.fail("FAIL_WITHOUT_CUDA is set, and torch sees no CUDA device here", pytrace=False)
    pytest.skip("torch sees no CUDA device here")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write the names of tests that passed into a file, if one is named: see promises.py."""
    if report.when == "call" and report.passed and (path := os.environ.get("GFPVIDEO_PASSED")):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Commands say what is logged, and where; the next test must not inherit that."""
    logger = logging.getLogger("gfpvideo")
    level, handlers = logger.level, logger.handlers
    yield
    logger.setLevel(level)
    logger.handlers = handlers


@pytest.fixture(autouse=True)
def no_error_in_the_log(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What gfpvideo logs as an error is a defect, unless the test says by its mark that it provokes one."""
    yield
    records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]
    errors = [
        f"{record.name}: {record.getMessage()}"
        for record in records
        if record.levelno >= logging.ERROR and record.name.partition(".")[0] == "gfpvideo"
    ]
    if request.node.get_closest_marker("logs_errors") is None:
        assert errors == [], "logged as an error"
    else:
        assert errors, "marked logs_errors, but none was logged"


@pytest.fixture(scope="session", autouse=True)
def compiled_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled models of a test run stay out of the user's cache, unless a folder is named."""
    if "GFPVIDEO_CACHE" in os.environ:
        yield
        return
    os.environ["GFPVIDEO_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["GFPVIDEO_CACHE"]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Programs that tests start can be interrupted, even where a shell started the tests in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_weights_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see only embedded weights, whatever the machine has installed."""
    monkeypatch.setenv("GFPVIDEO_WEIGHTS", str(tmp_path / "no-weights"))


@pytest.fixture(autouse=True)
def nothing_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test must end the threads and processes that it started, and remove its temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = _children()
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("gfpvideo")] == []
    assert _children() <= before
    left = {item.name for item in folder.iterdir() if not item.name.startswith("torch")}  # torch keeps a cache
    assert left <= _made_by_torch()


def _made_by_torch() -> set[str]:
    """The folder that an older torch makes when it is first needed, and removes when the process ends."""
    maker = sys.modules.get("torch.distributed.nn.jit.instantiator")
    return {Path(getattr(maker, "INSTANTIATED_TEMPLATE_DIR_PATH", "")).name}


def _children() -> set[str]:
    """Programs that this process has started and that still run, where the system tells."""
    lists = Path("/proc/self/task").glob("*/children")
    found = {number for children in lists for number in children.read_text().split()}
    return {number for number in found if b"resource_tracker" not in Path(f"/proc/{number}/cmdline").read_bytes()}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch keeps to one thread: networks of a few thousand weights spend more on handing work around than on work.

    Where the cores have other work as well, threads that wait for each other made such tests take ten times as long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="session")
def film() -> Path:
    """The sample that looks like 8 mm film: 90 frames, one face, sound."""
    return ROOT / "samples" / "home_movie.mp4"


@pytest.fixture(scope="session")
def tape() -> Path:
    """The sample that looks like VHS: 100 frames, one face, sound, subtitles, chapters."""
    return ROOT / "samples" / "vhs_tape.mkv"


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real clips."""
    return _named_folder("GFPVIDEO_MEDIA", "real clips")


@pytest.fixture(scope="session")
def aligned_faces() -> Path:
    """Folder of aligned faces."""
    return _named_folder("GFPVIDEO_FACES", "aligned faces")


def _named_folder(variable: str, what: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no folder of {what}")
    return Path(os.environ[variable])
