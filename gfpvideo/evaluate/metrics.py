"""Measures of restored pictures against clean ones, by the libraries that define them.

Nothing is downloaded: a metric whose package or weights are not here is left out, and the reason is given.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gfpvideo.errors import OptionError, WeightsError
from gfpvideo.networks.arcface import grey_faces, load_arcface
from gfpvideo.networks.weights import installed
from gfpvideo.pixels.color import FloatImage
from gfpvideo.train import losses
from gfpvideo.train.features import LiteEmbedding, LiteFeatures

_INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
_ALEXNET = "alexnet-owt-7be5be79.pth"
_NIQE = "niqe_modelparameters.mat"


class Metric(Protocol):
    """Takes pictures batch by batch; pictures are (B, 3, H, W) RGB in [0, 1]."""

    def add(self, restored: Tensor, clean: Tensor) -> None:
        """Count one batch in."""
        ...

    def value(self) -> float:
        """The measure of all that was counted in; not a number if that was nothing."""
        ...


class Mean:
    """Mean over pictures of a function of (restored, clean) that gives one value a picture."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._function = function
        self._sum, self._count = 0.0, 0

    def add(self, restored: Tensor, clean: Tensor) -> None:
        """See :class:`Metric`."""
        values = self._function(restored, clean)
        self._sum += float(values.sum())
        self._count += values.numel()

    def value(self) -> float:
        """See :class:`Metric`."""
        return self._sum / self._count if self._count else math.nan


class Frechet:
    """Frechet distance between Gaussians fitted to features of restored and of clean pictures (Heusel et al., 2017)."""

    def __init__(self, distance: Any, to_input: Callable[[Tensor], Tensor]) -> None:
        """Wrap torchmetrics' ``distance``, whose network takes what ``to_input`` makes of pictures."""
        self._distance = distance
        self._to_input = to_input
        self._count = 0

    def add(self, restored: Tensor, clean: Tensor) -> None:
        """See :class:`Metric`."""
        self._distance.update(self._to_input(clean), real=True)
        self._distance.update(self._to_input(restored), real=False)
        self._count += len(clean)

    def value(self) -> float:
        """See :class:`Metric`; not a number of less than two pictures."""
        return float(self._distance.compute()) if self._count > 1 else math.nan


@dataclass(frozen=True)
class Definition:
    """A metric that can be asked for."""

    name: str
    title: str
    better: Literal["higher", "lower"]
    make: Callable[[], Metric]
    """Raises a GfpvideoError that says what is missing."""
    faces_only: bool = False
    """Whether pictures must be aligned faces."""


def _psnr() -> Metric:
    def psnr(restored: Tensor, clean: Tensor) -> Tensor:
        from torchmetrics.functional.image import peak_signal_noise_ratio

        return torch.stack(
            [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(restored, clean, strict=True)]
        )

    return Mean(psnr)


def _ssim() -> Metric:
    def ssim(restored: Tensor, clean: Tensor) -> Tensor:
        from torchmetrics.functional.image import structural_similarity_index_measure

        value = structural_similarity_index_measure(restored, clean, data_range=1.0, reduction="none")
        assert isinstance(value, Tensor)
        return value.reshape(-1)

    return Mean(ssim)


def _perceptual() -> Metric:
    network = LiteFeatures()

    def perceptual(restored: Tensor, clean: Tensor) -> Tensor:
        pairs = zip(network(restored * 2 - 1), network(clean * 2 - 1), strict=True)
        layers = [(losses.normalised(a) - losses.normalised(b)).abs().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]
        return torch.stack(layers).sum(dim=0)

    return Mean(perceptual)


def _frechet() -> Metric:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return Frechet(FrechetInceptionDistance(feature=LiteEmbedding()), lambda pictures: pictures * 2 - 1)


def _fid() -> Metric:
    from torchmetrics.image.fid import FrechetInceptionDistance

    _need("torch_fidelity", "torch-fidelity")
    path = _cached(_INCEPTION, "FID's Inception network")
    distance = FrechetInceptionDistance(feature=2048, feature_extractor_weights_path=str(path))
    return Frechet(distance, lambda pictures: (pictures * 255).round().byte())


