"""Who restores a film where several do it together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.crew import Crew, Processes

if TYPE_CHECKING:
    from gfpvideo.restoration.jobs.cluster import Cluster


class Staff:
    """Gives the workers for each film; those of a cluster stay from one to the next. A ``with`` ends them."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.leave()
            self._cluster = None

    def cluster(self, options: RestoreOptions) -> "Cluster":
        """The cluster that the options name, joined when it is first needed.

        Raises:
            GfpvideoError: if it cannot be.
        """
        if self._cluster is None:
            from gfpvideo.restoration.jobs.cluster import Cluster

            self._cluster = Cluster(options)
        return self._cluster

    @contextmanager
    def hire(self, source: Path, options: RestoreOptions) -> Iterator[Crew]:
        """Workers that restore a film together, for as long as the block lasts."""
        if options.cluster is None:
            with Processes(source, options, options.crew) as crew:
                yield crew
        else:
            with self.cluster(options).crew(source, options) as crew:
                yield crew
