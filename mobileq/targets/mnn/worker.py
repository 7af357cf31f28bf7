"""What runs in the child process: MNN's C modules, which abort on bad input.

Only `MNN` and `_tools` are imported, never `MNN.tools`: that runs pip and sends usage logs at
import (MNN 3.6.1).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from mobileq.errors import InputError, ToolError
from mobileq.external.framing import Arrays, Fields
from mobileq.paths import native_path
from mobileq.targets.mnn.contents import affines, contents, needless_relus, pooled_tensors
from mobileq.targets.mnn.contested import contested
from mobileq.targets.mnn.flatbuffer import describe_as_float, take_relus
from mobileq.targets.mnn.interpreter import dtype_name

_PATHS = ("--modelFile", "--MNNModel", "--JsonFile")
_INFINITE = re.compile(r"(?<=[\[,:\s])(-?)(?:inf|nan)(?=[,\]}\s])")


class MnnWorker:
    """Handler for `mobileq.external.child.Child`."""

    def outline(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Inputs, outputs and ops of a .mnn file."""
        graph = _described(fields["path"])
        return {**contents(graph), **_session_tensors(fields["path"])}, {}

    def session(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """The part of `outline` that takes no JSON form: that of a large model takes seconds."""
        return _session_tensors(fields["path"]), {}

    def trial(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Run a file once, on zeros or the arrays for its inputs, for it to crash here."""
        import MNN
        import numpy as np

        interpreter = MNN.Interpreter(native_path(fields["path"]))
        session = interpreter.createSession()
        for name, tensor in interpreter.getSessionInputAll(session).items():
            shape, kind = tuple(tensor.getShape()), tensor.getDataType()
            given = arrays.get(name, np.zeros(shape)).astype(dtype_name(kind))
            tensor.copyFrom(MNN.Tensor(shape, kind, given, tensor.getDimensionType()))
        interpreter.runSession(session)
        return {}, {}

    def convert(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Run MNN's converter: `source` in `framework` (ONNX, MNN, JSON) to `output`."""
        source, output = fields["source"], Path(fields["output"])
        output.unlink(missing_ok=True)
        _mnnconvert("-f", fields["framework"], "--modelFile", source, "--MNNModel", str(output),
                    *fields["options"])  # fmt: skip
        if not output.exists() or output.stat().st_size == 0:
            raise ToolError("MNN's converter wrote nothing.", "See the log for what it said.")
        return {}, {}

    def quantize(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Run MNN's quantizer on `source`, as the file `config` says, in that file's folder.

        What it makes poolings take, and what it leaves contested, is described as float afterwards;
        see also `contents.cuts_codes`.
        """
        import MNN  # noqa: F401, I001  before `_tools`, which links against it
        import _tools

        config, output = Path(fields["config"]), Path(fields["output"])
        os.chdir(config.parent)
        # Returns True whatever happened. Unlike the `mnnquant` command of MNN 3.6.1, which hands
        # over its arguments in a form that its own library aborts on.
        _tools.mnnquant(["mnnquant", fields["source"], str(output), str(config)])
        if not output.exists() or output.stat().st_size == 0:
            raise ToolError("MNN's quantizer wrote nothing.", "See the log for what it said.")
        graph = _described(str(output))
        take_relus(output, needless_relus(graph))
        pooled = pooled_tensors(graph)
        described = {**affines(graph), **dict.fromkeys(pooled)}
        describe_as_float(output, pooled | contested(graph["oplists"], described))
        return {}, {}

    def graph(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """A .mnn file's graph in MNN's JSON form, with all constants that it holds itself."""
        return {"graph": _dumped(fields["path"])}, {}


def _described(path: str) -> dict[str, Any]:
    """The graph in MNN's JSON form, without the large constants.

    As text and Python's numbers they would take 12 times the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "model.mnn"
        _mnnconvert("-f", "MNN", "--modelFile", native_path(path), "--MNNModel", str(bare),
                    "--saveExternalData")  # fmt: skip
        return _dumped(str(bare), named=path)


def _dumped(path: str, named: str = "") -> dict[str, Any]:
    """The graph in MNN's JSON form; `named` is its file for messages."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.json"
        _mnnconvert("-f", "MNN", "--modelFile", native_path(path), "--JsonFile", str(target))
        try:
            graph: dict[str, Any] = json.loads(_finite(target.read_text(errors="replace")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{named or path} is not an MNN file, or a damaged one.", "Convert the model again."
            ) from error
    return graph


def _finite(text: str) -> str:
    """MNN 3.6.1 writes infinity into JSON, as in masks, which has no such number."""
    return _INFINITE.sub(r"\g<1>3.4028235e38", text)


def _mnnconvert(*options: str) -> None:
    """Returns whatever happened: look for the file.

    In a folder of its own: MNN 3.6.1 puts large weights of linear layers aside in the current one,
    always under the same name. Of two conversions at a time in one folder the files had zeros.
    """
    import MNN  # noqa: F401, I001  before `_tools`, which links against it
    import _tools

    paths = {at + 1 for at, option in enumerate(options) if option in _PATHS}
    given = [os.path.abspath(each) if at in paths else each for at, each in enumerate(options)]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _tools.mnnconvert(["mnnconvert", *given])


def _session_tensors(path: str) -> dict[str, Any]:
    """Shapes and types, as a session works them out."""
    import MNN

    interpreter = MNN.Interpreter(native_path(path))
    session = interpreter.createSession()
    found = {}
    for kind, tensors in (
        ("inputs", interpreter.getSessionInputAll(session)),
        ("outputs", interpreter.getSessionOutputAll(session)),
    ):
        found[kind] = [
            {
                "name": name,
                "shape": list(tensor.getShape()),
                "dtype": dtype_name(tensor.getDataType()),
                "nhwc": tensor.getDimensionType() == MNN.Tensor_DimensionType_Tensorflow,
            }
            for name, tensor in tensors.items()
        ]
    return found
