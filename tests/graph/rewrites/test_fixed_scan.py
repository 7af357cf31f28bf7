import pytest

from mobileq.graph.rewrites.fixed_scan import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

TEXT = (
    "m (float[2] s, float[{shape}] x) => (float[2] y, float[{shape}] z) {{ y, z = Scan<"
    "num_scan_inputs=1, {attributes} body = b (float[2] c, float[2] e) => (float[2] d, float[2] f)"
    "{{ d = Add(c, e) h = Mul(d, e) f = Identity(h) }}>(s, x) }}"
)


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ("3,2", ""),
        ("2,3", "scan_input_axes=[1], scan_output_axes=[1],"),
        ("3,2", "scan_input_directions=[1],"),
        ("3,2", "scan_output_directions=[1],"),
    ],
)
def test_body_is_written_for_each_slice(shape, attributes):
    text = TEXT.format(shape=shape, attributes=attributes)
    lengths = map(int, shape.split(","))
    model = rewritten(RULE, text, signed(2), signed(*lengths))
    assert "Scan" not in ops(model)
    assert sum(node.op_type == "Mul" for node in model.graph.node) == 3


def test_too_many_turns_stay():
    text = TEXT.format(shape="900,2", attributes="")
    assert refusal(RULE, text) == "it has no turn, or too many"
