"""How soon a restoration that stopped near the end of a long film restores again.

A sample is looped by stream copy. What was followed in its second loop is what is followed in every later one (each
begins with a cut), so that a work folder as an interruption leaves it is made of it, without restoring for hours.

    python benchmarks/going_on.py --minutes 30
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import av

from gfpvideo import RestoreOptions
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.jobs.fingerprint import Begun, Fingerprint
from gfpvideo.restoration.jobs.folder import work_folder
from gfpvideo.restoration.jobs.followed import Followed, FollowedRun, RecordedPlace
from gfpvideo.restoration.jobs.pieces import follow_all
from gfpvideo.restoration.jobs.record import SegmentRecord
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.run import Job

SAMPLE = Path(__file__).parent.parent / "samples" / "home_movie.mp4"
FRAMES = 90
"""Of the sample: a segment is one loop."""
LEFT = 3
"""Loops that are not restored yet."""


def looped(target: Path, times: int) -> int:
    """Write the sample's picture ``times`` times one after the other; how many ticks it lasts."""
    with av.open(str(SAMPLE)) as source, av.open(str(target), "w") as film:
        video = source.streams.video[0]
        packets: list[Any] = [packet for packet in source.demux(video) if packet.size]
        length = max(packet.pts + packet.duration for packet in packets) - min(packet.pts for packet in packets)
        copy = film.add_stream_from_template(video)
        for number in range(times):
            for packet in packets:
                again: Any = av.Packet(bytes(packet))
                again.stream, again.time_base, again.duration = copy, video.time_base, packet.duration
                again.is_keyframe = packet.is_keyframe
                again.pts, again.dts = packet.pts + number * length, packet.dts + number * length
                film.mux_one(again)
    return length


def later(run: FollowedRun, loops: int, length: int, seconds: Any) -> FollowedRun:
    """The same frames so many loops later."""
    places = [
        RecordedPlace(
            offset=place.offset,
            pts=place.pts + loops * length,
            packets=place.packets + loops * FRAMES,
            end=place.end + loops * seconds,
            turn=place.turn,
            colour=place.colour,
        )
        for place in run.places
    ]
    tracks = len({face[0] for faces in run.faces for face in faces})
    return run.model_copy(
        update={
            "first": run.first + loops * FRAMES,
            "pts": [pts + loops * length for pts in run.pts],
            "places": places,
            "faces": [[(face[0] + loops * tracks, *face[1:]) for face in faces] for faces in run.faces],
        }
    )


def interrupted(folder: Path, times: int, options: RestoreOptions, parts: Parts) -> tuple[Path, Path]:
    """A film, and its target with the work that an interruption has left."""
    film, three, target = folder / "film.mp4", folder / "three.mp4", folder / "restored.mp4"
    length = looped(film, times)
    looped(three, 3)
    followed = Followed(folder, FRAMES)
    list(follow_all(three, followed, parts, options))
    with av.open(str(film)) as container:
        seconds = length * (container.streams.video[0].time_base or 0)
    work = work_folder(target)
    work.mkdir()
    fingerprint = Fingerprint.of(film, options, parts.generator)
    (work / "job.json").write_text(Begun(length=FRAMES, fingerprint=fingerprint).model_dump_json())
    for number in range(times - LEFT):
        run = followed.run(0) if number == 0 else later(followed.run(1), number - 1, length, seconds)
        (work / f"followed-{number:05d}.json").write_text(run.model_dump_json())
        (work / f"segment-{number:05d}.mkv").write_bytes(b"nobody reads it")
        record = SegmentRecord(
            first=run.first, bytes=15, pts=run.pts, reorder=0, faces=0, spared=0, hopeless=0, pictures=0, tracks=[]
        )
        (work / f"segment-{number:05d}.json").write_text(record.model_dump_json())
    return film, target


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", default="compact")
    given = parser.parse_args()
    options = RestoreOptions(model=given.model, segment=FRAMES, codec="libx264", resume=True, disk_check=False)
    parts = load_parts(options)
    with tempfile.TemporaryDirectory() as folder:
        film, target = interrupted(Path(folder), round(given.minutes * 60 / 5), options, parts)
        began, worked = time.monotonic(), time.process_time()
        for event in Job(film, target, options, parts).run():
            if isinstance(event, FrameDone):
                seconds, spent = time.monotonic() - began, time.process_time() - worked
                print(f"frame {event.restored.frame.index}: {seconds:.1f} s, {spent:.1f} s of them at work")
                break


if __name__ == "__main__":
    main()
