"""Which model file somebody means, and the network that it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gfpvideo.errors import WeightsError
from gfpvideo.networks import weights

if TYPE_CHECKING:
    from gfpvideo.networks.gfpgan.network import Gfpgan, Variant

EMBEDDED = "compact"
"""Name of the model that ships with gfpvideo."""
FAST = "compact-fast"
"""Name of the other one, of half the work: as good where neighbours in time are gathered, a little worse without."""


@dataclass(frozen=True)
class ModelFile:
    """A model's name and the checked file that holds it."""

    name: str
    path: Path
    sha256: str
    """Of the file's content: computed once, when it was checked."""
    family: str = ""
    """Which loader reads it, where the manifest says; otherwise found from the keys."""
    variant: str = ""
    """Of its family, likewise."""


def find_model(name_or_path: str, folder: Path | None = None, *, over_time: bool = False) -> ModelFile:
    """The model called ``name_or_path``.

    Args:
        name_or_path: a name of the manifest, ``compact``, the path of a ``.pth`` or ``.safetensors`` file, or
            ``auto``: the best published generator that is installed and needs no extra, else ``compact``.
        folder: where downloaded weights lie; see :func:`gfpvideo.networks.weights.weights_folder`.
        over_time: whether it is shown crops with what their neighbours in time know: ``auto`` is ``compact-fast``
            then, where it would be ``compact``.

    Raises:
        WeightsError: if there is no such model, it is not installed, or its hash is wrong.
    """
    if name_or_path == "auto":
        return find_model(_best_published(folder) or (FAST if over_time else EMBEDDED), folder)
    if name_or_path in weights.manifest():
        known = _generator(weights.entry(name_or_path), name_or_path)
        path = weights.installed(known.name, folder)
        return ModelFile(known.name, path, known.sha256, known.family, known.variant)
    path = Path(name_or_path)
    if path.suffix not in {".pth", ".safetensors"}:
        names = [known.name for known in weights.manifest().values() if known.use == "generator"]
        raise WeightsError(
            f"no model {name_or_path!r}; give one of {', '.join(names)}, or the path of a .pth or .safetensors file"
        )
    if not path.is_file():
        raise WeightsError(f"{path}: no such model file")
    digest = weights.sha256(path)
    known = weights.known_as(digest)
    if known is None:
        return ModelFile(path.name, path, digest)
    _generator(known, f"{path}: {known.name}")
    return ModelFile(path.name, path, digest, known.family, known.variant)


def _generator(known: weights.WeightsEntry, called: str) -> weights.WeightsEntry:
    if known.use != "generator":
        raise WeightsError(f"{called} is a {known.use}, not a generator")
    return known


def installed_generators(folder: Path | None = None) -> list[str]:
    """Names of the generators whose files are there, the best first."""
    root = weights.weights_folder(folder)
    return [
        known.name for known in weights.manifest().values() if known.use == "generator" and known.path(root).is_file()
    ]


def _best_published(folder: Path | None) -> str | None:
    root = weights.weights_folder(folder)
    for known in weights.manifest().values():
        wanted = known.use == "generator" and not known.embedded and not known.extra
        if wanted and known.path(root).is_file():
            return known.name
    return None


def load_network(model: ModelFile) -> "Gfpgan":
    """The torch network of a model file, on the CPU in float32.

    Raises:
        UnknownArchitectureError: if it is no GFP-GAN.
        WeightsError: if it is damaged or not complete.
    """
    from gfpvideo.networks.gfpgan.loading import build, read_state_dict

    variant = cast("Variant | None", model.variant or None)
    return build(read_state_dict(model.path), variant, name=model.name)
