import onnx
from onnx import parser

from mobileq.graph.outline import opset
from mobileq.graph.rewrites.opset import raised


def _model(version: int) -> onnx.ModelProto:
    text = f'<ir_version: 3, opset_import: ["": {version}]> m (float[2] x) => (float[2] y) '
    return parser.parse_model(text + "{ y = Elu<alpha=2.0>(x) }")


def test_old_versions_are_raised():
    assert opset(raised(_model(6))) == 13


def test_recent_ones_stay():
    model = _model(12)
    assert raised(model) is model
