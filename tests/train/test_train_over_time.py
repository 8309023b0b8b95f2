"""The networks that look at time: what they learn from, and how."""

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from gfpvideo.errors import InputError, OptionError, OutputError, TrainingError, WeightsError
from gfpvideo.media.recode import recode_film
from gfpvideo.networks import confidence_net, gather_net
from gfpvideo.networks.confidence_net import ConfidenceNet
from gfpvideo.networks.gather_net import CHANNELS, GatherNet
from gfpvideo.train.confidence import train_confidence
from gfpvideo.train.confidence_options import ConfidenceOptions
from gfpvideo.train.data import AgedFaces
from gfpvideo.train.data import Faces as Still
from gfpvideo.train.degrade import Degradation
from gfpvideo.train.gather import judged, train_gather
from gfpvideo.train.gather_data import Faces, Patches, drawn_window, prepared
from gfpvideo.train.gather_options import Films, GatherOptions, Stills
from gfpvideo.train.moving_data import MovingFaces
from gfpvideo.train.options import Moving
from gfpvideo.train.over_time import DAMAGES, Frames, film, hardly, web
from gfpvideo.train.small import begun, descend, export_average, load, prepare, take_steps


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than they bring on so small a network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def portrait(shift: float = 0.0) -> NDArray[np.uint8]:
    """(288, 288, 3) a photograph of a face."""
    picture = skimage.data.astronaut()[0:288, 80:368]
    return np.asarray(cv2.warpAffine(picture, np.array([[1.0, 0, shift], [0, 1, 0]]), (288, 288)), np.uint8)


def write_clip(path: Path, count: int, side: int = 288) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv444p"
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(portrait(float(np.sin(index / 3) * 4))[:side, :side], format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "one.mp4", 20)
    write_clip(folder / "two.mp4", 12)
    return folder


def options(clips: Path, **schedule: Any) -> GatherOptions:
    values = {"steps": 4, "windows": 1, "patches": 1, "workers": 0, "check_steps": 4} | schedule
    return GatherOptions.parse({"films": {"folder": clips, "share": 1, "held": ["two"]}, "schedule": values}, clips)


