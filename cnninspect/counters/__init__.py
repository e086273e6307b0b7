"""The measured side: independent counters, each registered in a file of its own."""

from cnninspect.counters import fvcore_flops as fvcore_flops
from cnninspect.counters import torch_flops as torch_flops
from cnninspect.counters.base import count as count
