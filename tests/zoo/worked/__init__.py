"""Hand calculations of the zoo's networks, one file per family."""

from tests.zoo.worked import (
    cifar,
    ciresan,
    classifiers,
    colourisation,
    kernels,
    small,
    three_layer,
    upsampling,
)

EXAMPLES = (
    *classifiers.EXAMPLES,
    *small.EXAMPLES,
    *colourisation.EXAMPLES,
    *ciresan.EXAMPLES,
    *three_layer.EXAMPLES,
    *cifar.EXAMPLES,
    *upsampling.EXAMPLES,
    *kernels.EXAMPLES,
)