@pytest.fixture(scope="module")
def faces(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    return prepared(options(clips), tmp_path_factory.mktemp("kept"))[0]


def a_film(random: np.random.Generator) -> Frames:
    pictures = [portrait(float(shift))[:120, :130] for shift in random.normal(0, 3, 5)]
    return np.stack(pictures).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("damage", list(dict.fromkeys(DAMAGES)))
def test_damage_over_time_is_fresh_in_each_frame_and_the_same_for_a_seed(damage: Any) -> None:
    clean = np.repeat(a_film(np.random.default_rng(0))[:1], 5, axis=0)
    aged, again = (damage(clean, np.random.default_rng(3)) for _ in range(2))
    assert aged.shape == clean.shape
    assert aged.dtype == np.float32
    assert 0 <= aged.min() <= aged.max() <= 1
    assert np.array_equal(aged, again)
    repeats = damage in {hardly, web}  # an encoder leaves alone what does not change
    assert repeats or np.abs(aged[0] - aged[3]).mean() > 1e-4


def moving_faces(faces: Faces, **values: Any) -> MovingFaces:
    moving = Moving.model_validate({"films": {"folder": ".", "share": 1}, **values})
    picture = np.ascontiguousarray(portrait()[16:272, 16:272])
    boxes = np.zeros((3, 4))
    single = AgedFaces(Still([picture], [boxes], 0), Degradation(), seed=1, length=6)
    return MovingFaces(single, faces, moving, None, seed=1)


def test_faces_of_films_are_shown_gathered_and_the_same_for_a_seed(faces: Faces) -> None:
    """What the generator is to make of them is clean; gathering brings what it is shown nearer to that."""
    gathered, alone = (moving_faces(faces, share=1, alone=alone) for alone in (0, 1))
    better = []
    for index in range(4):
        (shown, clean, boxes), (bare, same, _) = gathered[index], alone[index]
        assert shown.shape == clean.shape == (3, 256, 256)
        assert boxes.shape == (3, 4)
        assert torch.equal(clean, same)
        better.append(float((shown - clean).square().mean() / (bare - clean).square().mean()))
    assert np.mean(better) < 1
    again = moving_faces(faces, share=1, alone=0)[2]
    assert all(torch.equal(one, other) for one, other in zip(again, gathered[2], strict=True))


def test_only_a_share_of_faces_moves(faces: Faces) -> None:
    some = moving_faces(faces, share=0.5)
    stills = [torch.equal(some[index][0], some._single[index][0]) for index in range(len(some))]
    assert 0 < sum(stills) < len(stills)


def test_a_film_of_a_low_bit_rate_loses_detail_in_all_frames(rng: np.random.Generator) -> None:
    clean = a_film(rng)
    errors = [np.abs(recode_film(clean, crf) - clean).mean(axis=(1, 2, 3)) for crf in (14, 38)]
    assert np.all(errors[1] > 2 * errors[0])
    assert web(clean, rng).shape == clean.shape


def test_a_window_shows_the_same_face_five_times(faces: Faces) -> None:
    """Of hardly any damage, neighbours brought along the flow are the crop, and that is what it should become."""
    window = drawn_window(faces, np.random.default_rng(5), DAMAGES.index(hardly))
    assert window.seen.shape == (CHANNELS, 256, 256)
    own = window.seen[:3].transpose(1, 2, 0)
    inside = (slice(64, 192), slice(64, 192))
    for neighbour in window.seen[3:15].reshape(4, 3, 256, 256).transpose(0, 2, 3, 1):
        assert np.abs(neighbour - own)[inside].mean() < 0.05
    assert np.abs(window.clean - own)[inside].mean() < 0.08
    grainy = drawn_window(faces, np.random.default_rng(5), DAMAGES.index(film))
    assert np.abs(grainy.seen[:3].transpose(1, 2, 0) - grainy.clean)[inside].mean() > 0.03


def test_samples_depend_on_seed_and_number_alone(faces: Faces) -> None:
    data = Patches(faces, seed=1, patches=2, length=10)
    seen, clean = data[4]
    again, _ = Patches(faces, seed=1, patches=2, length=20)[4]
    other, _ = Patches(faces, seed=2, patches=2, length=10)[4]
    assert seen.shape == (2, CHANNELS, 128, 128)
    assert clean.shape == (2, 3, 128, 128)
    assert torch.equal(seen, again)
    assert not torch.equal(seen, other)


@pytest.mark.slow
def test_a_resumed_training_is_the_uninterrupted_one(clips: Path, tmp_path: Path) -> None:
    whole = train_gather(options(clips), tmp_path / "whole")
    train_gather(options(clips), tmp_path / "parts", stop_at=2)
    parts = train_gather(options(clips), tmp_path / "parts", resume=True)
    one, other = (torch.load(path, weights_only=True) for path in (whole, parts))
    assert one["step"] == other["step"] == 4
    assert all(torch.equal(value, other["average"][name]) for name, value in one["average"].items())
    (line,) = (tmp_path / "whole" / "log.txt").read_text().splitlines()
    assert line.startswith("4 ")
    assert "won" in line
    target = tmp_path / "gather.safetensors"
    export_average(GatherNet(), whole, target)
    assert set(gather_net.load(target).state_dict()) == set(one["average"])
    with pytest.raises(WeightsError, match="not a checkpoint"):
        export_average(ConfidenceNet(), whole, target)
    with pytest.raises(OutputError, match="safetensors"):
        export_average(GatherNet(), whole, tmp_path / "gather.pth")


def test_what_is_won_is_counted_against_the_crop_as_it_is(faces: Faces) -> None:
    class Own(GatherNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :3]

    window = drawn_window(faces, np.random.default_rng(1), DAMAGES.index(film))
    scores = judged(Own(), {"film": [window]})
    assert scores["won"] == 0
    error = np.square(np.clip(window.seen[:3].transpose(1, 2, 0), -1, 1) - window.clean)[96:160, 96:160].mean()
    assert abs(scores["film"] - 10 * np.log10(4 / error)) < 3


def test_folders_without_films_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no films"):
        prepared(options(tmp_path), tmp_path / "kept")
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "small.mp4", 3, side=96)
    (tmp_path / "clips" / "two.mp4").touch()
    with pytest.raises(InputError, match="96x96"):
        prepared(options(tmp_path / "clips"), tmp_path)


def test_films_that_are_missing_or_too_short_are_named(clips: Path, tmp_path: Path) -> None:
    """Whoever mistypes the name of one that is held out would learn from it."""
    wrong = options(clips).model_copy(update={"films": Films(folder=clips, share=1, held=("tow",))})
    with pytest.raises(InputError, match=f"{clips}: holds no film tow, which is to be held out"):
        prepared(wrong, tmp_path / "kept")
    none = options(clips).model_copy(update={"films": Films(folder=clips, share=1)})
    with pytest.raises(InputError, match=r"films\.held: name at least one film"):
        train_gather(none, tmp_path)
    short = tmp_path / "short"
    short.mkdir()
    write_clip(short / "one.mp4", 8)
    with pytest.raises(InputError, match=r"one\.mp4: has 8 frames, 9 or more are wanted"):
        prepared(options(short).model_copy(update={"films": Films(folder=short, share=1)}), tmp_path)


