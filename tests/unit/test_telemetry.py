"""Nothing but `gfpvideo weights get` uses the network: no library that gfpvideo uses reports home either."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from conftest import ROOT

WATCH = """
import os, sys

def watch(event, arguments):
    if not event.startswith("socket.") or event in {"socket.__new__", "socket.bind"}:
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and isinstance(arguments[1], (str, bytes)):
        return  # a socket between programs of this machine
    if event == "socket.gethostname":
        return  # asks the system, not the network
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{event} {arguments}\\n")
    raise OSError("this program may not use the network")

sys.addaudithook(watch)
"""
"""Python reports every use of a socket to such a hook, in processes that a program forks or starts as well."""


class Watched:
    """Runs Python programs in a home of their own, and writes down whom they tried to reach."""

    def __init__(self, folder: Path) -> None:
        self.home, self.calls, self.hook = folder / "home", folder / "calls.txt", folder / "hook"
        self.home.mkdir()
        self.hook.mkdir()
        (self.hook / "sitecustomize.py").write_text(WATCH)
        self.calls.touch()
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self._environment = kept | {  # nothing by which a library could see that it is only tested
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(self.hook), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GFPVIDEO_CACHE": str(folder / "cache"),
            "GFPVIDEO_WEIGHTS": str(folder / "no-weights"),
            "TMPDIR": str(folder),
            "WATCHED": str(self.calls),
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )

    def in_home(self) -> list[str]:
        """What was left in the home folder, but for the caches of torch and matplotlib."""
        caches = {".cache", ".config"}
        return sorted(item.name for item in self.home.iterdir() if item.name not in caches)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def picture(film: Path, tmp_path: Path) -> Path:
    """A photograph with a face."""
    with av.open(str(film)) as container:
        frame = next(container.decode(video=0))
    frame.to_image().save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_the_watch_sees_who_calls(watched: Watched) -> None:
    """What the other tests rely on: also in a process that was forked."""
    call = "import socket; socket.create_connection(('192.0.2.1', 9))"
    fork = f"import os, contextlib\nif not os.fork():\n  with contextlib.suppress(OSError): {call}\nelse: os.wait()"
    assert "may not use the network" in watched.run("-c", call).stderr
    assert watched.calls.read_text().count("socket.") == 1
    watched.run("-c", fork)
    assert watched.calls.read_text().count("socket.") == 2


CONVERT = """
import gfpvideo, openvino, torch
openvino.convert_model(torch.nn.Linear(2, 2), example_input=torch.zeros(1, 2))
"""


def test_openvino_is_kept_from_reporting(watched: Watched) -> None:
    """It would report each import and each conversion."""
    done = watched.run("-c", CONVERT)
    assert done.returncode == 0, done.stderr
    assert watched.calls.read_text() == ""
    assert watched.in_home() == []


@pytest.mark.slow
def test_a_first_restoration_calls_nobody(watched: Watched, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored.png"
    done = watched.run("-m", "gfpvideo", "restore", str(picture), "-o", str(target), "--model", "compact", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "cache" / "traced").is_dir()
    assert target.exists()
    assert watched.calls.read_text() == ""
    assert watched.in_home() == []


@pytest.mark.slow
def test_quantizing_calls_nobody(watched: Watched, film: Path) -> None:
    pytest.importorskip("nncf")
    done = watched.run("-m", "gfpvideo", "weights", "quantize", str(film), "--model", "compact", "--faces", "20")
    assert done.returncode == 0 or "dB from float32" in done.stderr  # some processors add too coarsely
    assert watched.calls.read_text() == ""
    assert watched.in_home() == []


COUNTED = """
import gfpvideo
from ray._common.usage import usage_lib
print(usage_lib.usage_stats_enabled())
"""


def test_ray_counts_nobody(watched: Watched) -> None:
    """It would tell its makers of every cluster that is started."""
    pytest.importorskip("ray")
    done = watched.run("-c", COUNTED)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    assert watched.calls.read_text() == ""


IMPORT_ALL = """
import importlib, pkgutil, sys, threading
import gfpvideo
for module in pkgutil.walk_packages(gfpvideo.__path__, "gfpvideo."):
    if module.name not in {"gfpvideo.__main__", "gfpvideo.vapoursynth"}:
        importlib.import_module(module.name)
import accelerate, openvino, tensorboard, torch.utils.tensorboard, torchmetrics
print([name for name in sys.modules if name.startswith("openvino_telemetry.")])
print([thread.name for thread in threading.enumerate()])
"""


@pytest.mark.slow
def test_no_part_of_us_calls_anybody(watched: Watched) -> None:
    """Training and measuring load other libraries than restoring does."""
    for name in ("accelerate", "tensorboard", "torchmetrics"):
        pytest.importorskip(name)
    done = watched.run("-c", IMPORT_ALL)
    assert (done.returncode, done.stdout) == (0, "[]\n['MainThread']\n"), done.stderr
    assert watched.run("-m", "gfpvideo", "doctor").returncode == 0
    assert watched.calls.read_text() == ""
    assert watched.in_home() == []
