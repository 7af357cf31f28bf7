from mobileq.graph.rewrites.engine import apply_rules, unmatched
from mobileq.graph.rewrites.registry import RULES
from tests.graph.rewrites.rewriting import parsed


def test_model_without_a_match_is_itself():
    model = parsed("m (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert apply_rules(model, RULES) is model


def test_failed_match_says_why():
    model = parsed("m (float[2] x) => (float[2] y) { y = Elu(x) }")
    assert unmatched(model, RULES) == {"elu_alpha, y": "its alpha is 1"}


def test_rules_have_names_of_their_own():
    assert len({rule.name for rule in RULES}) == len(RULES)
