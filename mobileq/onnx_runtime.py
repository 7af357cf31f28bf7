"""What every session of ONNX Runtime is opened with."""

from typing import Final

WRONG_OPTIMIZERS: Final = ["Pad_Fusion"]
"""It makes zeros around a max pooling the pooling's own padding, which is no value at all (1.26,
1.31). Behind a SiLU, where all values may be negative, YOLOv3-tiny's boxes were 49 pixels off."""
