"""Files that arrive in a folder: when they are whole, and what has become of them."""

import json
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from gfpvideo.errors import OutputError
from gfpvideo.media.atomic import sync, write_error
from gfpvideo.restoration.batch import found_in
from gfpvideo.restoration.jobs.folder import PARTIAL, write_whole

State = Literal["new", "done", "there"]
"""What has become of a file: nothing, or not all; restored; a target lies there of which we know nothing."""


class Identity(BaseModel):
    """What tells a file from another that bears its name, or from itself before it was whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Of the file at ``path``; ``None`` if there is none."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(size=found.st_size, mtime_ns=found.st_mtime_ns)


class Arrivals:
    """The films and pictures of a folder, each from when neither its size nor its date has changed for a while."""

    def __init__(self, folder: Path, settle: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch ``folder``; what has not changed for ``settle`` seconds of ``clock`` is whole."""
        self.folder, self.settle, self._clock = folder, settle, clock
        self._seen: dict[Path, tuple[Identity, float]] = {}

    def look(self) -> list[tuple[Path, Identity]]:
        """What is whole now, in the order in which it came; hidden and empty files never are.

        Raises:
            OSError: if the folder cannot be read.
        """
        now = self._clock()
        pictures, films = found_in(self.folder)
        seen = {}
        for path in (*pictures, *films):
            identity = None if path.name.startswith(".") else Identity.of(path)
            if identity is not None and identity.size:
                before = self._seen.get(path)
                seen[path] = before if before is not None and before[0] == identity else (identity, now)
        self._seen = seen
        whole = [(since, path, identity) for path, (identity, since) in seen.items() if now - since >= self.settle]
        return [(path, identity) for _, path, identity in sorted(whole, key=lambda item: item[:2])]

    @property
    def settled(self) -> bool:
        """Whether at the last look nothing was still arriving."""
        now = self._clock()
        return all(now - since >= self.settle for _, since in self._seen.values())


class _Entry(BaseModel):
    """What a target was made of, or is being made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    identity: Identity
    replaces: Identity | None = None
    """What bore the target's name when it was begun: as long as that lies there, the target is still to come."""
    done: bool = False


class _Entries(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    targets: dict[str, _Entry] = {}


class Ledger:
    """What was restored from what, kept in the target's folder, so that nothing is done twice or mistaken.

    Written down before a target is begun and after it is finished: whatever happens between the two, a target that
    lies there is known for what it is.
    """

    def __init__(self, path: Path) -> None:
        """Read the ledger at ``path``, if there is one.

        Raises:
            OutputError: if it is damaged.
        """
        self._path, self._token = path, secrets.token_hex(4)
        for left in path.parent.glob(f"{path.name}.*{PARTIAL}"):  # by a process that was killed
            left.unlink(missing_ok=True)
        try:
            self._entries = _Entries.model_validate(json.loads(path.read_bytes()))
        except FileNotFoundError:
            self._entries = _Entries()
        except (OSError, ValueError):
            raise OutputError(
                f"{path}: the list of what was restored is damaged; remove it, and whatever has a target counts as done"
            ) from None

    def state(self, target: Path, source: Path, identity: Identity, *, overwrite: bool) -> State:
        """What has become of a source.

        Args:
            target: where it goes.
            source: the file.
            identity: of the source, as it is now.
            overwrite: whether what else lies there may be replaced.

        Raises:
            OutputError: if what lies there was made of something else.
        """
        entry, there = self._entries.targets.get(target.name), Identity.of(target)
        if entry is not None and (entry.source, entry.identity) == (source.name, identity):
            return "done" if entry.done or there not in (None, entry.replaces) else "new"
        if there is None or overwrite:
            return "new"
        if entry is None:
            return "there"
        what = "an earlier file of that name" if entry.source == source.name else entry.source
        raise OutputError(f"{source}: {target} was made of {what}; move that away, or give --overwrite")

    def begin(self, target: Path, source: Path, identity: Identity) -> bool:
        """Write down that ``target`` is going to be made of ``source``.

        Returns:
            Whether it was begun before with a file that is no more, so that what was done of it is of no use.

        Raises:
            OutputError: if it cannot be written down.
        """
        before = self._entries.targets.get(target.name)
        self._put(target, _Entry(source=source.name, identity=identity, replaces=Identity.of(target)))
        return before is not None and before.source == source.name and before.identity != identity

    def finish(self, target: Path) -> None:
        """Write down that ``target`` is there: it may be taken away, and is not made again.

        Raises:
            OutputError: if it cannot be written down.
        """
        entry = self._entries.targets[target.name]
        if not entry.done:
            self._put(target, entry.model_copy(update={"done": True}))

    def _put(self, target: Path, entry: _Entry) -> None:
        entries = self._entries.model_copy(update={"targets": self._entries.targets | {target.name: entry}})
        try:
            # Names of old disks may hold bytes that are no text; Pydantic's own JSON takes none of those.
            write_whole(self._path, json.dumps(entries.model_dump(), indent=0), self._token)
            sync(self._path.parent)
        except OSError as error:
            raise write_error(self._path, error) from error
        self._entries = entries
