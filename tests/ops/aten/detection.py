"""Samples of torchvision's operators, by their documentation: they run only where its build fits that of torch."""

from dataclasses import replace

from tests.ops.aten.samples import OpSample, by_hand

MAP, BOXES = (2, 8, 9, 9), (5, 5)

SAMPLES: list[OpSample] = [
    # 3 x 3 taps of 8 / 2 channels for each of 6 outputs on a map of (9 + 2 - 3) / 2 + 1 = 5.
    replace(
        by_hand(
            "torchvision.deform_conv2d",
            MAP, (6, 4, 3, 3), (2, 18, 5, 5), (2, 9, 5, 5), (6,), 2, 2, 1, 1, 1, 1, 2, 1, True,
            results=((2, 6, 5, 5),),
        ),
        macs=2 * 6 * 5 * 5 * 4 * 3 * 3,
    ),
    by_hand("torchvision.roi_align", MAP, BOXES, 0.5, 7, 6, 2, True, results=((5, 8, 7, 6),)),
    by_hand("torchvision.roi_pool", MAP, BOXES, 0.5, 7, 6, results=((5, 8, 7, 6), (5, 8, 7, 6))),
    by_hand("torchvision.ps_roi_align", MAP, BOXES, 0.5, 2, 2, 2, results=((5, 2, 2, 2), (5, 2, 2, 2))),
    by_hand("torchvision.ps_roi_pool", MAP, BOXES, 0.5, 2, 2, results=((5, 2, 2, 2), (5, 2, 2, 2))),
    replace(by_hand("torchvision.nms", (9, 4), (9,), 0.5, results=((4,),)), shape_known=False),
]  # fmt: skip
