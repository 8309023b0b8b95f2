"""The error tree: one base, one class for each kind of trouble, one line of text for the user.

Every error says what is wrong with which file or option and what to do about it; the command line prints it and
exits with :attr:`GfpvideoError.exit_code`. Each class also is the fitting builtin, so library users can catch either.
"""

from typing import ClassVar


class GfpvideoError(Exception):
    """Base of every error that gfpvideo raises on purpose."""

    exit_code: ClassVar[int] = 2
    """What the command line exits with: 2, refused or failed."""


def printable(text: str) -> str:
    """What may go to a terminal: names of files and others' messages can hold what commands it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def bug(error: Exception) -> str:
    """What is said of an error that nobody raised on purpose, where others' work goes on."""
    return f"{type(error).__name__}: {error}; this is a bug of gfpvideo"


class OptionError(GfpvideoError, ValueError):
    """An option or a combination of options that makes no sense."""


class InputError(GfpvideoError, OSError):
    """The source cannot be opened or read."""


class UnsupportedMediaError(GfpvideoError, ValueError):
    """The source is intact but holds something that gfpvideo cannot restore."""


class CorruptMediaError(GfpvideoError, ValueError):
    """The source is damaged beyond what decoding can skip."""


class WeightsError(GfpvideoError, ValueError):
    """A model file that is missing, damaged, or not of a known architecture."""


class UnknownArchitectureError(WeightsError):
    """A model file that holds a network, but none of ours."""


class EngineError(GfpvideoError, RuntimeError):
    """An inference engine or device that is not there or does not do what was asked."""


class WorkersError(GfpvideoError, RuntimeError):
    """Workers that ended again and again at the same film, which no other need share."""


class TrainingError(GfpvideoError, RuntimeError):
    """A training that learns nothing any more."""


class StoppedError(GfpvideoError, RuntimeError):
    """The user asked to stop; what is finished was kept."""

    exit_code = 130


class ClosedError(GfpvideoError, BrokenPipeError):
    """Who reads our standard output has had enough."""

    exit_code = 141
    """As shells count the signal that ends other programs then."""


class OutputError(GfpvideoError, OSError):
    """The target cannot be written."""
