"""What every face detector must do; and how well the one that ships does it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from facexlib.detection.retinaface import RetinaFace

from gfpvideo.errors import WeightsError
from gfpvideo.faces.align import FFHQ_512
from gfpvideo.faces.detect import detect_upright, quarter_turns, turned_back
from gfpvideo.faces.detectors.centerface import CenterFace
from gfpvideo.faces.detectors.detector import Detector, best_of_overlapping, intersection_over_union
from gfpvideo.faces.detectors.retinaface import RetinaFaceDetector
from gfpvideo.faces.smooth import face_size
from gfpvideo.frames import Detection
from gfpvideo.pixels.geometry import similarity_transform
from helpers import scale_of

EYES = np.array([[204.5, 101.5], [248.0, 102.5]])
"""Where the eyes are in the portrait, read off the picture, pixels."""


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """BGR."""
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="module", params=["centerface", "retinaface"])
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Each detector; RetinaFace with random weights, for its published ones cannot be had here."""
    if request.param == "centerface":
        return CenterFace(0.5)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "retinaface.pth"
    network = RetinaFace(network_name="resnet50", half=False, device=torch.device("cpu"))
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, path)
    return RetinaFaceDetector(path, 0.5)


def test_a_folder_of_many_sizes_is_not_all_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled for 12 megapixels it takes a quarter of a gigabyte, and each scan may be cropped otherwise."""
    made: list[tuple[int, int]] = []
    compiled = CenterFace._compiled

    def noted(self: CenterFace, height: int, width: int) -> object:
        made.append((height, width))
        return compiled(self, height, width)

    monkeypatch.setattr(CenterFace, "_compiled", noted)
    detector = CenterFace(0.5)
    for height, width in [(64, 96), (96, 64)] * 2 + [(64, 64), (96, 96), (64, 96)]:
        detector.detect([np.zeros((height, width, 3), np.uint8)])
    assert made == [(64, 96), (96, 64), (64, 64), (96, 96), (64, 96)]


def test_the_interface_is_kept(detector: Detector, portrait: np.ndarray) -> None:
    small = np.ascontiguousarray(portrait[:200, 100:330])
    before = small.copy()
    found = detector.detect([small, small[::-1].copy()])
    assert len(found) == 2
    assert detector.landmarks_512.shape == (5, 2)
    assert np.array_equal(small, before)
    for detections in found:
        scores = [detection.score for detection in detections]
        assert scores == sorted(scores, reverse=True)
        for detection in detections:
            assert detection.landmarks.shape == (5, 2)
            assert detection.landmarks.dtype == np.float64
            assert detection.box.shape == (4,)
            assert 0.5 <= detection.score <= 1


def test_a_batch_equals_single_pictures(detector: Detector, portrait: np.ndarray) -> None:
    pictures = [np.ascontiguousarray(portrait[:160, shift : shift + 200]) for shift in (100, 120)]
    together = detector.detect(pictures)
    alone = [detector.detect([picture])[0] for picture in pictures]
    for a, b in zip(together, alone, strict=True):
        assert [x.score for x in a] == [x.score for x in b]
        assert all(np.array_equal(x.landmarks, y.landmarks) for x, y in zip(a, b, strict=True))


def test_centerface_finds_the_portrait(portrait: np.ndarray) -> None:
    (found,) = CenterFace(0.5).detect([portrait])
    assert len(found) == 1
    assert np.abs(found[0].landmarks[:2] - EYES).max() < 5
    nose, mouth = found[0].landmarks[2], found[0].landmarks[3:]
    assert EYES[0, 0] < nose[0] < EYES[1, 0]
    assert EYES[0, 1] < nose[1] < mouth[:, 1].min()
    assert mouth[0, 0] < mouth[1, 0]


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (13, 7), (31, 22)])
def test_centerface_moves_with_the_picture(shift: tuple[int, int], portrait: np.ndarray) -> None:
    """Sides that are no multiple of the network's stride must not shift the coordinates."""
    (reference,) = CenterFace(0.5).detect([portrait])
    x, y = shift
    (found,) = CenterFace(0.5).detect([np.ascontiguousarray(portrait[y:, x:])])
    assert np.abs(found[0].landmarks + shift - reference[0].landmarks).max() < 0.1 * face_size(reference[0].landmarks)


