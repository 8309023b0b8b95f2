"""The landmark network, its labels and its training."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from gfpvideo.errors import InputError, OptionError, OutputError, WeightsError
from gfpvideo.networks.landmark_net import LandmarkNet, load_landmarks, traced
from gfpvideo.networks.landmarks import (
    GROUPS,
    LANDMARKS_512,
    MESH,
    MIRROR,
    OVAL,
    POINTS,
    SIDE,
    Landmarks,
    anchor_deviations,
    anchors,
    cut_face,
    rough_face,
    rough_of_anchors,
)
from gfpvideo.networks.weights import installed
from gfpvideo.pixels.geometry import invert, move
from gfpvideo.train.landmarks import false_presence, laplace, losses, train_landmarks
from gfpvideo.train.landmarks_damage import age, cover, relight
from gfpvideo.train.landmarks_options import LandmarkOptions, Weights
from gfpvideo.train.landmarks_pictures import Pictures, read_labels
from gfpvideo.train.landmarks_pose import mean_face, pose_of
from gfpvideo.train.landmarks_samples import (
    Batch,
    Samples,
    drawn_map,
    hidden_share,
    moved_label,
    restorable,
    structure_left,
)
from gfpvideo.train.landmarks_views import turned_view
from gfpvideo.train.small import export_average


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than they bring on so small a network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made_up_mesh() -> NDArray[np.float64]:
    """(478, 3) a symmetric face in a picture of 256 pixels; outline, eyes and lips lie as on a face."""
    random = np.random.default_rng(3)
    mesh = np.column_stack([random.uniform(80, 176, (478, 2)), np.zeros(478)])
    for place, number in enumerate(OVAL):
        angle = 2 * np.pi * place / len(OVAL)
        mesh[number, :2] = 128 + 70 * np.sin(angle), 140 - 90 * np.cos(angle)
    ours = np.array(MESH)
    mesh[ours[GROUPS["eyes"]], 1] = random.normal(112, 2, len(GROUPS["eyes"]))
    mesh[ours[GROUPS["lips"]], 1] = random.normal(190, 2, len(GROUPS["lips"]))
    mirrored = mesh[ours][MIRROR] * [-1, 1, 1] + [256, 0, 0]
    mesh[ours] = (mesh[ours] + mirrored) / 2
    left = mesh[ours, 0] < 128
    mesh[ours, 2] = 40 * np.square((mesh[ours, 0] - 128) / 70)
    assert left.any()
    return mesh


@pytest.fixture
def pictures() -> Pictures:
    """Two faces and a piece of wall."""
    mesh = made_up_mesh()[list(MESH)].astype(np.float32)
    meshes = np.stack([mesh, mesh + np.float32(3)])
    canonical = mean_face(meshes).astype(np.float32)
    face = np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])
    poses = np.zeros((2, 3), np.float32)
    tiles = np.ascontiguousarray(skimage.data.coffee()[None, :128, :128])
    return Pictures(np.stack([face, face[:, ::-1]]), meshes, poses, np.array([0.5, 0.5]), tiles, canonical)


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """Options of a tiny training."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in (1, 2, 3):
        picture = np.roll(skimage.data.astronaut()[:256, 96:352, ::-1], number, axis=2)
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    labels = tmp_path / "faces.npz"
    np.savez(labels, names=np.array(["1.png", "2.png", "3.png"]), points=np.stack([made_up_mesh()] * 3))
    path = tmp_path / "landmarks.toml"
    path.write_text(
        f"""
[[stills]]
folder = '{folder}'
labels = '{labels}'
share = 1.0
take = [1, 2]
held = [3, 3]
views = 1
[schedule]
steps = 4
batch = 4
workers = 0
check_steps = 2
"""
    )
    return path


# The network


def test_the_network_is_small_and_says_what_it_should() -> None:
    network = LandmarkNet().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        seen = network(torch.zeros(1, 3, SIDE, SIDE))
    assert counter.get_total_flops() < 80e6
    assert seen.points.shape == (1, POINTS, 2)
    assert seen.log_deviations.shape == (1, POINTS)
    assert seen.presence.shape == (1,)
    assert seen.pose.shape == (1, 3)
    assert POINTS == len(set(MESH)) >= 98


