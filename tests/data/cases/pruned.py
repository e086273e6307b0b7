"""Half of the first layer is masked. Expected: 808 parameters, of which 108 are zero by the mask, said somewhere."""

from torch import nn
from torch.nn.utils import prune


def make():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    prune.random_unstructured(net[0], "weight", 0.5)
    return net