def test_centerface_finds_small_faces(portrait: np.ndarray) -> None:
    for side in (256, 128, 96):
        small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        (found,) = CenterFace(0.5).detect([np.asarray(small, np.uint8)])
        assert len(found) == 1
        expected = (EYES + 0.5) * side / 512 - 0.5
        assert np.abs(found[0].landmarks[:2] - expected).max() < 2.0


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_faces_on_their_side_are_found_as_well_as_upright_ones(turns: int, portrait: np.ndarray) -> None:
    """Turned by quarters, the portrait's landmarks must turn with it: the detector alone is off by many pixels."""
    detector = CenterFace(0.3)
    picture = np.ascontiguousarray(portrait[:300])
    (upright,) = detector.detect([picture])
    lying = np.ascontiguousarray(np.rot90(picture, -turns))
    found = detect_upright(detector, lying)
    assert quarter_turns(found[0]) == turns
    if turns:
        back = turned_back(upright[0], turns, lying)
        assert np.abs(found[0].landmarks - back.landmarks).max() < 2.0
        assert np.abs(found[0].box - back.box).max() < 4.0
    else:
        assert np.array_equal(found[0].landmarks, upright[0].landmarks)


def test_nothing_is_found_in_texture(rng: np.random.Generator) -> None:
    noise = rng.integers(0, 255, (240, 320, 3)).astype(np.uint8)
    blocks = rng.integers(0, 255, (15, 20, 3)).astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    assert CenterFace(0.3).detect([noise, blocks]) == [[], []]


@pytest.mark.slow
def test_aligned_faces_are_aligned(aligned_faces: Path) -> None:
    """On held-out aligned faces the transform to the detector's own template is nearly the identity."""
    detector = CenterFace(0.5)
    scales, plain_scales, shifts = [], [], []
    for number in range(901, 1001, 2):
        picture = cv2.resize(cv2.imread(str(aligned_faces / f"{number}.jpg")), (256, 256), interpolation=cv2.INTER_AREA)  # type: ignore[arg-type]
        (found,) = detector.detect([np.asarray(picture, np.uint8)])
        assert found, f"{number}.jpg: no face found"
        landmarks = (found[0].landmarks + 0.5) * 2 - 0.5
        transform = similarity_transform(landmarks, detector.landmarks_512)
        scales.append(scale_of(transform))
        plain_scales.append(scale_of(similarity_transform(landmarks, FFHQ_512)))
        shifts.append(transform[:, :2] @ [256.0, 300.0] + transform[:, 2] - [256.0, 300.0])
    assert abs(np.mean(scales) - 1) < min(0.04, abs(np.mean(plain_scales) - 1))
    assert np.std(scales) < 0.07
    assert np.abs(np.mean(shifts, axis=0)).max() < 3


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "retinaface.pth"
    torch.save({"conv.weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="not the weights of RetinaFace"):
        RetinaFaceDetector(path, 0.5)


def _box(left: float, top: float, right: float, bottom: float, score: float) -> Detection:
    return Detection(np.zeros((5, 2)), np.array([left, top, right, bottom]), score)


def test_the_best_of_overlapping_boxes_is_kept() -> None:
    boxes = [_box(0, 0, 10, 10, 0.6), _box(1, 1, 11, 11, 0.9), _box(20, 0, 30, 10, 0.7)]
    assert [kept.score for kept in best_of_overlapping(boxes, 0.3)] == [0.9, 0.7]
    assert intersection_over_union(boxes[0].box, boxes[1].box) == pytest.approx(81 / 119)
    assert intersection_over_union(boxes[0].box, boxes[2].box) == 0


def test_scaling_keeps_pixel_centres() -> None:
    """The centre of the last pixel of a row of 10 is that of the last of 20, two pixels for one."""
    face = Detection(np.full((5, 2), 9.0), np.array([-0.5, -0.5, 9.5, 9.5]), 1.0)
    scaled = face.scaled((2.0, 3.0))
    assert np.allclose(scaled.landmarks, [18.5, 28.0])
    assert np.allclose(scaled.box, [-0.5, -0.5, 19.5, 29.5])
