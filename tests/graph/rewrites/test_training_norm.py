from mobileq.graph.rewrites.training_norm import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

TEXT = (
    "m (float[4,3,5,2] x) => (float[4,3,5,2] y{more})"
    "<float[3] s = {{1, 2, 3}}, float[3] b = {{0, 1, -1}}, float[3] m = {{1, 0, 2}},"
    " float[3] v = {{1, 2, 3}}>"
    "{{ y{given} = BatchNormalization<training_mode={training}, momentum=0.8>(x, s, b, m, v) }}"
)


def test_normalised_by_its_own_mean_and_variance():
    text = TEXT.format(more=", float[3] mean, float[3] var", given=", mean, var", training=1)
    assert "BatchNormalization" not in ops(rewritten(RULE, text, signed(4, 3, 5, 2)))


def test_trained_one_stays():
    assert refusal(RULE, TEXT.format(more="", given="", training=0)) == "it is not in training"
