"""The loop: resumes exactly, learns, shares its work, and writes models that restore takes."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from accelerate import Accelerator

import gfpvideo
from gfpvideo.errors import OptionError, OutputError, TrainingError, WeightsError
from gfpvideo.networks.gfpgan.loading import build, read_state_dict
from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig
from gfpvideo.train import checkpoint, loop
from gfpvideo.train.confidence_options import ConfidenceOptions
from gfpvideo.train.data import AgedFaces, load_faces
from gfpvideo.train.degrade import Degradation
from gfpvideo.train.gather_options import GatherOptions
from gfpvideo.train.landmarks_options import LandmarkOptions
from gfpvideo.train.loop import Batch, component, start_from, thinned, train, untrained
from gfpvideo.train.options import Losses, Schedule, TrainOptions
from machines import wait_until

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).parent.parent.parent
TINY = GfpganConfig(size=32, style_dim=16, channel_multiplier=1, narrow=1 / 32, mlp_depth=2)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Eight different pictures of one face."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(8):
        picture = skimage.data.astronaut()[:256, 96 + 4 * number : 352 + 4 * number, ::-1]
        assert cv2.imwrite(str(folder / f"{number}.png"), np.roll(picture, number, axis=2))
    return folder


def options_for(faces: Path, **schedule: Any) -> TrainOptions:
    """Every loss that works offline, on the smallest network."""
    values: dict[str, Any] = {
        "data": {"folder": faces, "workers": 0},
        "network": TINY,
        "degradation": Degradation(film=0.3, tape=0.3),
        "losses": {"features": "efficientnet-lite0", "identity": 0.0, "gradient_penalty_every": 2},
        "discriminator": {"narrow": 1 / 32},
        "schedule": {"steps": 6, "batch": 2, "sheet_steps": 3, **schedule},
    }
    return TrainOptions.parse(values, Path("test.toml"))


def light_options_for(faces: Path) -> TrainOptions:
    """The quickest training that still has two halves of a step."""
    options = options_for(faces)
    losses = options.losses.model_copy(update={"perceptual": 0.0, "component": 0.0})
    return options.model_copy(update={"losses": losses})


def weights_of(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def test_a_resumed_training_is_bit_exact(faces: Path, tmp_path: Path) -> None:
    options = options_for(faces)
    whole = weights_of(train(options, tmp_path / "whole"))
    first = train(options, tmp_path / "parts", stop_at=3)
    assert weights_of(first)["step"] == 3
    parts = weights_of(train(options, tmp_path / "parts", resume=True))
    assert parts["step"] == whole["step"] == 6
    for group in ("params_ema", "params"):
        assert all(torch.equal(whole[group][key], parts[group][key]) for key in whole[group])
    assert whole["discriminators"].keys() == {"face", "left_eye", "right_eye", "mouth"}
    for name, state in whole["discriminators"].items():
        assert all(torch.equal(state[key], parts["discriminators"][name][key]) for key in state)
    start = Gfpgan(TINY).state_dict()
    assert any(not torch.equal(whole["params"][key], start[key]) for key in start)


def test_an_interrupt_keeps_what_was_learnt(faces: Path, tmp_path: Path) -> None:
    def interrupt(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(options_for(faces), tmp_path / "run", report=interrupt)
    assert weights_of(tmp_path / "run" / "checkpoint.pth")["step"] == 2
    assert not list((tmp_path / "run").glob("*.partial"))


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two checkpoints hold the same networks, to the bit."""
    mine, others = ({**found["discriminators"], **{name: found[name] for name in ("params", "params_ema")}}
                    for found in (one, other))  # fmt: skip
    return all(torch.equal(mine[name][key], others[name][key]) for name in mine for key in mine[name])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_within_a_step_waits_for_its_end(
    number: signal.Signals, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the generator's half of a step and the discriminators' the networks fit no step at all."""
    real, count = loop._update_average, 0

    def update_and_interrupt(*arguments: Any) -> None:
        nonlocal count
        count += 1
        real(*arguments)
        if count == 2:
            os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(loop, "_update_average", update_and_interrupt)
            with pytest.raises(KeyboardInterrupt):
                train(light_options_for(faces), tmp_path / "run")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    whole = weights_of(train(light_options_for(faces), tmp_path / "whole", stop_at=2))
    kept = weights_of(tmp_path / "run" / "checkpoint.pth")
    assert kept["step"] == whole["step"] == 2
    assert _same_weights(kept, whole)


def test_a_second_interrupt_acts_at_once_and_keeps_the_last_checkpoint(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = train(light_options_for(faces), tmp_path / "run", stop_at=1)
    before = path.read_bytes()

    def twice(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "_update_average", twice)
    monkeypatch.setattr("gfpvideo.train.interrupt._PATIENCE", -1.0)
    with pytest.raises(KeyboardInterrupt):
        train(light_options_for(faces), tmp_path / "run", resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("reconstruction", "what"),
    [
        (lambda made, _: made.mean() * float("nan"), "loss 'l1'"),
        (lambda made, _: (made - made.detach()).abs().sum().sqrt(), "gradient"),
    ],
)
def test_what_is_not_finite_ends_the_training_and_keeps_the_last_checkpoint(
    reconstruction: Any, what: str, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss, or the gradient of one that is finite: the square root at nought, for one."""
    path = train(light_options_for(faces), tmp_path / "run", stop_at=1)
    before = path.read_bytes()
    monkeypatch.setattr("gfpvideo.train.losses.reconstruction", reconstruction)
    told = f"^step 2: the {what} is not finite; the last checkpoint is kept: .*lower learning rate"
    with pytest.raises(TrainingError, match=told):
        train(light_options_for(faces), tmp_path / "run", resume=True)
    assert path.read_bytes() == before


def test_a_crash_keeps_the_last_checkpoint(faces: Path, tmp_path: Path) -> None:
    path = train(light_options_for(faces), tmp_path / "run", stop_at=1)
    before = path.read_bytes()

    def crash(step: int, _: dict[str, float]) -> None:
        raise RuntimeError(step)

    with pytest.raises(RuntimeError, match="2"):
        train(light_options_for(faces), tmp_path / "run", resume=True, report=crash)
    assert path.read_bytes() == before


def test_a_full_disk_keeps_the_last_checkpoint(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = train(light_options_for(faces), tmp_path / "run", stop_at=1)
    before = path.read_bytes()

    def full(_: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(OutputError, match=r"checkpoint\.pth: the checkpoint cannot be written \(No space left"):
        train(light_options_for(faces), tmp_path / "run", resume=True)
    assert path.read_bytes() == before
    assert not list((tmp_path / "run").glob("*.partial"))


def test_the_scale_of_half_precision_is_kept(faces: Path, tmp_path: Path) -> None:
    """It is found step by step: begun anew, the first steps of a resumed training would overflow and be skipped."""
    options, accelerator = light_options_for(faces), Accelerator()
    training = loop._prepared(loop._new_training(options), accelerator)
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    path = tmp_path / "checkpoint.pth"
    checkpoint.save(training, path, accelerator)
    accelerator.scaler = torch.amp.GradScaler("cpu")
    checkpoint.load(training, path, accelerator)
    assert accelerator.scaler.get_scale() == 4096.0


def test_one_process_trains_in_one_precision(faces: Path, tmp_path: Path) -> None:
    """Accelerate remembers the first one for as long as the process lives."""
    Accelerator()
    with pytest.raises(OptionError, match=r"schedule\.precision = 'bf16': .*already been initialized"):
        train(options_for(faces, precision="bf16"), tmp_path / "run")


def test_losses_and_sheets_are_reported(faces: Path, tmp_path: Path) -> None:
    scalars: dict[int, dict[str, float]] = {}
    sheets: list[tuple[int, torch.Size]] = []

    def sheet(step: int, batch: Batch, restored: torch.Tensor) -> None:
        sheets.append((step, restored.shape))

    train(options_for(faces), tmp_path / "run", report=scalars.__setitem__, sheet=sheet)
    assert list(scalars) == [1, 2, 3, 4, 5, 6]
    expected = {"l1", "pyramid", "perceptual", "adversarial", "mouth", "mouth_features", "face_discriminator"}
    assert expected <= scalars[2].keys()
    assert [step for step in scalars if "penalty" in scalars[step]] == [1, 3, 5]
    assert all(np.isfinite(value) for step in scalars.values() for value in step.values())
    assert sheets == [(3, torch.Size([2, 3, 32, 32])), (6, torch.Size([2, 3, 32, 32]))]


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"adversarial": 0.0}, {"adversarial", "face_discriminator"}),
        ({"component": 0.0}, {"mouth", "mouth_features", "mouth_discriminator"}),
        ({"component_features": "none"}, {"mouth_features", "left_eye_features"}),
        ({"pyramid": 0.0}, {"pyramid"}),
        ({"perceptual": 0.0}, {"perceptual", "style"}),
        ({"perceptual_style": 0.0}, {"style"}),
    ],
)
def test_ablations_switch_losses_off(change: dict[str, Any], gone: set[str], faces: Path, tmp_path: Path) -> None:
    options = options_for(faces, steps=1)
    seen: set[str] = set()
    changed = options.model_copy(update={"losses": options.losses.model_copy(update=change)})
    train(changed, tmp_path / "run", report=lambda _, scalars: seen.update(scalars))
    assert not seen & gone
    assert "l1" in seen


