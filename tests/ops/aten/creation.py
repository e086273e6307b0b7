"""Samples of new tensors; those made from no tensor say where."""

from tests.ops.aten.samples import OpSample, on_cpu, op

X = (2, 3, 4)
META = {"device": "meta"}
SIZE = [5, 7]

SAMPLES: list[OpSample] = [
    *(op(name, SIZE, **META) for name in ("empty", "zeros", "ones", "rand", "randn")),
    op("full", SIZE, 1.5, **META),
    op("empty_strided", SIZE, [7, 1], **META),
    op("empty_permuted", SIZE, [1, 0], **META),
    op("randint", 9, SIZE, **META),
    op("randint", 3, 9, SIZE, **META),
    *(op(f"{name}_like", X) for name in ("empty", "zeros", "ones", "rand", "randn")),
    op("full_like", X, 1.5),
    op("randint_like", X, 9),
    *(op(f"new_{name}", X, SIZE) for name in ("zeros", "ones", "empty")),
    op("new_full", X, SIZE, 1.5),
    op("new_empty_strided", X, SIZE, [7, 1]),
    *(op(name, X) for name in ("zero", "zero_")),
    *(op(name, X, 1.5) for name in ("fill", "fill_")),
    op("scalar_tensor", 2.5, **META),
    op("arange", 7, **META),
    op("arange", 2, 7, **META),
    op("arange", 2, 9, 3, **META),
    op("arange", 1.0, -1.0, -0.3, **META),
    op("range", 1, 7, 2, **META),
    op("range", 0, 1.0, 0.3, **META),
    op("linspace", 0, 1, 9, **META),
    op("linspace", (), 1, steps=9),
    op("logspace", 0, 1, 9, **META),
    op("eye", 4, **META),
    op("eye", 4, 6, **META),
    *(on_cpu(f"{name}_window", 9) for name in ("hann", "hamming", "blackman", "kaiser", "bartlett")),
    on_cpu("hann_window", 9, False),
    op("randperm", 9, **META),
    on_cpu("fft_fftfreq", 9),
    op("_efficientzerotensor", [2, 3], **META),
    op("_new_zeros_with_same_feature_meta", (4, 5), (2, 3)),
    op("_new_zeros_with_same_feature_meta", (4, 5), (2, 3), self_num_batch_dims=1),
    on_cpu("fft_rfftfreq", 9, 0.5),
    op("tril_indices", 4, 6, **META),
    op("tril_indices", 4, 6, -2, **META),
    op("tril_indices", 6, 3, 1, **META),
    op("triu_indices", 4, 6, **META),
    op("triu_indices", 6, 3, -2, **META),
    op("triu_indices", 4, 6, 3, **META),
    *(
        op(f"{name}_", X)
        for name in ("normal", "uniform", "exponential", "random", "cauchy", "log_normal", "bernoulli")
    ),
    op("geometric_", X, 0.5),
    op("bernoulli", X),
    op("bernoulli", X, 0.5),
    on_cpu("poisson", X),
    op("normal", X, 1.0),
    op("normal", 0.0, (4,)),
    op("normal", (3, 1), (4,)),
    op("normal", 0.0, 1.0, SIZE, **META),
    on_cpu("binomial", X, X),
    op("multinomial", (5, 9), 3),
    on_cpu("multinomial", (9,), 3, True),
]
