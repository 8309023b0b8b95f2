"""ArcFace (Deng et al., CVPR 2019) with a ResNet-18 on grey 128x128 faces: who somebody is, as a vector."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from gfpvideo.errors import WeightsError
from gfpvideo.networks.device import choose_device
from gfpvideo.networks.gfpgan.loading import read_state_dict

_GREY = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue that the published training uses."""
_SIZE = 128


class IdentityBlock(nn.Module):
    """Residual block with a batch normalisation before its first convolution and one shared PReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) features in, at the block's stride out."""
        inner = self.prelu(self.bn1(self.conv1(self.bn0(x))))
        inner = self.bn2(self.conv2(inner))
        return self.prelu(inner + (x if self.downsample is None else self.downsample(x)))


class ArcFace(nn.Module):
    """(B, 1, 128, 128) grey faces to (B, 512) embeddings; compare them by their angle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.layer1 = _layer(64, 64, 1)
        self.layer2 = _layer(64, 128, 2)
        self.layer3 = _layer(128, 256, 2)
        self.layer4 = _layer(256, 512, 2)
        self.bn4 = nn.BatchNorm2d(512)
        self.fc5 = nn.Linear(512 * 8 * 8, 512)
        self.bn5 = nn.BatchNorm1d(512)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings of grey faces in [-1, 1]."""
        x = F.max_pool2d(self.prelu(self.bn1(self.conv1(x))), 2)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.bn5(self.fc5(self.bn4(x).flatten(1)))


def _layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(IdentityBlock(in_channels, out_channels, stride), IdentityBlock(out_channels, out_channels, 1))


def grey_faces(crops: Tensor) -> Tensor:
    """(B, 1, 128, 128) grey faces from (B, 3, S, S) RGB crops, as ArcFace wants them."""
    weights = torch.tensor(_GREY, dtype=crops.dtype, device=crops.device)
    grey = (crops * weights[:, None, None]).sum(dim=1, keepdim=True)
    return F.interpolate(grey, (_SIZE, _SIZE), mode="bilinear", align_corners=False)


def embeddings(network: ArcFace, crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, 512) vectors of (B, 3, S, S) RGB crops in [-1, 1], computed where the network is."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        return network(grey_faces(torch.from_numpy(crops).to(device))).cpu().numpy()


def load_arcface(path: Path, device: str = "cpu") -> ArcFace:
    """The frozen network of a published weight file.

    Raises:
        WeightsError: if the file is missing or holds something else.
        EngineError: if the device is not to be had here.
    """
    chosen = choose_device(device)
    network = ArcFace()
    state = {key.removeprefix("module."): value for key, value in read_state_dict(path).items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: not the weights of ArcFace (ResNet-18)") from error
    return network.to(chosen).eval().requires_grad_(False)
