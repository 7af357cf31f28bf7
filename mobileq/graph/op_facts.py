"""What ONNX's operators are, in one place for all who need to know.

Of an operator that is not here nothing is known. Facts are those of floating-point models at
inference; what a runtime makes of an operator stands with the runtime.
"""

from __future__ import annotations

from enum import Flag, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from onnx import NodeProto


class Fact(Flag):
    """What can be said of an operator's first output, or of all where it has several alike."""

    REARRANGES = auto()
    """It holds each value of the first input once, in another shape or order."""
    SELECTS = auto()
    """It holds some of the values of the first input, or some several times, and no others."""
    PADS = auto()
    """It holds the values of the first input, and a constant beside them."""
    ELEMENTWISE = auto()
    """Each value is a function of those at the same place of the inputs, which are broadcast."""
    ACTIVATES = auto()
    """It is the nonlinear function behind a convolution or matrix product."""
    HOMOGENEOUS = auto()
    """It works on each channel by itself, and f(s x) = s f(x) for all s > 0."""
    KEEPS_RANK = auto()
    """It has as many dimensions as the first input, and no other input has more."""
    WEIGHS = auto()
    """A product with weights, the second input where they are constant."""
    ORDERS = auto()
    """Its rows stand in the order of a score: in another runtime two close ones may swap."""


_F = Fact
_FACTS: Final = {
    # Values move.
    "Identity": _F.REARRANGES | _F.ELEMENTWISE | _F.HOMOGENEOUS,
    "Dropout": _F.REARRANGES | _F.ELEMENTWISE | _F.HOMOGENEOUS,
    "Reshape": _F.REARRANGES,
    "Flatten": _F.REARRANGES,
    "Squeeze": _F.REARRANGES,
    "Unsqueeze": _F.REARRANGES,
    "Transpose": _F.REARRANGES | _F.KEEPS_RANK,
    "DepthToSpace": _F.REARRANGES | _F.KEEPS_RANK,
    "SpaceToDepth": _F.REARRANGES | _F.KEEPS_RANK,
    "ReverseSequence": _F.REARRANGES | _F.KEEPS_RANK,
    "Slice": _F.SELECTS | _F.KEEPS_RANK,
    "Split": _F.SELECTS | _F.KEEPS_RANK,
    "Gather": _F.SELECTS,
    "GatherElements": _F.SELECTS | _F.KEEPS_RANK,
    "GatherND": _F.SELECTS,
    "Compress": _F.SELECTS,
    "Expand": _F.SELECTS,
    "Tile": _F.SELECTS | _F.KEEPS_RANK,
    "MaxPool": _F.SELECTS | _F.HOMOGENEOUS,
    "GlobalMaxPool": _F.SELECTS | _F.HOMOGENEOUS | _F.KEEPS_RANK,
    "Pad": _F.PADS | _F.KEEPS_RANK,
    "Concat": _F.KEEPS_RANK,
    # Only of mode `nearest` do these two move values: see `only_moves`.
    "Resize": _F.HOMOGENEOUS | _F.KEEPS_RANK,
    "Upsample": _F.HOMOGENEOUS | _F.KEEPS_RANK,
    "AveragePool": _F.HOMOGENEOUS,
    "GlobalAveragePool": _F.HOMOGENEOUS | _F.KEEPS_RANK,
    # Products with weights.
    "Conv": _F.WEIGHS,
    "ConvTranspose": _F.WEIGHS,
    "Gemm": _F.WEIGHS,
    "MatMul": _F.WEIGHS,
    # Activation functions.
    "Relu": _F.ACTIVATES | _F.ELEMENTWISE | _F.HOMOGENEOUS,
    "LeakyRelu": _F.ACTIVATES | _F.ELEMENTWISE | _F.HOMOGENEOUS,
    "PRelu": _F.ACTIVATES | _F.ELEMENTWISE | _F.HOMOGENEOUS,
    "ThresholdedRelu": _F.ACTIVATES | _F.ELEMENTWISE,
    "Clip": _F.ACTIVATES | _F.ELEMENTWISE,
    "Sigmoid": _F.ACTIVATES | _F.ELEMENTWISE,
    "HardSigmoid": _F.ACTIVATES | _F.ELEMENTWISE,
    "HardSwish": _F.ACTIVATES | _F.ELEMENTWISE,
    "Swish": _F.ACTIVATES | _F.ELEMENTWISE,
    "Mish": _F.ACTIVATES | _F.ELEMENTWISE,
    "Gelu": _F.ACTIVATES | _F.ELEMENTWISE,
    "Erf": _F.ACTIVATES | _F.ELEMENTWISE,
    "Tanh": _F.ACTIVATES | _F.ELEMENTWISE,
    "Softplus": _F.ACTIVATES | _F.ELEMENTWISE,
    "Softsign": _F.ACTIVATES | _F.ELEMENTWISE,
    "Elu": _F.ACTIVATES | _F.ELEMENTWISE,
    "Selu": _F.ACTIVATES | _F.ELEMENTWISE,
    "Celu": _F.ACTIVATES | _F.ELEMENTWISE,
    "Softmax": _F.ACTIVATES | _F.KEEPS_RANK,
    "LogSoftmax": _F.ACTIVATES | _F.KEEPS_RANK,
    # Arithmetic.
    **dict.fromkeys(
        (
            *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift"),
            *("BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "Ceil"),
            *("Cos", "Cosh", "Div", "Equal", "Exp", "Floor", "Greater", "GreaterOrEqual", "IsInf"),
            *("IsNaN", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg"),
            *("Not", "Or", "Pow", "Reciprocal", "Round", "Shrink", "Sign", "Sin", "Sinh", "Sqrt"),
            *("Sub", "Sum", "Tan", "Where", "Xor"),
        ),
        _F.ELEMENTWISE,
    ),
    # Along an axis.
    **dict.fromkeys(
        (
            *("BatchNormalization", "CumSum", "GroupNormalization", "Hardmax", "LRN"),
            *("InstanceNormalization", "LayerNormalization", "LpNormalization"),
            *("MeanVarianceNormalization", "RMSNormalization"),
        ),
        _F.KEEPS_RANK,
    ),
    # Ranking.
    "TopK": _F.ORDERS | _F.KEEPS_RANK,
    "NonMaxSuppression": _F.ORDERS,
}


def ops_with(facts: Fact) -> frozenset[str]:
    """The operators of which at least one of these is known."""
    return frozenset(op for op, known in _FACTS.items() if known & facts)


REARRANGING = ops_with(Fact.REARRANGES)
MOVING = ops_with(Fact.REARRANGES | Fact.SELECTS)
"""They give values that they take: it makes no difference whether they work on numbers or on the
integers that these are rounded to."""
UNCHANGING = frozenset(op for op in REARRANGING if _FACTS[op] & Fact.ELEMENTWISE)
"""They give what they take, in its shape and order."""
ELEMENTWISE = ops_with(Fact.ELEMENTWISE)
ACTIVATIONS = ops_with(Fact.ACTIVATES)
WEIGHTY = ops_with(Fact.WEIGHS)
ORDERING = ops_with(Fact.ORDERS)


def only_moves(node: NodeProto) -> bool:
    """Whether the node gives only values that it takes: `MOVING`, and resizing to the nearest."""
    if node.op_type in ("Resize", "Upsample"):
        mode = next((item.s for item in node.attribute if item.name == "mode"), b"nearest")
        return bool(mode == b"nearest")
    return node.op_type in MOVING
