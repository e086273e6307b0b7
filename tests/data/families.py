"""Factories of network families whose only arguments are integers, and one whose numbers are no polynomial."""

from torch import nn
from torchvision.models import mobilenet_v2

from cnninspect.zoo.plain import UNetSmall
from cnninspect.zoo.residual import CifarResNet


def resnet(width: int = 8, blocks: int = 2):
    return CifarResNet(stem=width, widths=(width, 2 * width, 4 * width), blocks=blocks)


def mobilenet(width: int = 1):
    return mobilenet_v2(width_mult=width)


def unet(width: int = 2, depth: int = 1):
    return UNetSmall(width=width, depth=depth)


class Rounded(nn.Sequential):
    """Channels grow by one with every third step of `width`: polynomial for no power of two."""

    def __init__(self, width: int = 9):
        super().__init__(nn.Conv2d(3, width // 3, 1))


class Halved(nn.Sequential):
    """Channels that are half of `width`: 2 classes."""

    def __init__(self, width: int = 8):
        super().__init__(nn.Conv2d(3, width // 2, 1))


class Picky(nn.Sequential):
    """Refuses a width of 5."""

    def __init__(self, width: int = 3, bias: bool = True, scale: float = 1.0):
        if width == 5:
            raise ValueError("5 is taken")
        super().__init__(nn.Conv2d(3, width, 3, bias=bias))


def required(width: int):
    return nn.Conv2d(3, width, 1)
