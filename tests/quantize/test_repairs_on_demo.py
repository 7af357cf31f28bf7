from __future__ import annotations

from typing import Any

import onnxruntime

from mobileq.calibration.purposes import purposes
from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import collect
from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.groups import find_groups
from mobileq.quantize.repairs import DEFAULT_REPAIRS, repair
from mobileq.quantize.simulate import Simulator
from mobileq.spec import TensorRanges
from mobileq.tasks.detect.raw_head import raw_head

from .noise import output_sqnr


def test_default_repairs_change_nothing_in_float_and_do_no_harm_in_int8(
    demo: PreparedModel, samples: list[dict[str, Any]]
) -> None:
    model, _ = raw_head(demo.model, demo.spec)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    reference = [dict(zip(names, session.run(names, feeds), strict=True)) for feeds in samples]

    def ranges_of(asked: Any) -> TensorRanges:
        statistics = collect(asked.SerializeToString(), None, samples, Silent())
        return estimate(statistics, "mse", 8, purposes(asked))

    def sqnr(repairs: tuple[str, ...]) -> tuple[float, float]:
        """In float and in int8."""
        made, ranges = repair(model, repairs, lambda: samples, ranges_of, Silent())
        simulator = Simulator(made, find_groups(made), ranges)
        plain = [simulator.run(feeds, ()) for feeds in samples]
        int8 = [simulator.run(feeds, simulator.switches) for feeds in samples]
        return output_sqnr(reference, plain), output_sqnr(reference, int8)

    (_, before), (plain, after) = sqnr(()), sqnr(DEFAULT_REPAIRS)
    assert plain > 80.0
    assert after > before - 0.5