def test_what_is_kept_of_other_films_or_pictures_is_not_taken_for_these(clips: Path, tmp_path: Path) -> None:
    """Two folders of the same name, and two takes of one."""
    for place, level in (("a", 50), ("b", 90)):
        (tmp_path / place / "faces").mkdir(parents=True)
        for number in (1, 2):
            picture = np.full((64, 64, 3), level + number, np.uint8)
            assert cv2.imwrite(str(tmp_path / place / "faces" / f"{number}.png"), picture)
    wanted = [("a", (1, 1)), ("b", (1, 1)), ("b", (2, 2)), ("a", (1, 2))]
    stills = [Stills(folder=tmp_path / place / "faces", share=1, take=take) for place, take in wanted]
    asked = options(clips).model_copy(update={"stills": tuple(stills)})
    found = prepared(asked, tmp_path)[0].stills
    assert [int(pictures[0, 0, 0, 0]) for pictures in found] == [51, 91, 92, 51]
    assert list(map(len, found)) == [1, 1, 1, 2]
    more = asked.model_copy(update={"stills": (stills[0].model_copy(update={"take": (2, 3)}),)})
    with pytest.raises(OptionError, match="pictures 2 to 3 are asked for, and there are 2"):
        prepared(more, tmp_path)


class _Small:
    """A training of one weight, which takes a step for each number."""

    def __init__(self) -> None:
        network = torch.nn.Linear(1, 1)
        torch.nn.init.zeros_(network.weight)
        self.training = begun(network, torch.optim.SGD(network.parameters()))

    def step(self, wanted: float) -> None:
        loss = (self.training.network.weight - wanted).square().sum()
        descend(self.training, loss, 0.1, 0.5)


def test_an_interrupt_waits_for_a_whole_step_of_a_small_training_too(tmp_path: Path) -> None:
    path, small, whole = tmp_path / "small.pth", _Small(), _Small()

    def step(wanted: float) -> None:
        if wanted == 2:
            os.kill(os.getpid(), signal.SIGINT)
        small.step(wanted)

    with pytest.raises(KeyboardInterrupt):
        take_steps(small.training, path, [1.0, 2.0, 3.0], step)
    take_steps(whole.training, tmp_path / "whole.pth", [1.0, 2.0], whole.step)
    kept = _Small().training
    load(kept, path)
    assert kept.step == 2
    assert torch.equal(kept.network.weight, whole.training.network.weight)
    with pytest.raises(OutputError, match="a training was here"):
        prepare(path, options(tmp_path).schedule, resume=False)


@pytest.mark.parametrize(
    "loss", [lambda made: made.sum() * float("nan"), lambda made: (made - made.detach()).abs().sum().sqrt()]
)
def test_what_is_not_finite_ends_a_small_training_and_writes_nothing(loss: Any, tmp_path: Path) -> None:
    """A loss, or the gradient of one that is finite."""
    training, path = _Small().training, tmp_path / "small.pth"
    before = training.network.weight.clone()
    with pytest.raises(TrainingError, match=r"^step 1: the loss or its gradient is not finite"):
        take_steps(training, path, [1], lambda _: descend(training, loss(training.network.weight), 0.1, 0.5))
    assert torch.equal(training.network.weight, before)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("right", ["made", "shown", "source"])
def test_confidence_learns_whom_to_believe(
    right: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples of which one picture is always the clean one: the network learns to take that."""
    random = np.random.default_rng(0)
    kept = np.empty((6, 4, 256, 256, 3), np.uint8)
    clean = portrait()[16:272, 16:272].astype(np.float32)
    noisy, smooth, dim = clean + random.normal(0, 30, clean.shape), cv2.GaussianBlur(clean, (0, 0), 4), 0.7 * clean
    wrong = [noisy, smooth, dim]
    pictures = {name: clean if name == right else wrong.pop() for name in ("shown", "made", "source")}
    kept[:] = np.clip(np.stack([pictures["shown"], pictures["made"], pictures["source"], clean]), 0, 255)
    monkeypatch.setattr("gfpvideo.train.confidence.key_of", lambda *_: "key")
    for name in ("learn", "light", "held"):
        np.save(tmp_path / f"{name}-key.npy", kept)
    table = {
        "films": {"folder": clips, "share": 1, "held": ["two"]}, "perceptual": 0.0,
        "schedule": {"steps": 60, "batch": 2, "check_steps": 60, "learning_rate": 1e-2, "average": 0.9},
    }  # fmt: skip
    train_confidence(ConfidenceOptions.parse(table, tmp_path), tmp_path)
    line = (tmp_path / "log.txt").read_text()
    scores = {part.rsplit(" ", 1)[0]: float(part.rsplit(" ", 1)[1]) for part in line.split("s ", 1)[1].split(", ")}
    assert scores["blended dB"] > max(scores[f"{name} dB"] for name in ("made", "shown") if name != right) + 3
    export_average(ConfidenceNet(), tmp_path / "confidence.pth", tmp_path / "confidence.safetensors")
    assert confidence_net.load(tmp_path / "confidence.safetensors")(torch.zeros(1, 9, 64, 64)).shape == (1, 2, 64, 64)
