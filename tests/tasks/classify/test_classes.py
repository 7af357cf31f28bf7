from __future__ import annotations

import numpy as np
import pytest

from mobileq.spec.classes import ClassesSpec
from mobileq.tasks.classify.classes import KEPT, probabilities, rows_of, top_classes

LOGITS = ClassesSpec(class_count=4)
SHARES = ClassesSpec(class_count=4, values="probabilities")


def _rows(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_logits_become_shares_of_one_and_probabilities_stay() -> None:
    rows = _rows((0, 1, 2, 3), (1000, 0, 0, 1000))
    found = probabilities(LOGITS, rows)
    assert found.sum(axis=1) == pytest.approx([1, 1])
    assert found[0] == pytest.approx(np.exp([0, 1, 2, 3]) / np.exp([0, 1, 2, 3]).sum())
    assert list(found[1]) == [0.5, 0, 0, 0.5]
    assert np.array_equal(probabilities(SHARES, rows), rows)


def test_log_softmax_is_as_good_as_logits() -> None:
    rows = _rows((0, 1, 2, 3))
    logs = np.log(probabilities(LOGITS, rows)).astype(np.float32)
    assert probabilities(LOGITS, logs) == pytest.approx(probabilities(LOGITS, rows), abs=1e-6)


def test_equal_values_come_in_the_order_of_classes_and_what_is_no_number_not_at_all() -> None:
    (found,) = top_classes(LOGITS, _rows((1, np.nan, 3, 3)))
    assert list(found.class_id) == [2, 3, 0]
    assert found.probability.sum() == pytest.approx(1.0)
    (nothing,) = top_classes(LOGITS, _rows((np.nan,) * 4))
    assert (len(nothing), nothing.best) == (0, -1)


def test_infinite_logits_have_shares() -> None:
    above, below = top_classes(LOGITS, _rows((np.inf, 1, np.inf, 0), (-np.inf,) * 4))
    assert list(above.probability[:2]) == [0.5, 0.5]
    assert list(above.class_id[:2]) == [0, 2]
    assert list(below.probability) == [0.25] * 4


def test_logits_without_a_share_keep_their_order() -> None:
    (found,) = top_classes(LOGITS, _rows((2000, -2000, 0, -1000)))
    assert list(found.class_id) == [0, 2, 3, 1]
    assert list(found.probability) == [1, 0, 0, 0]


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 1, 1), (2, 1, 1, 4)])
def test_each_picture_of_a_batch_has_a_row_in_any_shape(shape: tuple[int, ...]) -> None:
    values = np.arange(8, dtype=np.float32).reshape(shape)
    assert rows_of(LOGITS, values).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_of_many_classes_the_best_are_kept() -> None:
    spec = ClassesSpec(class_count=1000)
    (found,) = top_classes(spec, np.arange(1000, dtype=np.float32)[None])
    assert list(found.class_id) == list(range(999, 999 - KEPT, -1))
