"""The files of formulas, one per family of layers; importing one registers what it knows."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "convolution",
    "linear",
    "pooling",
    "adaptive_pooling",
    "normalization",
    "activation",
    "passing",
    "constants",
    "shaping",
    "upsampling",
    "recurrent",
    "attention",
    "matmul",
    "joining",
    "aten.views",
    "aten.movement",
    "aten.indexing",
    "aten.reductions",
    "aten.norms",
    "aten.creation",
    "aten.spatial",
    "aten.linalg",
    "aten.fourier",
    "aten.elementwise",
    "aten.detection",
)


def load() -> None:
    """Register every family's formulas."""
    for name in FAMILIES:
        import_module(f"cnninspect.ops.{name}")
