from __future__ import annotations

import onnx
import pytest

from mobileq.errors import UsageError
from mobileq.progress import Silent
from mobileq.quantize.repairs import DEFAULT_REPAIRS, REPAIRS, repair
from mobileq.quantize.repairs.registry import added_tensors

from .conftest import Samples, int8_sqnr, ranges_over, run


def test_unknown_repair_is_refused(uneven: onnx.ModelProto, samples: Samples) -> None:
    with pytest.raises(UsageError, match="no repair 'magic'"):
        repair(uneven, ("magic",), lambda: samples, ranges_over(samples), Silent())


def test_without_repairs_the_model_is_the_same(uneven: onnx.ModelProto, samples: Samples) -> None:
    ranges_of = ranges_over(samples)
    model, ranges = repair(uneven, (), lambda: samples, ranges_of, Silent())
    assert model == uneven
    assert ranges == ranges_of(uneven)


@pytest.mark.parametrize("names", [DEFAULT_REPAIRS, REPAIRS, REPAIRS[::-1]])
def test_repaired_network_loses_less_and_its_ranges_are_its_own(
    uneven: onnx.ModelProto, samples: Samples, names: tuple[str, ...]
) -> None:
    ranges_of, reference = ranges_over(samples), run(uneven, samples)
    model, ranges = repair(uneven, names, lambda: samples, ranges_of, Silent())
    before = int8_sqnr(uneven, reference, samples, ranges_of(uneven))
    assert int8_sqnr(model, reference, samples, ranges) > before + 6.0


def test_order_of_the_names_does_not_matter(uneven: onnx.ModelProto, samples: Samples) -> None:
    made = [
        repair(uneven, names, lambda: samples, ranges_over(samples), Silent())[0]
        for names in (REPAIRS, REPAIRS[::-1])
    ]
    assert made[0].SerializeToString(deterministic=True) == made[1].SerializeToString(
        deterministic=True
    )


def test_tensors_that_repairs_add_are_known_before(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    repaired, _ = repair(uneven, REPAIRS, lambda: samples, ranges_over(samples), Silent())
    before, after = ({n.output[0] for n in each.graph.node} for each in (uneven, repaired))
    assert after - before == set(added_tensors(uneven, REPAIRS)) == {"c/unscaled"}
    assert added_tensors(uneven, ("bias-correction",)) == ()
