"""Samples of normalisations."""

from tests.ops.aten.samples import OpSample, on_cpu, op

MAP, C = (2, 6, 5, 5), (6,)

SAMPLES: list[OpSample] = [
    op("native_batch_norm", MAP, C, C, C, C, False, 0.1, 1e-5),
    op("native_batch_norm", MAP, None, None, C, C, True, 0.1, 1e-5),
    op("_native_batch_norm_legit", MAP, C, C, C, C, True, 0.1, 1e-5),
    op("_native_batch_norm_legit", MAP, C, C, True, 0.1, 1e-5),
    op("_native_batch_norm_legit_functional", MAP, C, C, C, C, True, 0.1, 1e-5),
    op("_native_batch_norm_legit_no_training", MAP, C, C, C, C, 0.1, 1e-5),
    op("_batch_norm_with_update", MAP, C, C, C, C, 0.1, 1e-5),
    op("_batch_norm_no_update", MAP, C, C, C, C, 0.1, 1e-5),
    op("cudnn_batch_norm", MAP, C, C, C, C, False, 0.1, 1e-5),
    op("native_layer_norm", (2, 3, 4), [3, 4], (3, 4), (3, 4), 1e-5),
    on_cpu("native_layer_norm", (2, 3, 4), [4], None, None, 1e-5),
    op("native_group_norm", MAP, C, C, 2, 6, 25, 3, 1e-5),
    on_cpu("native_group_norm", MAP, None, None, 2, 6, 25, 2, 1e-5),
    op("renorm", MAP, 2, 1, 1.0),
    op("renorm_", MAP, 2, 1, 1.0),
    op("_weight_norm_interface", (6, 3, 3), (6, 1, 1)),
    on_cpu("_weight_norm_interface", (6, 4), (1, 4), 1),
]