def test_a_checkpoint_is_a_model_file(faces: Path, tmp_path: Path) -> None:
    """Its keys are those of the published format, and restore takes it."""
    path = train(options_for(faces, steps=2), tmp_path / "run")
    state = read_state_dict(path)
    assert state.keys() == Gfpgan(TINY).state_dict().keys()
    assert build(state).config == TINY
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), skimage.data.astronaut()[:256, 96:352, ::-1])
    report = gfpvideo.restore(photo, options=gfpvideo.RestoreOptions(model=str(path), engine="torch"))
    assert report.model == "checkpoint.pth"
    assert report.faces == 1


def test_a_missing_or_misfitting_checkpoint_is_refused(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no checkpoint"):
        train(options_for(faces), tmp_path / "nothing", resume=True)
    train(options_for(faces, steps=1), tmp_path / "run")
    wider = options_for(faces).model_copy(update={"network": replace(TINY, narrow=1 / 16)})
    with pytest.raises(WeightsError, match="does not fit"):
        train(wider, tmp_path / "run", resume=True)
    for damaged in (b"", b"junk"):
        (tmp_path / "run" / "checkpoint.pth").write_bytes(damaged)
        with pytest.raises(WeightsError, match="does not fit"):
            train(options_for(faces), tmp_path / "run", resume=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the folder cannot be made"):
        train(options_for(faces, steps=1), tmp_path / "file")


def test_missing_arcface_names_the_command(faces: Path, tmp_path: Path) -> None:
    options = options_for(faces)
    wanted = options.model_copy(update={"losses": options.losses.model_copy(update={"identity": 10.0})})
    with pytest.raises(WeightsError, match="gfpvideo weights get arcface-resnet18"):
        train(wanted, tmp_path / "run")


def test_components_are_cut_out_where_the_boxes_are() -> None:
    pictures = torch.zeros(2, 3, 64, 64)
    pictures[1, :, 20:30, 40:50] = 1.0
    box = torch.tensor([40.0, 20.0, 50.0, 30.0])
    boxes = box.expand(2, 3, 4)
    cut = component(pictures, boxes, "mouth")
    assert cut.shape == (2, 3, 15, 15)
    assert float(cut[0].abs().max()) == 0
    assert float(cut[1, :, 2:-2, 2:-2].min()) == pytest.approx(1.0)


def test_a_small_network_becomes_the_start_of_a_larger_one() -> None:
    """Shared scales carry over: what the larger network makes of its 8 to 32 pixel features is the smaller one's."""
    torch.manual_seed(1)
    small = Gfpgan(TINY)
    large = Gfpgan(replace(TINY, size=64))
    fresh = start_from(large, small.state_dict())
    new, old = large.state_dict(), small.state_dict()
    for key in ("stylegan_decoder.style_convs.5.bias", "conv_body_up.2.conv1.weight", "condition_scale.2.0.weight"):
        assert torch.equal(new[key], old[key])
    for level in range(3):
        key = "conv_body_down.{}.conv2.weight"
        assert torch.equal(new[key.format(level + 1)], old[key.format(level)])
    assert all("6" in key or "7" in key or ".3." in key or "first" in key or "linear" in key or "down.0" in key
               or "noise" in key for key in fresh)  # fmt: skip


def test_a_wide_network_becomes_the_start_of_a_narrower_one_folded() -> None:
    """Channels are taken evenly out of each half, so what is modulated stays in its half; the finest scale goes."""
    torch.manual_seed(1)
    wide = Gfpgan(replace(TINY, narrow=1 / 16))
    narrow = Gfpgan(replace(TINY, narrow=3 / 64, fold=2))
    fresh = start_from(narrow, wide.state_dict())
    added = "stylegan_decoder.to_pixels"
    assert fresh == ["conv_body_first.weight", f"{added}.bias", f"{added}.weight"]
    bias, kept = "stylegan_decoder.style_convs.1.bias", [i for i in range(32) if i % 4 != 3]
    assert torch.equal(narrow.state_dict()[bias], wide.state_dict()[bias][:, kept])
    codes = "final_linear.bias"
    assert torch.equal(narrow.state_dict()[codes], wide.state_dict()[codes][: len(narrow.state_dict()[codes])])


def test_a_start_of_another_kind_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"start: holds no final_linear\.weight: not a GFP-GAN"):
        start_from(Gfpgan(TINY), {"conv.weight": torch.zeros(3, 3, 3, 3)})


def test_wrong_settings_are_called_as_in_the_file(tmp_path: Path) -> None:
    preset = tmp_path / "wrong.toml"
    preset.write_text("[data]\nfolder = '.'\n[schedule]\nlearning_rate = 'fast'\n")
    with pytest.raises(OptionError, match=r"wrong\.toml: option schedule\.learning_rate = 'fast'"):
        TrainOptions.read(preset)


def test_weights_that_lack_channels_are_not_taken() -> None:
    assert thinned(torch.zeros(8, 4, 3, 3), (6, 4, 1, 1)) is None
    assert thinned(torch.zeros(8, 4, 3, 3), (16, 4, 3, 3)) is None
    assert thinned(torch.zeros(8, 4), (8, 4, 1)) is None


def test_shipped_settings_are_valid() -> None:
    paths = sorted((ROOT / "training").glob("*.toml"))
    tables = {"confidence": ConfidenceOptions, "gather": GatherOptions, "landmarks": LandmarkOptions}
    names = [
        "compact",
        "compact_fast",
        "compact_finish",
        "compact_further",
        "confidence",
        "gather",
        "gfpgan_512",
        "landmarks",
    ]
    assert [path.stem for path in paths] == names
    for path in paths:
        assert tables.get(path.stem, TrainOptions).read(path).schedule.steps > 0


@pytest.mark.parametrize("modulation", ["full", "none"])
def test_ablations_of_the_modulation_train_and_load(modulation: Any, faces: Path, tmp_path: Path) -> None:
    network = replace(TINY, modulation=modulation)
    options = options_for(faces, steps=1).model_copy(update={"network": network})
    state = read_state_dict(train(options, tmp_path / "run"))
    assert any(key.startswith("condition_") for key in state) == (modulation == "full")
    assert build(state).config == network


def test_without_modulation_only_the_code_matters() -> None:
    torch.manual_seed(2)
    network = Gfpgan(replace(TINY, modulation="none"))
    encoded = network.encode(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert encoded.scales == encoded.shifts == []
    one, other = network.stylegan_decoder(encoded.w[:1].expand(2, -1, -1), [], [])
    assert torch.equal(one, other)


def test_a_frozen_prior_keeps_its_weights_and_the_rest_learns(faces: Path, tmp_path: Path) -> None:
    network = replace(TINY, variant="original")
    prior = {key: value.clone() for key, value in Gfpgan(network).stylegan_decoder.state_dict().items()}
    torch.save({"params_ema": prior}, tmp_path / "stylegan2.pth")
    change = {"network": network, "prior": str(tmp_path / "stylegan2.pth"), "freeze_prior": True}
    trained = weights_of(train(options_for(faces, steps=2).model_copy(update=change), tmp_path / "run"))["params"]
    assert all(torch.equal(trained[f"stylegan_decoder.{key}"], value) for key, value in prior.items())
    again = weights_of(train(options_for(faces, steps=1).model_copy(update=change), tmp_path / "other"))["params"]
    assert not torch.equal(trained["final_linear.weight"], again["final_linear.weight"])


def test_a_prior_of_another_shape_or_not_installed_is_refused(faces: Path, tmp_path: Path) -> None:
    torch.save({"params_ema": {"constant_input.weight": torch.zeros(1, 4, 4, 4)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not a StyleGAN2 of the prior's shape"):
        train(options_for(faces).model_copy(update={"prior": str(tmp_path / "other.pth")}), tmp_path / "run")
    named = options_for(faces).model_copy(update={"prior": "stylegan2-ffhq-512-cmul1"})
    with pytest.raises(WeightsError, match="gfpvideo weights get stylegan2-ffhq-512-cmul1"):
        train(named, tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "data"),
        ("[data]\nfolder = 'x'\n[losses]\nbeauty = 3\n", "losses.beauty"),
        ("[data]\nfolder = 'x'\n[schedule]\nbatch = 0\n", "schedule.batch"),
        ("[data\n", "not a TOML file"),
    ],
)
def test_wrong_options_are_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=words) as caught:
        TrainOptions.read(path)
    assert "\n" not in str(caught.value)


def test_the_papers_weights_are_the_defaults() -> None:
    """Section 4.1 and the published settings."""
    weights, schedule = Losses(), Schedule()
    assert (weights.l1, weights.perceptual, weights.adversarial) == (0.1, 1.0, 0.1)
    assert (weights.component, weights.component_style, weights.identity) == (1.0, 200.0, 10.0)
    assert (schedule.batch, schedule.learning_rate, schedule.halve_at) == (12, 2e-3, (700_000, 750_000))


@pytest.mark.slow
def test_one_batch_of_eight_faces_is_learnt_by_heart(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 1100
    options = options_for(faces, steps=steps, batch=8, learning_rate=1e-3, sheet_steps=10_000, cosine=True, clip=0.5)
    alone = {
        "network": replace(TINY, narrow=1 / 8, style_dim=32),
        "losses": Losses(l1=1.0, perceptual=0.0, pyramid=0.0, adversarial=0.0, component=0.0, identity=0.0),
    }
    data = AgedFaces(load_faces(faces, 32), Degradation(grey=0.0, jitter=0.0), seed=0, length=8)
    aged, clean, boxes = (torch.stack(parts) for parts in zip(*(data[index] for index in range(8)), strict=True))
    monkeypatch.setattr(loop, "_batches", lambda *_: iter([(aged, clean, boxes)] * steps))
    seen: dict[int, dict[str, float]] = {}
    train(options.model_copy(update=alone), tmp_path / "run", report=seen.__setitem__)
    assert seen[1]["l1"] > 0.1
    assert seen[steps]["l1"] < 0.02


TWO_PROCESSES = """
import sys, torch
from pathlib import Path
from gfpvideo.train.loop import train
from gfpvideo.train.options import TrainOptions
train(TrainOptions.read(Path(sys.argv[1])), Path(sys.argv[2]))
"""

MANY_STEPS = """
import os, signal, sys, torch
from pathlib import Path
from gfpvideo.train import loop
from gfpvideo.train.monitor import train_with_monitor
from gfpvideo.train.options import TrainOptions

folder = Path(sys.argv[2])
folder.mkdir(exist_ok=True)
real = loop._step

def step(training, batch, options, accelerator, critics):
    scalars = real(training, batch, options, accelerator, critics)
    rank = accelerator.process_index
    if training.step == 4:
        networks = [training.generator, training.average, training.discriminators]
        torch.save([list(network.state_dict().values()) for network in networks], folder / f"rank{rank}.pth")
        if rank == 1:
            os.kill(os.getpid(), signal.SIGINT)
    return scalars

loop._step = step
try:
    train_with_monitor(TrainOptions.read(Path(sys.argv[1])), folder, resume=False)
except KeyboardInterrupt:
    (folder / f"interrupted{os.environ['RANK']}").touch()
"""


def _ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each process wrote to standard error, once all have ended well."""
    try:
        errors = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(errors)[-3000:]
    return errors


@pytest.mark.slow
def test_two_processes_stay_together_over_many_steps(faces: Path, tmp_path: Path) -> None:
    """All parameters' gradients are waited for, in every step, also those after the pyramid loss has ended.

    One process is interrupted in step 4: both stop there, with the same weights, and one alone has written files.
    """
    preset, script, folder = tmp_path / "train.toml", tmp_path / "script.py", tmp_path / "run"
    preset.write_text(
        f"[data]\nfolder = '{faces}'\nworkers = 0\n"
        "[network]\nsize = 32\nstyle_dim = 16\nchannel_multiplier = 1\nnarrow = 0.03125\nmlp_depth = 2\n"
        "[losses]\nperceptual = 0.0\nidentity = 0.0\ncomponent = 0.0\npyramid_steps = 2\ngradient_penalty_every = 2\n"
        "[discriminator]\nnarrow = 0.03125\n[schedule]\nsteps = 100\nbatch = 4\nsheet_steps = 3\n"
    )
    script.write_text(MANY_STEPS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    _ended([
        subprocess.Popen(
            [sys.executable, str(script), str(preset), str(folder)], stderr=subprocess.PIPE, text=True,
            env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
        )
        for rank in ("0", "1")
    ])  # fmt: skip
    one, other = (torch.load(folder / f"rank{rank}.pth", weights_only=True) for rank in (0, 1))
    assert [len(network) > 10 for network in one] == [True] * 3
    assert all(torch.equal(a, b) for mine, others in zip(one, other, strict=True)
               for a, b in zip(mine, others, strict=True))  # fmt: skip
    assert weights_of(folder / "checkpoint.pth")["step"] == 4
    assert len(list((folder / "log").iterdir())) == 1
    names = {"checkpoint.pth", "interrupted0", "interrupted1", "log", "rank0.pth", "rank1.pth", "sheet-0000003.png"}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.slow
def test_a_signal_to_the_whole_group_keeps_what_was_learnt(faces: Path, tmp_path: Path) -> None:
    """Service managers and `timeout` send SIGTERM to all processes: who prepares the data must not die of it."""
    preset, folder = tmp_path / "train.toml", tmp_path / "run"
    preset.write_text(
        f"[data]\nfolder = '{faces}'\nworkers = 1\n"
        "[network]\nsize = 32\nstyle_dim = 16\nchannel_multiplier = 1\nnarrow = 0.03125\nmlp_depth = 2\n"
        "[losses]\nperceptual = 0.0\nidentity = 0.0\ncomponent = 0.0\nadversarial = 0.0\n"
        "[schedule]\nsteps = 100000\nbatch = 2\nsheet_steps = 3\n"
    )
    command = [sys.executable, "-m", "gfpvideo", "train", "run", str(preset), "-o", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        wait_until(lambda: (folder / "sheet-0000003.png").is_file(), 120)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors[-3000:]
    assert f"gfpvideo: interrupted; {folder / 'checkpoint.pth'} is kept: go on with --resume\n" in errors
    assert weights_of(folder / "checkpoint.pth")["step"] >= 3


BROKEN_DATA = """
from torch.utils.data import DataLoader, Dataset
from gfpvideo.train.interrupt import ignore_interrupts

class Broken(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise ValueError("broken")

kept = iter(DataLoader(Broken(), num_workers=1, worker_init_fn=ignore_interrupts))
try:
    next(kept)
except ValueError:
    print("seen")
"""


@pytest.mark.slow
def test_a_training_ends_where_its_data_are_broken() -> None:
    """Python takes its children down in the end, and waits for them."""
    done = subprocess.run([sys.executable, "-c", BROKEN_DATA], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "seen\n"


def test_a_training_that_is_there_is_not_begun_anew(faces: Path, tmp_path: Path) -> None:
    path = train(light_options_for(faces), tmp_path / "run", stop_at=1)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="a training was here; --resume goes on with it"):
        train(light_options_for(faces), tmp_path / "run")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("losses", "network", "expected"),
    [
        ({}, TINY, {"style_mlp"}),
        ({"pyramid": 0.0}, TINY, {"style_mlp", "toRGB"}),
        ({"pyramid": 0.0}, replace(TINY, modulation="none"), {"style_mlp", "toRGB", "conv_body_up"}),
    ],
)
def test_what_no_loss_depends_on_is_found(
    losses: dict[str, float], network: GfpganConfig, expected: set[str], faces: Path
) -> None:
    options = options_for(faces)
    changed = {"losses": options.losses.model_copy(update=losses), "network": network}
    names = untrained(options.model_copy(update=changed))
    assert {name.removeprefix("stylegan_decoder.").split(".")[0] for name in names} == expected


@pytest.mark.slow
def test_two_processes_learn_what_one_does(faces: Path, tmp_path: Path) -> None:
    """Gradients of two half batches, averaged, are the gradient of the whole one: after a step the weights agree.

    All with one thread: more of them add up in another order, and a rectifier or the sign in L1 may fall the other way.
    """
    preset = tmp_path / "train.toml"
    preset.write_text(
        f"[data]\nfolder = '{faces}'\nworkers = 0\n"
        "[network]\nsize = 32\nstyle_dim = 16\nchannel_multiplier = 1\nnarrow = 0.03125\nmlp_depth = 2\n"
        "[losses]\nl1 = 1.0\nfeatures = 'efficientnet-lite0'\nidentity = 0.0\nadversarial = 0.0\ncomponent = 0.0\n"
        "[schedule]\nsteps = 1\nbatch = 4\n"
    )
    script = tmp_path / "script.py"
    script.write_text(TWO_PROCESSES)
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", str(script), str(preset)]
    done = subprocess.run([*launch, str(tmp_path / "two")], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    two = weights_of(tmp_path / "two" / "checkpoint.pth")
    alone = [sys.executable, str(script), str(preset), str(tmp_path / "one")]
    subprocess.run(alone, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True, timeout=300)
    one = weights_of(tmp_path / "one" / "checkpoint.pth")
    moved = 0.0
    for key, state in one["generator_optimizer"]["state"].items():
        other = two["generator_optimizer"]["state"][key]["exp_avg_sq"]
        scale = max(float(state["exp_avg_sq"].abs().max()), 1e-12)
        assert float((state["exp_avg_sq"] - other).abs().max()) < 1e-3 * scale
        moved += scale
    assert moved > 0
