"""Choose which of the faces that were followed are restored."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from gfpvideo.frames import Face, TrackedFrame
from gfpvideo.pixels.geometry import face_size


def choose(
    frames: Iterator[TrackedFrame], only: Collection[int], skip: Collection[int], max_faces: int | None
) -> Iterator[TrackedFrame]:
    """Stage: frames with the chosen faces alone.

    Args:
        frames: frames with all their faces.
        only: numbers of the tracks to keep; none for all.
        skip: numbers of the tracks to leave out.
        max_faces: most faces of a frame to keep, the largest first.
    """
    for frame in frames:
        faces = [face for face in frame.faces if face.track not in skip and (not only or face.track in only)]
        yield replace(frame, faces=tuple(_largest(faces, max_faces)))


def _largest(faces: list[Face], count: int | None) -> list[Face]:
    if count is None or len(faces) <= count:
        return faces
    kept = sorted(faces, key=lambda face: (-face_size(face.landmarks), face.track))[:count]
    return [face for face in faces if any(face is other for other in kept)]
