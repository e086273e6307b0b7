"""What a report says beside its numbers."""

import torch.nn.functional as F

from cnninspect import inspect_model


def test_a_call_of_the_model_s_own_forward_has_a_name_in_notes():
    report = inspect_model(lambda x: F.adaptive_avg_pool2d(x, 1), input_shape=(1, 3, 8, 8), probe=True)
    assert "fvcore counts average pooling: 1 row (the root)." in report.notes
