"""Small networks, what they compute, and what a pass over them finds."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, parser

from mobileq.calibration.statistics import Statistics, collect
from mobileq.progress import Silent

ACTIVATIONS = """
    s = Sigmoid(c)
    silu = Mul(c, s)
    silu2 = Mul(s, c)
    t = Tanh(c)
    r = Relu(c)
    l = LeakyRelu<alpha = 0.1>(c)
    six = Clip(c, zero, half)
    h = HardSigmoid<alpha = 0.1666667, beta = 0.5>(c)
    swish = Mul(c, h)
    pool = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(silu)
    sum = Add(pool, r)
    joined = Concat<axis = 1>(silu, t, sum)
    stacked = Concat<axis = 2>(silu, t)
    same = Identity(silu)
    turned = Transpose<perm = [0, 2, 3, 1]>(silu)
    flat = Reshape(joined, shape)
    logits = Sigmoid(flat)
    cut = Slice(logits, from, to)
    mean = ReduceMean(cut)
    y = Add(mean, one)
"""


DERIVED = {"s", "t", "r", "l", "six", "h", "silu", "silu2", "swish", "joined", "same", "flat"}


def model_of(
    body: str,
    side: int = 0,
    opset: int = 13,
    *,
    inputs: str = "",
    output: str = "float y",
    **weights: np.ndarray,
) -> bytes:
    inputs = inputs or f"float[1, 3, {side}, {side}] x"
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({output}) {{ {body} }}'
    )
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")  # the parser takes `float y` for a scalar
    for name, array in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    data: bytes = model.SerializeToString()
    return data


def network(side: int, opset: int = 13) -> bytes:
    random = np.random.default_rng(0)
    return model_of(
        "c = Conv<pads = [1, 1, 1, 1]>(x, w) " + ACTIVATIONS,
        side,
        opset,
        w=random.normal(0, 1, (16, 3, 3, 3)).astype(np.float32),
        zero=np.float32(0),
        half=np.float32(0.5),
        one=np.float32(1),
        shape=np.array([1, -1]),
        **{"from": np.array([0, 1]), "to": np.array([1, 40])},
    )


def pictures(count: int, *shape: int, seed: int = 1) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [{"x": random.normal(size=shape).astype(np.float32)} for _ in range(count)]


def everything(model: bytes, feeds: list[dict[str, np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Each float activation of each sample, as outputs of a model that is not optimised."""
    copy = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model))
    fed = {value.name for value in copy.graph.input}
    names = [n for node in copy.graph.node for n in node.output if node.op_type != "Constant"]
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options)
    found: dict[str, list[np.ndarray]] = {}
    for each in feeds:
        outputs = dict(zip(names, session.run(names, each), strict=True))
        for name, array in (each | outputs).items():
            if array.dtype == np.float32 and (name in outputs or name in fed):
                found.setdefault(name, []).append(array)
    return found


def run(model: bytes, feeds: Any, names: list[str] | None = None) -> Statistics:
    return collect(model, names, feeds, Silent())
