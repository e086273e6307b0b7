"""torch's counter, row by row, against FlopCounterMode run on its own."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.measure.torch_flops import torch_macs
from cnninspect.report.quantities import flops_from_macs
from tests.measure.models import FAMILIES, meta_run


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_sum_to_what_flop_counter_mode_says(family: str) -> None:
    """Oracle: FlopCounterMode.get_total_flops() of the same model on meta."""
    run = meta_run(family)
    with FlopCounterMode(display=False) as mode, torch.no_grad():
        run.model(*run.args)
    counts = torch_macs(run)
    assert flops_from_macs(sum(count.value or 0 for count in counts)) == mode.get_total_flops() > 0
