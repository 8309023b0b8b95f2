"""`gfpvideo evaluate landmarks`: the pictures that are shown, the errors that are counted, and the command."""

import json
import math
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.evaluate import landmarks
from gfpvideo.evaluate.landmarks import (
    Damage,
    LandmarkScores,
    Shown,
    aged_face,
    anchor_error,
    class_of_yaw,
    to_ours,
    trembling,
)
from gfpvideo.networks.landmark_net import LandmarkNet
from gfpvideo.networks.landmarks import LANDMARKS_512, POINTS, Rough, anchors
from gfpvideo.pixels.geometry import face_size


def mesh_with(points: np.ndarray) -> np.ndarray:
    """Our points (N, 2), whose anchors are ``points`` (5, 2)."""
    mesh = np.zeros((POINTS, 2))
    for place in range(POINTS):
        probe = np.zeros((POINTS, 1))
        probe[place] = 1
        counted = anchors(probe)[:, 0]
        if counted.any():
            mesh[place] = points[int(counted.argmax())]
    return mesh


def test_anchors_of_a_detector_are_moved_to_where_ours_lie() -> None:
    other = LANDMARKS_512 + np.array([[-3.0, 1.0], [3, 1], [0, 5], [2, 4], [-2, 4]])
    angle = np.radians(20)
    turn = 0.25 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = to_ours(other @ turn.T + [7, 9], other)
    assert np.allclose(moved, LANDMARKS_512 @ turn.T + [7, 9], atol=0.1)


def test_errors_are_shares_of_the_eye_distance() -> None:
    mesh = mesh_with(LANDMARKS_512)
    assert np.allclose(anchors(mesh), LANDMARKS_512)
    eyes = np.linalg.norm(LANDMARKS_512[1] - LANDMARKS_512[0])
    assert anchor_error(LANDMARKS_512 + np.array([0.1 * eyes, 0]), mesh) == pytest.approx(0.1)
    assert anchor_error(LANDMARKS_512 + np.array([2 * eyes, 0]), mesh) is None
    assert anchor_error(None, mesh) is None


@pytest.mark.parametrize("largest", [0.0, 45.0])
def test_an_aged_face_has_the_size_asked_for_and_its_points_move_along(largest: float) -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    for x, y in LANDMARKS_512.round().astype(int).tolist():
        cv2.circle(picture, (x, y), 14, (255, 255, 255), -1)
    random = np.random.default_rng(0)
    shown = aged_face(picture, mesh_with(LANDMARKS_512), 40, largest, random)
    found = anchors(shown.mesh)
    assert face_size(found) == pytest.approx(40)
    for x, y in found.round().astype(int).tolist():
        assert shown.rgb[y, x].mean() > 150
    assert shown.rgb.mean() < 60
    assert abs(shown.rough.size / (shown.mesh.max(0) - shown.mesh.min(0)).max() - 1) < 0.6
    tilt = np.degrees(np.arctan2(*(found[1] - found[0])[::-1]))
    assert abs(tilt) < 0.5 if largest == 0 else 5 < abs(tilt) <= 45.5


@pytest.mark.parametrize("damage", get_args(Damage))
def test_each_damage_harms_a_face_in_its_place(damage: Damage) -> None:
    """From the same random numbers always the same, the points where they are without it; and clearly worse."""
    picture = skimage.data.astronaut()[:256, 96:352]
    mesh = mesh_with(LANDMARKS_512 * 0.2 + [75, 55])
    one, other = (aged_face(picture, mesh, 30, 0.0, np.random.default_rng(4), damage) for _ in range(2))
    usual = aged_face(picture, mesh, 30, 0.0, np.random.default_rng(4))
    assert np.array_equal(one.rgb, other.rgb)
    assert np.array_equal(one.mesh, usual.mesh)
    assert (damage == "compressed") == np.array_equal(one.rgb, usual.rgb)
    side = len(usual.rgb)
    whole = round(side / 1.3)
    clean = cv2.resize(picture, (whole, whole), interpolation=cv2.INTER_AREA).astype(float)
    start = (side - whole) // 2
    inner = one.rgb[start : start + whole, start : start + whole].astype(float)
    assert 4 < np.abs(inner - clean).mean() < 60
    assert np.corrcoef(inner.ravel(), clean.ravel())[0, 1] > 0.7


def test_trembling_is_the_noise_of_a_frame() -> None:
    random = np.random.default_rng(0)
    mesh = mesh_with(LANDMARKS_512)
    eyes = float(np.linalg.norm(LANDMARKS_512[1] - LANDMARKS_512[0]))
    shown = [Shown(np.zeros((2, 2, 3), np.uint8), mesh + 3 * number, Rough(np.zeros(2), 1.0)) for number in range(400)]
    noisy = trembling(lambda one: anchors(one.mesh) + random.normal(0, 0.02 * eyes, (5, 2)) + 4, shown)
    assert noisy == pytest.approx(0.02, rel=0.1)
    assert trembling(lambda one: anchors(one.mesh) + 4, shown) == pytest.approx(0, abs=1e-9)
    assert math.isnan(trembling(lambda _: None, shown))


def test_misses_are_counted_apart_from_errors() -> None:
    scores = LandmarkScores()
    for error in (0.1, 0.3, None, None):
        scores.add("some", ["12 px"], error)
    assert scores.figures("some", "12 px") == {"error": pytest.approx(0.2), "missed": 0.5, "faces": 4}
    assert "0.2000" in scores.table()
    assert "50.0 %" in scores.table()
    scores.add("none", ["12 px"], None)
    assert json.loads(scores.as_json())["none"]["12 px"]["error"] is None


def test_yaws_fall_into_classes() -> None:
    assert [class_of_yaw(np.radians(yaw)) for yaw in (-14, 20, -80)] == ["yaw 0-15", "yaw 15-30", "yaw 30-90"]


@pytest.mark.slow
def test_the_command_measures_every_finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = LandmarkNet()
    network.canonical.copy_(torch.randn(POINTS, 3))
    save_file(network.state_dict(), tmp_path / "random.safetensors")
    picture = skimage.data.astronaut()[:256, 96:352, ::-1]
    assert cv2.imwrite(str(tmp_path / "1.png"), picture)
    mesh = np.random.default_rng(0).normal(128, 30, (1, 478, 3))
    np.savez(tmp_path / "labels.npz", names=np.array(["1.png"]), points=mesh)
    command = ["evaluate", "landmarks", str(tmp_path), "--labels", str(tmp_path / "labels.npz")]
    command += ["--network", str(tmp_path / "random.safetensors")]
    result = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out.json").read_text())
    assert set(figures) == {"centerface", "ours, rough face", "ours, twice", "ours, on centerface"}
    assert figures["centerface"]["12 px, upright"]["faces"] == 1
    aged: list[str] = []
    monkeypatch.setattr(landmarks, "aged_face", lambda *how: aged.append(how[-1]) or aged_face(*how))
    assert CliRunner().invoke(app, [*command, "--damage", "film"]).exit_code == 0
    assert set(aged) == {"film"}
    assert CliRunner().invoke(app, [*command, "--damage", "mould"]).exit_code == 2
    refused = CliRunner().invoke(app, [*command, "--first", "7", "--last", "9"])
    assert refused.exit_code == 2
    assert "none of the pictures" in refused.output + refused.stderr
