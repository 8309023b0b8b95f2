"""Load the networks that a restoration needs."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.mask import Parser
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.faces.refine import Refiner
from gfpvideo.generator.engines.choose import on_cuda
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.generator import Generator, make_generator
from gfpvideo.generator.models import find_model
from gfpvideo.media.enlarge import Enlarge
from gfpvideo.networks.landmarks import LANDMARKS_512, Landmarks, installed_landmarks
from gfpvideo.networks.over_time import OfPictures, OnOpenVino, OnTorch, network_of_pictures, network_over_time
from gfpvideo.networks.weights import installed
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.stages.threads import importing
from gfpvideo.temporal.believe import Judge
from gfpvideo.temporal.gather import Gatherer

_CONTINUE = 0.6
"""Share of the least score at which a detection still goes on with a track that exists."""
_NAMED = (
    "model", "weights_dir", "engine", "device", "devices", "precision", "compiler", "batch", "detector", "min_score",
    "refine", "mask", "upscale", "background_model", "gather", "believe", "around",
)  # fmt: skip
"""Options that say which networks are loaded, and for what."""


@dataclass(frozen=True)
class Finder:
    """What finds faces."""

    detector: Detector
    landmarks: Landmarks | None = None
    """What places the faces that the detector found; without it they lie where the detector says."""

    @property
    def refiner(self) -> Refiner | None:
        """What places faces in frames."""
        return None if self.landmarks is None else Refiner(self.landmarks)

    @property
    def landmarks_512(self) -> NDArray[np.float64]:
        """(5, 2) where the landmarks that faces are placed by lie in an aligned face, on average."""
        return self.detector.landmarks_512 if self.landmarks is None else LANDMARKS_512


@dataclass(frozen=True)
class Parts(Finder):
    """All networks of a restoration; they can be kept from one to the next."""

    generator: Generator = field(kw_only=True)
    gatherer: Gatherer | None = None
    """What brings a face's neighbours in time together, if that is wanted."""
    judge: Judge | None = None
    """What says how far a restoration is to be believed, if that is wanted."""
    scene: Gatherer | None = None
    """What brings whole pictures together with their neighbours in time, if that is wanted."""
    scene_judge: Judge | None = None
    """What says how far that is to be believed, if it is wanted."""
    parser: Parser | None = None
    """What tells face from everything else, if masks are to be parsed."""
    enlarge: Enlarge | None = None
    """What enlarges whole pictures, if that is wanted of a network."""
    loaded_for: tuple[Any, ...] = ()
    """The options that decided what was loaded; see :meth:`fit`."""

    def fit(self, options: RestoreOptions) -> bool:
        """Whether they are what :func:`load_parts` would load for other options."""
        return self.loaded_for == _names(options)


def load_finder(options: RestoreOptions) -> Finder:
    """What finds faces as ``options`` want it.

    Raises:
        WeightsError: if its weights are missing or damaged.
    """
    weights = installed("retinaface-resnet50", options.weights_dir) if options.detector == "retinaface" else None
    detector = make_detector(options.detector, options.min_score * _CONTINUE, weights, device_of(options))
    return Finder(detector, _landmarks(options))


def _landmarks(options: RestoreOptions) -> Landmarks | None:
    return installed_landmarks() if options.refine else None


def load_parts(options: RestoreOptions) -> Parts:
    """The networks that ``options`` name.

    Raises:
        WeightsError: if weights are missing or damaged.
        EngineError: if the engine, device or precision is not to be had here.
    """
    if not options.lag:
        return _loaded(options)
    with importing("filterpy.kalman"):  # stabilises landmarks in films; SciPy with it takes as long as all networks
        return _loaded(options)


def _loaded(options: RestoreOptions) -> Parts:
    finder, generator = load_finder(options), _generator(options)
    whole = options.around == "picture"
    return Parts(
        finder.detector,
        finder.landmarks,
        generator=generator,
        gatherer=_over_time("gather", options, generator.size) if options.gather else None,
        judge=_over_time("confidence", options, generator.size) if options.believe else None,
        scene=_of_pictures("gather", options) if whole else None,
        scene_judge=_of_pictures("confidence", options) if whole and options.believe else None,
        parser=_parser(options),
        enlarge=_upscaler(options),
        loaded_for=_names(options),
    )


def device_of(options: RestoreOptions) -> str:
    """Where networks run that do not share their work among several devices."""
    return options.devices[0] if options.devices else options.device


def _names(options: RestoreOptions) -> tuple[Any, ...]:
    return tuple(getattr(options, name) for name in _NAMED)


def _generator(options: RestoreOptions) -> Generator:
    """The generator, on one device or shared out over several."""
    model = find_model(options.model, options.weights_dir, over_time=options.gather)
    return make_generator(model, _choice(options), options.devices)


def _choice(options: RestoreOptions) -> EngineChoice:
    return EngineChoice(options.engine, options.device, options.precision, options.compiler, options.batch)


def _over_time(name: str, options: RestoreOptions, size: int) -> OnOpenVino | OnTorch:
    """A network that looks at crops with sides of ``size`` pixels; on CUDA where the generator runs there."""
    return network_over_time(name, size, _cuda(options), exact=options.precision == "fp32")


def _of_pictures(name: str, options: RestoreOptions) -> OfPictures | OnTorch:
    """The same, for whole pictures."""
    return network_of_pictures(name, _cuda(options), exact=options.precision == "fp32")


def _cuda(options: RestoreOptions) -> str | None:
    """The CUDA device of the networks beside the generator, if that runs on one."""
    device = device_of(options)
    if not on_cuda(replace(_choice(options), device=device)):
        return None
    return "cuda" if device == "auto" else device


def _parser(options: RestoreOptions) -> Parser | None:
    if options.mask != "parsing":
        return None
    weights = installed("parsenet", options.weights_dir)
    from gfpvideo.networks.parsenet import FaceParser

    return FaceParser(weights, device_of(options))


def _upscaler(options: RestoreOptions) -> Enlarge | None:
    if options.background_model is None:
        return None
    from gfpvideo.networks.upscaler import Upscaler

    return Upscaler(options.background_model, options.upscale, device_of(options))