def test_the_file_is_small_and_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LandmarkNet()
    torch.save({"average": network.state_dict()}, tmp_path / "a.pth")
    export_average(LandmarkNet(), tmp_path / "a.pth", tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_size < 3e6
    back = load_landmarks(tmp_path / "a.safetensors").state_dict()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(back[name], value, rtol=1e-3, atol=1e-4, check_dtype=True)


def test_the_network_that_ships_is_there() -> None:
    network = load_landmarks(installed("landmarks"))
    assert installed("landmarks").stat().st_size < 3e6
    canonical = network.canonical.numpy()
    assert np.allclose(canonical, canonical[MIRROR] * [-1, 1, 1], atol=1e-3)
    assert np.square(canonical).sum() == pytest.approx(1, abs=0.01)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_landmarks(tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"missing\.safetensors"):
        load_landmarks(tmp_path / "missing.safetensors")
    with pytest.raises(WeightsError, match="no such checkpoint"):
        export_average(LandmarkNet(), tmp_path / "missing.pth", tmp_path / "b.safetensors")
    with pytest.raises(OutputError, match="safetensors"):
        export_average(LandmarkNet(), tmp_path / "a.pth", tmp_path / "b.pth")
    torch.save({"average": {}}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="not a checkpoint"):
        export_average(LandmarkNet(), tmp_path / "c.pth", tmp_path / "b.safetensors")


def test_eight_faces_at_once_are_eight_faces_alone() -> None:
    torch.manual_seed(0)
    network = LandmarkNet().eval()
    running = Landmarks(traced(network))
    crops = np.random.default_rng(0).uniform(-1, 1, (8, 3, SIDE, SIDE)).astype(np.float32)
    together = running(crops)
    for number in range(8):
        alone = running(crops[number : number + 1])
        for whole, part in zip(together, alone, strict=True):
            assert np.array_equal(whole[number], part[0])
    with torch.no_grad():
        seen = network(torch.from_numpy(crops))
    np.testing.assert_allclose(together.points, (seen.points.numpy() + 1) * 64 - 0.5, atol=0.02)
    np.testing.assert_allclose(together.deviations, np.sqrt(2) * 64 * np.exp(seen.log_deviations.numpy()), rtol=1e-3)
    np.testing.assert_allclose(together.presence, torch.sigmoid(seen.presence), atol=1e-4)
    np.testing.assert_allclose(together.pose, seen.pose, atol=1e-4)


def test_mirroring_twice_changes_nothing_and_once_swaps_the_sides() -> None:
    assert np.array_equal(MIRROR[MIRROR], np.arange(POINTS))
    assert (MIRROR != np.arange(POINTS)).sum() == POINTS - len([10, 152, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2]) - 4
    for places in GROUPS.values():
        assert set(MIRROR[places]) == set(places)
    swapped = anchors(np.arange(2.0 * POINTS).reshape(POINTS, 2)[MIRROR])
    straight = anchors(np.arange(2.0 * POINTS).reshape(POINTS, 2))
    assert np.allclose(swapped, straight[[1, 0, 2, 4, 3]])


def test_a_rough_face_is_cut_out_upright() -> None:
    picture = skimage.data.astronaut().astype(np.float32) / np.float32(255)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = (LANDMARKS_512 - 256) @ turn.T * 0.2 + [224, 120]
    rough = rough_of_anchors(found)
    assert rough.angle == pytest.approx(angle, abs=1e-6)
    crop, to_crop = cut_face(picture, rough)
    assert crop.shape == (3, SIDE, SIDE)
    assert crop.min() >= -1
    assert crop.max() <= 1
    placed = move(to_crop, found)
    assert abs(placed[0, 1] - placed[1, 1]) < 0.5
    assert placed[:2].mean(axis=0)[1] < placed[3:].mean(axis=0)[1]
    middle = move(invert(to_crop), np.array([[63.5, 63.5]]))[0]
    assert np.allclose(middle, rough.centre)
    there = np.round(middle).astype(int)
    assert np.allclose((crop[:, 62:66, 62:66].mean((1, 2)) + 1) / 2, picture[there[1], there[0]], atol=0.12)


def test_a_face_partly_outside_is_cut_out_too() -> None:
    picture = np.random.default_rng(0).random((60, 50, 3), np.float32)
    for centre in ([-20.0, 30.0], [49.0, 80.0], [500.0, -300.0]):
        crop, _ = cut_face(picture, rough_face(np.array([[-9.0, -9.0], [9.0, 9.0]]) + centre))
        assert crop.shape == (3, SIDE, SIDE)
        assert np.isfinite(crop).all()


def test_deviations_of_anchors_are_means_of_their_points() -> None:
    deviations = np.zeros(POINTS)
    deviations[GROUPS["eyes"]] = 2.0
    assert anchor_deviations(deviations).tolist() == [2.0, 2.0, 0.0, 0.0, 0.0]


# Labels


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no file of points"])
def test_labels_that_cannot_be_read_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"labels\.npz: cannot be read as a file of points"):
        read_labels(path)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_labels_follow_the_warp(seed: int) -> None:
    """The points of the mirrored, turned, shrunk face lie where the picture's pixels went, under the right numbers."""
    random = np.random.default_rng(seed)
    mesh = made_up_mesh()[list(MESH)]
    affine, angle = drawn_map(mesh[:, :2], 64, random)
    points, pose = moved_label(mesh[:, :2], np.array([0.2, 0.1, 0.05]), affine, angle)
    mirrored = np.linalg.det(affine[:, :2]) < 0
    back = move(invert(affine), points)
    assert np.allclose(back, mesh[MIRROR if mirrored else slice(None), :2])
    sign = -1 if mirrored else 1
    assert np.allclose(pose, [sign * 0.2, 0.1, sign * 0.05 + angle])
    eyes = anchors(points)
    turned = np.arctan2(*(eyes[1] - eyes[0])[::-1])
    assert abs(np.angle(np.exp(1j * (turned - angle)))) < 0.25  # stretch and shear are small, but turn a little


