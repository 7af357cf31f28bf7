"""Files of models that one test makes up, and what they compute."""

from __future__ import annotations

import dataclasses

import numpy as np

from mobileq.targets.mnn.target import MnnTarget

from ..tiny import TinyFile, kept, make
from ..tiny_models import MODELS


def outputs_of(file: TinyFile, sample: int = 0, **options) -> dict[str, np.ndarray]:
    runner = MnnTarget().open(file.path, file.converted.inputs, file.converted.outputs, **options)
    try:
        return runner.run({file.model.spec.inputs[0].name: file.model.samples[sample]})
    finally:
        runner.close()


def made(monkeypatch, folder, graph, constants, precision="int8", **options) -> TinyFile:
    """A model of one test, converted."""
    monkeypatch.setitem(MODELS, "made", (graph, constants))
    model = make("made", folder)
    job = dataclasses.replace(model.job(folder, precision, **options), output=folder / "x.mnn")
    return TinyFile(model, job.output, kept(MnnTarget).convert(job))
