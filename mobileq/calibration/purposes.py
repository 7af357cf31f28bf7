"""What a tensor's values are for, where that is one function: an error counts as the function's.

All negative values of a SiLU's input give nearly the same; so do all logits below -8. A range that
holds them apart wastes levels that the others need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.calibration.derivations import Gated, Pointwise, pointwise, sigmoid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

    Array = NDArray[np.float32]

_FLAT = 1 / 4096
"""Share of the function's span within which its values are taken as equal."""
_SEARCHED = 4096


@dataclass(frozen=True)
class Purpose:
    """The function that is all a tensor is used for.

    Attributes:
        keep_extremes: The few largest values are what matters (scores), so nothing is clipped but
            where the function is flat.
        result: The tensor that the function gives; None where it is outside of the graph.
    """

    function: Callable[[Array], Array]
    keep_extremes: bool = False
    result: str | None = None

    def sensible(self, low: float, high: float) -> tuple[float, float]:
        """[low, high] without the ends where the function is flat, zero always included."""
        import numpy as np

        values = np.linspace(low, high, _SEARCHED, dtype=np.float32)
        given = self.function(values).astype(np.float64)
        allowed = (given.max() - given.min()) * _FLAT
        falling = _largest_difference(given) <= allowed
        rising = _largest_difference(given[::-1])[::-1] <= allowed
        start = float(values[np.flatnonzero(falling)[-1]])
        stop = float(values[np.flatnonzero(rising)[0]])
        return min(max(low, start), 0.0), max(min(high, stop), 0.0)


def _largest_difference(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each value from any before it: what it costs at most to give it in place of those."""
    import numpy as np

    highest, lowest = np.maximum.accumulate(values), np.minimum.accumulate(values)
    difference: NDArray[np.float64] = np.maximum(highest - values, values - lowest)
    return difference


def purposes(model: ModelProto, logits: Collection[str] = ()) -> dict[str, Purpose]:
    """By tensor name; tensors that are used in more than one way have none.

    Args:
        model: The prepared float model.
        logits: Outputs that a sigmoid is applied to outside the graph.
    """
    from mobileq.calibration.taps import small_constants

    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            users.setdefault(name, []).append(node)
    outputs = {value.name for value in graph.output}
    constants = small_constants(model)
    # A gate that is used on its own is a second purpose of what it is made from.
    gates = {name for name, nodes in users.items() if len(nodes) == 1} - outputs
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for name, nodes in users.items():
        known = _function(name, nodes, producers, constants, gates)
        known = known or _scaled_hard_swish(name, nodes, users, gates, stored)
        if known and name not in outputs:
            found[name] = Purpose(known[0], result=known[1])
    return found | {name: Purpose(sigmoid, keep_extremes=True) for name in logits}


def attention_logits(model: ModelProto) -> set[str]:
    """Products of two activations that are for a Softmax alone, and what a scale makes of them.

    Its largest values are what a token attends to: cut off by a tenth, each lets all others in.
    """
    from mobileq.graph.outline import constants, consumers, producers

    graph = model.graph
    made_by, users, stored = producers(graph), consumers(graph), constants(graph)
    found: set[str] = set()
    for node in graph.node:
        taken, chain = node.input[0] if node.op_type == "Softmax" else "", set[str]()
        while len(users.get(taken, ())) == 1 and (maker := made_by.get(taken)) is not None:
            chain.add(taken)
            fixed = [stored[name] for name in maker.input if name in stored]
            if maker.op_type == "MatMul" and not fixed:
                found |= chain
            if maker.op_type not in ("Mul", "Div") or len(fixed) != 1 or float(fixed[0].min()) <= 0:
                break
            taken = next(name for name in maker.input if name not in stored)
    return found


def _function(
    name: str,
    users: list[NodeProto],
    producers: Mapping[str, NodeProto],
    constants: Mapping[str, NDArray[Any]],
    gates: Collection[str],
) -> tuple[Callable[[Array], Array], str] | None:
    """And the tensor that it gives."""
    if len(users) == 1 and users[0].op_type == "HardSwish":
        return _hard_swish, users[0].output[0]
    known = [pointwise(node, producers, constants) if node.input else None for node in users]
    if len(users) == 1 and isinstance(known[0], Pointwise) and known[0].source == name:
        return known[0].function, users[0].output[0]
    products = (
        (each, user.output[0])
        for each, user in zip(known, users, strict=True)
        if isinstance(each, Gated) and each.source == name
    )
    gated, result = next(products, (None, ""))
    if gated is None or len(users) != 2 or gated.gate not in gates:
        return None
    gate = next((each for each in known if isinstance(each, Pointwise)), None)
    if gate is None:
        return None
    function = gate.function
    return lambda values: values * function(values), result


def _scaled_hard_swish(
    name: str,
    nodes: list[NodeProto],
    users: Mapping[str, list[NodeProto]],
    gates: Collection[str],
    stored: Mapping[str, TensorProto],
) -> tuple[Callable[[Array], Array], str] | None:
    """x * clip(w x + 3, 0, 6), where channels have factors w of their own (input scaling).

    The least of these is told: nothing is flat that is not so in all channels.
    """
    from onnx import numpy_helper

    convolution = next((node for node in nodes if node.op_type == "Conv"), None)
    product = next((node for node in nodes if node.op_type == "Mul"), None)
    if len(nodes) != 2 or convolution is None or product is None:
        return None
    clip = users.get(convolution.output[0], [convolution])[0]
    chain = {convolution.output[0], clip.output[0]}
    if clip.op_type != "Clip" or not chain <= set(gates) or clip.output[0] not in product.input:
        return None
    taken = [*convolution.input[1:], *clip.input[1:]]
    if len(taken) != 4 or not stored.keys() >= set(taken):
        return None
    factors, terms, low, high = (numpy_helper.to_array(stored[each]) for each in taken)
    least = float(factors.min())
    depthwise = factors[0].size == 1 and convolution.input[0] == name
    if not depthwise or (terms != 3).any() or (low, high) != (0, 6) or least <= 0:
        return None

    def function(values: Array) -> Array:
        import numpy as np

        result: Array = values * np.clip(values * np.float32(least) + 3, 0, 6)
        return result

    return function, product.output[0]


def _hard_swish(values: Array) -> Array:
    import numpy as np

    result: Array = values * np.clip(values * np.float32(1 / 6) + np.float32(0.5), 0, 1)
    return result