def test_the_label_of_the_mirror_is_the_mirror_of_the_label() -> None:
    mesh = made_up_mesh()[list(MESH)]
    canonical = mean_face(mesh[None].astype(np.float32))
    yaw = np.radians(25)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turned = (mesh - mesh.mean(axis=0)) @ turn.T
    pose = pose_of(turned, canonical)
    assert np.degrees(pose) == pytest.approx([25, 0, 0], abs=1e-6)
    mirror = turned[MIRROR] * [-1, 1, 1]
    assert pose_of(mirror, canonical) == pytest.approx(pose * [-1, 1, -1], abs=1e-9)
    flip = np.array([[-1.0, 0, 255], [0, 1, 0]])
    points, moved = moved_label(turned[:, :2], pose, flip, 0.0)
    assert np.allclose(points, mirror[:, :2] + [255, 0])
    assert np.allclose(moved, pose_of(mirror, canonical))


@pytest.mark.parametrize(("yaw", "pitch"), [(30.0, 0.0), (-40.0, 10.0)])
def test_a_turned_view_shows_the_points_where_it_says(yaw: float, pitch: float) -> None:
    mesh = made_up_mesh()
    picture = np.zeros((256, 256, 3), np.uint8)
    spot = mesh[4, :2].round().astype(int)
    cv2.circle(picture, tuple(spot.tolist()), 5, (255, 255, 255), -1)
    view, turned = turned_view(picture, mesh, np.radians(yaw), np.radians(pitch))
    y, x = np.nonzero(view[..., 0] > 127)
    assert np.allclose([x.mean(), y.mean()], turned[4, :2], atol=3)
    canonical = mean_face(mesh[None, list(MESH)].astype(np.float32))
    assert np.degrees(pose_of(turned[list(MESH)], canonical))[:2] == pytest.approx([yaw, pitch], abs=1.0)


def test_faces_beyond_restoration_are_said_to_be() -> None:
    assert restorable(2.0, 0.0, 1.0) == (0.0, 1.0)
    assert restorable(20.0, 0.7, 1.0) == (0.0, 1.0)
    assert restorable(20.0, 0.1, 0.2) == (0.0, 1.0)
    assert restorable(4.0, 0.0, 1.0) == (1.0, 0.0)
    assert restorable(20.0, 0.1, 0.5) == (1.0, 0.0)
    assert restorable(20.0, 0.1, 0.9) == (1.0, 1.0)


