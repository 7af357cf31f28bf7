"""Files of one convolution, made without a converter, and what kernels make of them."""

from __future__ import annotations

from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mobileq.targets.tflite import contents, editing


@dataclass(frozen=True)
class Convolution:
    """int8, of one picture; zeros as a PAD before it has them, or None for SAME."""

    size: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    stride: int
    zeros: tuple[tuple[int, int], tuple[int, int]] | None = ((0, 0), (0, 0))
    results: int = 3

    @property
    def result_size(self) -> list[int]:
        if self.zeros is None:
            return [-(-size // self.stride) for size in self.size]
        sides = zip(self.size, self.kernel, self.zeros, strict=True)
        return [(size + sum(zeros) - taps) // self.stride + 1 for size, taps, zeros in sides]

    def file(self) -> schema.ModelT:
        """The TFLite file, as ai-edge-quantizer would write it."""
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.operatorCodes, model.subgraphs = 3, [], [graph]
        model.buffers, graph.tensors, graph.operators = [schema.BufferT()], [], []
        generator = np.random.default_rng(0)
        sizes = self.size
        x = editing.int8_tensor(b"x", [1, *sizes, self.channels], 0.02, -11)
        graph.inputs = [editing.add_tensor(model, x)]
        y = editing.int8_tensor(b"y", [1, *self.result_size, self.results], 0.05, 5)
        graph.outputs = [editing.add_tensor(model, y)]
        shape = self.results, *self.kernel, self.channels
        codes = generator.integers(-127, 128, shape).astype(np.int8)
        w = editing.add_constant(model, b"w", codes, 0.01)
        bias = generator.integers(-3000, 3000, self.results).astype(np.int32)
        b = editing.add_constant(model, b"b", bias, 0.02 * 0.01)
        op = schema.OperatorT()
        op.opcodeIndex = editing.opcode_index(model, "CONV_2D", 3)
        op.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        op.builtinOptions = schema.Conv2DOptionsT()
        op.builtinOptions.strideH = op.builtinOptions.strideW = self.stride
        same = schema.Padding.SAME if self.zeros is None else schema.Padding.VALID
        op.builtinOptions.padding = same
        op.inputs, op.outputs = [0, w, b], [1]
        graph.operators.append(op)
        if self.zeros is not None and np.any(self.zeros):
            amounts = np.array([(0, 0), *self.zeros, (0, 0)], np.int32)
            padded = [size + sum(zeros) for size, zeros in zip(sizes, self.zeros, strict=True)]
            between = editing.int8_tensor(b"p", [1, *padded, self.channels], 0.02, -11)
            source = editing.add_constant(model, b"amounts", amounts)
            op.inputs[0] = editing.insert_op(model, op, "PAD", [0, source], between)
        return model


def kinds(model: schema.ModelT) -> list[str]:
    return [contents.op_name(model, op) for op in model.subgraphs[0].operators]


def run(model: schema.ModelT, *, plainly: bool) -> np.ndarray:
    """`plainly`: by TFLite's own kernels, without XNNPACK."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    resolver = OpResolverType.BUILTIN_REF if plainly else OpResolverType.AUTO
    interpreter = Interpreter(
        model_content=bytes(builder.Output()), experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    taken, gives = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    picture = np.random.default_rng(1).integers(-128, 128, taken["shape"])
    interpreter.set_tensor(taken["index"], picture.astype(taken["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(gives["index"])
