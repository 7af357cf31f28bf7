"""Outputs whose rows a graph has ranked are found by the graph."""

from __future__ import annotations

import onnx
from onnx import parser

from mobileq.graph.ranked import ranked_outputs
from mobileq.graph.shapes import infer_shapes


def _model(graph: str) -> onnx.ModelProto:
    return infer_shapes(parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{graph}'))


def test_rows_behind_topk_are_ranked_and_others_are_not() -> None:
    model = _model(
        """g (float[1,50] s, float[1,50,4] b)
            => (float[1,9] best, float[1,9,4] boxes, float[1,50] t)
        {
            k = Constant<value = int64[1] {9}>()
            best, index = TopK<axis=1>(s, k)
            last = Constant<value = int64[1] {-1}>()
            wide = Unsqueeze(index, last)
            shape = Constant<value = int64[3] {1, 9, 4}>()
            spread = Expand(wide, shape)
            boxes = GatherElements<axis=1>(b, spread)
            t = Relu(s)
        }"""
    )
    assert ranked_outputs(model) == {"best": 1, "boxes": 1}


def test_topk_that_pools_leaves_no_ranked_rows() -> None:
    model = _model(
        """g (float[1,50] s) => (float[1,1] y)
        {
            k = Constant<value = int64[1] {9}>()
            best, index = TopK<axis=1>(s, k)
            y = ReduceMean<axes=[1]>(best)
        }"""
    )
    assert ranked_outputs(model) == {}