def test_structure_survives_light_but_neither_noise_nor_another_face() -> None:
    random = np.random.default_rng(3)
    points = np.random.default_rng(1).uniform(20, 108, (POINTS, 2))
    clean, other = (
        np.asarray(cv2.GaussianBlur(random.normal(0.5, 2.0, (SIDE, SIDE, 3)), (0, 0), 5), np.float32) for _ in range(2)
    )
    seen = np.ones((SIDE, SIDE), bool)
    slope = np.linspace(0.5, 1.5, SIDE, dtype=np.float32)[None, :, None]
    noise = random.normal(0, 3.0, clean.shape).astype(np.float32)
    assert structure_left(clean, clean, points, seen) == pytest.approx(1)
    assert structure_left(clean, 0.4 * slope * clean + 0.1, points, seen) > 0.8
    assert structure_left(clean, clean + noise, points, seen) < 0.6
    assert abs(structure_left(clean, other, points, seen)) < 0.5
    half = seen.copy()
    half[:, : SIDE // 2] = False
    covered = np.where(half[..., None], clean, other)
    assert structure_left(clean, covered, points, half) > 0.95 > structure_left(clean, covered, points, seen)
    assert structure_left(clean, covered, points, ~seen) == 0


def test_hidden_points_are_counted() -> None:
    covered = np.zeros((10, 10), bool)
    covered[2, 3] = True
    points = np.array([[3.0, 2.0], [2.0, 3.0], [-4.0, 5.0], [9.0, 9.0]])
    assert hidden_share(points, covered, 10) == 0.5


def test_damage_keeps_size_and_range_and_says_what_it_took() -> None:
    random = np.random.default_rng(0)
    crop = random.random((48, 48, 3), np.float32)
    points = made_up_mesh()[list(MESH), :2] * 48 / 256
    pitches, hidden = [], []
    for _ in range(60):
        front, covered = cover(crop, points, lambda side, _: np.zeros((side, side, 3), np.float32), random)
        aged, pitch = age(relight(front, random), random)
        assert aged.shape == crop.shape
        assert aged.dtype == np.float32
        assert (aged.min() >= 0) & (aged.max() <= 1)
        pitches.append(pitch)
        hidden.append(covered.mean())
        assert np.abs(front - crop)[~covered].max() < 0.5  # what covers is black, and soft at its border
        if not covered.any():
            assert np.array_equal(front, crop)
    assert min(pitches) == 1.0
    assert 1.5 < max(pitches) < 6
    assert 0.2 < np.mean(np.array(hidden) > 0) < 0.6


# Samples and losses


def test_a_sample_depends_on_its_number_alone(pictures: Pictures) -> None:
    samples = [Samples(pictures, negatives=0.3, seed=1, length=length) for length in (40, 20)]
    for number in (0, 7, 19):
        for a, b in zip(samples[0][number], samples[1][number], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(samples[0][0][0], samples[0][1][0])
    with pytest.raises(IndexError):
        samples[1][20]


def test_samples_are_faces_and_other_things(pictures: Pictures) -> None:
    samples = Samples(pictures, negatives=0.3, seed=1, length=60)
    batch = Batch(*(torch.stack(fields) for fields in zip(*(samples[number] for number in range(60)), strict=True)))
    assert batch.crops.shape == (60, 3, SIDE, SIDE)
    assert (batch.crops.abs() <= 1).all()
    assert 0.15 < 1 - batch.known.mean() < 0.45
    assert (batch.presence[batch.known == 0] == 0).all()
    inside = (batch.points[batch.known == 1].abs() < 1).float().mean()
    assert 0.9 < inside
    faces = batch.points[batch.known == 1]
    assert ((faces.mean(1).abs() < 0.5).all(1)).float().mean() > 0.95


def a_batch(known: list[float]) -> Batch:
    """Made-up labels for as many crops as ``known``."""
    count = len(known)
    random = torch.Generator().manual_seed(0)
    points = torch.rand(count, POINTS, 2, generator=random)
    ones, pose = torch.ones(count), torch.rand(count, 3, generator=random)
    return Batch(torch.zeros(count, 3, 8, 8), points, torch.tensor(known), torch.tensor(known), ones, pose, ones)


def test_without_a_face_points_and_pose_teach_nothing() -> None:
    torch.manual_seed(0)
    network = LandmarkNet().train()
    crops = torch.randn(2, 3, SIDE, SIDE)
    seen = network(crops)
    for field in seen:
        field.retain_grad()
    terms = losses(seen, a_batch([1.0, 0.0]), Weights())
    torch.stack(list(terms.values())).sum().backward()
    for field in (seen.points, seen.log_deviations, seen.pose):
        assert field.grad is not None
        assert field.grad[0].abs().sum() > 0
        assert field.grad[1].abs().sum() == 0
    assert seen.presence.grad is not None
    assert (seen.presence.grad != 0).all()


def test_no_face_in_a_batch_is_no_division_by_zero() -> None:
    seen = LandmarkNet().train()(torch.randn(2, 3, SIDE, SIDE))
    terms = losses(seen, a_batch([0.0, 0.0]), Weights())
    assert all(torch.isfinite(term) for term in terms.values())
    assert terms["likelihood"] == terms["distance"] == terms["pose"] == 0


def test_likelihood_is_best_where_the_deviation_is_the_mean_error() -> None:
    distances = torch.tensor([[[0.1, 0.3], [0.02, 0.02]]], dtype=torch.float64)
    logs = torch.log(distances.mean(2)).requires_grad_(True)
    laplace(distances, logs).sum().backward()
    assert torch.allclose(logs.grad, torch.zeros_like(logs), atol=1e-12)  # pyright: ignore[reportArgumentType]
    inputs = (distances.clone().requires_grad_(True), (logs.detach() + 0.3).requires_grad_(True))
    assert torch.autograd.gradcheck(laplace, inputs)


def test_false_presence_is_counted_where_98_of_100_faces_pass() -> None:
    batch = a_batch([1.0] * 100 + [0.0] * 4)
    logits = np.concatenate([np.arange(100), [-5, 0.5, 50, 200]]).astype(np.float32)
    assert false_presence(logits, batch) == 0.5
    unsure = batch._replace(certain=torch.tensor([1.0] * 103 + [0.0]))
    assert false_presence(logits, unsure) == pytest.approx(1 / 3)


# Training


@pytest.mark.slow
def test_a_resumed_training_is_bit_exact(preset: Path, tmp_path: Path) -> None:
    options = LandmarkOptions.read(preset)
    whole = torch.load(train_landmarks(options, tmp_path / "whole"), weights_only=True)
    train_landmarks(options, tmp_path / "parts", stop_at=2)
    parts = torch.load(train_landmarks(options, tmp_path / "parts", resume=True), weights_only=True)
    assert whole["step"] == parts["step"] == 4
    for part in ("average", "network"):
        for name, value in whole[part].items():
            assert torch.equal(value, parts[part][name]), name
    log = (tmp_path / "whole" / "log.txt").read_text().splitlines()
    assert [line.split()[0] for line in log] == ["2", "4"]
    assert "anchors" in log[0]


def test_training_learns_a_single_face(pictures: Pictures) -> None:
    """The loss falls on a batch that is shown again and again."""
    torch.manual_seed(0)
    samples = Samples(pictures, negatives=0.25, seed=0, length=8)
    batch = Batch(*(torch.stack(fields) for fields in zip(*(samples[number] for number in range(8)), strict=True)))
    network = LandmarkNet().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    first = last = 0.0
    for step in range(25):
        loss = torch.stack(list(losses(network(batch.crops), batch, Weights()).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < first - 0.5


def test_options_and_data_that_are_wrong_are_named(preset: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no options file"):
        LandmarkOptions.read(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("[schedule]\nsteps = 0\n")
    (tmp_path / "checkpoint.pth").write_bytes(b"PK\xff\xfe")
    with pytest.raises(OptionError, match="not a TOML file"):
        LandmarkOptions.read(tmp_path / "checkpoint.pth")
    with pytest.raises(OptionError, match="steps"):
        LandmarkOptions.read(tmp_path / "bad.toml")
    options = LandmarkOptions.read(preset)
    with pytest.raises(WeightsError, match="no checkpoint"):
        train_landmarks(options, tmp_path / "none", resume=True)
    (tmp_path / "faces" / "2.png").unlink()
    with pytest.raises(InputError, match=r"2\.png"):
        train_landmarks(options, tmp_path / "out")