def _lpips() -> Metric:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    _cached(_ALEXNET, "LPIPS's AlexNet")
    distance = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def lpips(restored: Tensor, clean: Tensor) -> Tensor:
        return torch.stack([distance(a[None], b[None]) for a, b in zip(restored, clean, strict=True)])

    return Mean(lpips)


def _niqe() -> Metric:
    _need("pyiqa", "pyiqa")
    path = _cached(f"../pyiqa/{_NIQE}", "NIQE's parameters")
    import pyiqa  # pyright: ignore[reportMissingImports]  # large, and many need no NIQE: not in the extra

    network = pyiqa.create_metric("niqe", pretrained_model_path=str(path), device="cpu")
    return Mean(lambda restored, _: network(restored).reshape(-1))


def _identity(weights_dir: Path | None) -> Metric:
    network = load_arcface(installed("arcface-resnet18", weights_dir))

    def angle(restored: Tensor, clean: Tensor) -> Tensor:
        a, b = (network(grey_faces(pictures * 2 - 1)) for pictures in (restored, clean))
        return torch.rad2deg(torch.acos(F.cosine_similarity(a, b).clamp(-1, 1)))

    return Mean(angle)


def definitions(weights_dir: Path | None = None) -> list[Definition]:
    """Every metric that the paper reports, and the two that work without a download."""
    return [
        Definition("psnr", "PSNR (dB)", "higher", _psnr),
        Definition("ssim", "SSIM", "higher", _ssim),
        Definition("perceptual", "perceptual distance (EfficientNet-Lite0)", "lower", _perceptual),
        Definition("frechet", "Frechet distance (EfficientNet-Lite0)", "lower", _frechet),
        Definition("lpips", "LPIPS (AlexNet)", "lower", _lpips),
        Definition("fid", "FID", "lower", _fid),
        Definition("niqe", "NIQE", "lower", _niqe),
        Definition("identity", "identity angle (degrees)", "lower", lambda: _identity(weights_dir), faces_only=True),
    ]


class Scorer:
    """Several metrics over the same pictures."""

    def __init__(self, metrics: dict[str, Metric]) -> None:
        self._metrics = metrics

    @torch.inference_mode()
    def add(self, restored: Tensor, clean: Tensor) -> None:
        """Count pictures (B, 3, H, W) in [0, 1] in.

        Raises:
            ValueError: if the two do not have the same shape.
        """
        if restored.shape != clean.shape:
            raise ValueError(f"pictures differ in shape: {tuple(restored.shape)} and {tuple(clean.shape)}")
        for metric in self._metrics.values():
            metric.add(restored, clean)

    def values(self) -> dict[str, float]:
        """Each metric's value, by name."""
        return {name: metric.value() for name, metric in self._metrics.items()}


def available(wanted: Sequence[Definition], *, faces: bool) -> tuple[list[Definition], dict[str, str]]:
    """The metrics of ``wanted`` that can be computed here, and why each of the others cannot.

    Args:
        wanted: metrics to try.
        faces: whether the pictures are aligned faces.
    """
    _need("torchmetrics", '"gfpvideo[evaluate]"')
    usable, left_out = [], {}
    for definition in wanted:
        if definition.faces_only and not faces:
            left_out[definition.name] = "needs aligned faces: give --faces"
            continue
        try:
            definition.make()
        except (WeightsError, OptionError) as error:
            left_out[definition.name] = str(error)
        else:
            usable.append(definition)
    return usable, left_out


def scorer(usable: Sequence[Definition]) -> Scorer:
    """A fresh scorer of metrics that :func:`available` found."""
    return Scorer({definition.name: definition.make() for definition in usable})


def similarity_scorer() -> Scorer:
    """A scorer of PSNR and SSIM alone, which need no weights."""
    return scorer([definition for definition in definitions() if definition.name in {"psnr", "ssim"}])


def to_tensor(pictures: Sequence[FloatImage]) -> Tensor:
    """(B, 3, H, W) of pictures (H, W, 3)."""
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())


def _need(module: str, package: str) -> None:
    if find_spec(module) is None:
        raise OptionError(f"needs the package {package}: pip install {package}")


def _cached(name: str, what: str) -> Path:
    """A file in torch's cache of checkpoints."""
    path = (Path(torch.hub.get_dir()) / "checkpoints" / name).resolve()
    if not path.is_file():
        raise WeightsError(f"{what} is not here: put {path.name} into {path.parent}")
    return path
