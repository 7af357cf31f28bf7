"""Whatever is read from outside is consistent, or refused in one sentence."""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobileq.consistency import absurd_range, consistent_model, contradiction
from mobileq.errors import InputError, MobileqError
from mobileq.manifest import (
    BundleManifest,
    FileEntry,
    RunInfo,
    SourceInfo,
    read_manifest,
    seal,
    to_json,
)
from mobileq.preparation.recognise import recognise_shapes
from mobileq.preparation.spec_file import apply_overrides, read_spec_file
from mobileq.spec import Artifact, ModelSpec, PreprocessSpec, QuantParams, QuantRecipe, TensorSpec
from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.decode import decode

SHARED_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
IMAGE = TensorSpec(name="images", shape=(1, 3, 32, 64), dtype="float32", layout="NCHW")
ROWS = TensorSpec(
    name="rows",
    shape=(1, 126, 8),
    dtype="int8",
    quant=QuantParams(scale=(0.5,), zero_point=(-3,)),
    permutation=(0, 2, 1),
)
BRANCHES = tuple(
    TensorSpec(
        name=f"{kind}{stride}", shape=(1, count, 32 // stride, 64 // stride), dtype="float32"
    )
    for stride in (8, 16, 32)
    for kind, count in (("box", 16), ("class", 2))
)
RAW = DecodeSpec(
    kind="yolov8",
    class_count=2,
    head="raw",
    strides=(8, 16, 32),
    reg_max=4,
    distance_bins=(0, 1, 2, 3),
    outputs=tuple(
        HeadOutput(
            name=each.name,
            role="box_distribution" if each.name.startswith("box") else "class_logits",
            stride=int(each.name.strip("boxclas")),
        )
        for each in BRANCHES
    ),
)
MODEL = ModelSpec(
    name="m",
    task="detect",
    family="yolov5",
    inputs=(IMAGE,),
    outputs=(TensorSpec(name="rows", shape=(1, 126, 7), dtype="float32"),),
    preprocess=PreprocessSpec(width=64, height=32),
    decode=DecodeSpec(
        kind="yolov5",
        class_count=2,
        outputs=(HeadOutput(name="rows", role="predictions"),),
        strides=(8, 16, 32),
        anchors=(((1, 2), (3, 4)), ((5, 6),), ((7, 8),)),
    ),
    labels=("cat", "dog"),
)
MANIFEST = BundleManifest(
    model=MODEL,
    source=SourceInfo(file_name="m.onnx", sha256="cd" * 32, opset=17, size_bytes=10),
    artifacts=(
        Artifact(
            target="tflite",
            precision="int8",
            path="models/m-int8.tflite",
            sha256="ab" * 32,
            size_bytes=3,
            inputs=(IMAGE,),
            outputs=BRANCHES,
            recipe=QuantRecipe(precision="int8"),
            decode=RAW,
        ),
        Artifact(
            target="mnn",
            precision="fp16",
            path="models/m-fp16.mnn",
            sha256="ab" * 32,
            size_bytes=3,
            inputs=(IMAGE,),
            outputs=(msgspec.structs.replace(ROWS, shape=(1, 7, 126)),),
            recipe=QuantRecipe(precision="fp16"),
        ),
    ),
    run=RunInfo(created="2024-05-01T12:00:00Z"),
    files={
        path: FileEntry(sha256="ab" * 32, size_bytes=3)
        for path in ("models/m-int8.tflite", "models/m-fp16.mnn")
    },
)


def changed(value: Any, path: tuple[Any, ...], to: object) -> Any:
    """`value` as plain dicts and lists, with the part at `path` replaced."""
    plain = json.loads(to_json(value))
    node = plain
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = to
    return plain


def refusal(described: object) -> str:
    with pytest.raises(InputError) as caught:
        consistent_model(described, "the file", "Mend it.")
    assert caught.value.message.startswith("the file cannot be used: ")
    return caught.value.message


def test_what_is_consistent_is_read_as_it_is() -> None:
    assert consistent_model(json.loads(to_json(MODEL)), "the file", "") == MODEL
    assert consistent_model(MODEL, "the file", "") == MODEL


@pytest.mark.parametrize(
    ("path", "to", "part"),
    [
        (("name",), "../x", "field `name`: '../x' can't be the name of a model"),
        (("name",), "..", "field `name`"),
        (("name",), "", "field `name`"),
        (("labels",), ["cat"], "field `labels`: there are 1 names for 2 classes"),
        (("labels",), ["a", "b", "c"], "field `labels`: there are 3 names for 2 classes"),
        (("outputs", 0, "name"), "other", "no output 'rows'; its outputs are 'other'"),
        (("inputs", 0, "shape"), [1, 3, 8, 8], "where the model takes [1, 3, 8, 8]"),
        (("inputs", 0, "permutation"), [0, 1, 1, 2], "does not name each of 4 axes once"),
        (("outputs", 0, "shape"), [2**20, 2**20], "is too large"),
        (("outputs", 0, "quant"), {"scale": [1], "zero_point": []}, "1 scales, 0 zero points"),
        (("outputs", 0, "quant"), {"scale": [], "zero_point": []}, "0 scales, 0 zero points"),
        (
            ("outputs", 0, "quant"),
            {"scale": [1, 1], "zero_point": [0, 0], "axis": 0},
            "2 scales belong to no axis",
        ),
        (("outputs", 0, "quant"), {"scale": [1], "zero_point": [0], "axis": 9}, "has 3 axes"),
        (("decode", "class_count"), 3, "there are 2 names for 3 classes"),
        (("decode", "head"), "raw", "of 3 strides"),
        (("decode", "kind"), "ssd", "needs one with the role boxes"),
        (("decode", "kind"), "split", "needs one with the role boxes"),
        (("decode", "kind"), "nanodet", "`decode.reg_max`: it is 0"),
    ],
)
def test_contradiction_is_told_by_its_field(path: tuple[Any, ...], to: Any, part: str) -> None:
    plain = changed(MODEL, path, to)
    if part == "of 3 strides":
        plain["decode"]["anchors"] = plain["decode"]["anchors"] * 2
        part = "field `decode.anchors`: of 6 strides, not 3"
    assert part in refusal(plain)


def test_zero_point_lies_in_the_range_of_its_type() -> None:
    for dtype, wrong in (("int8", 128), ("uint8", -1), ("int16", 2**15)):
        tensor = {"name": "rows", "shape": [1, 126, 7], "dtype": dtype}
        tensor["quant"] = {"scale": [1], "zero_point": [wrong]}
        assert f"{dtype} goes from" in refusal(changed(MODEL, ("outputs", 0), tensor))


@pytest.mark.parametrize(
    ("path", "to", "part"),
    [
        (("artifacts", 0, "recipe", "precision"), "int16x8", "int16x8 of a file in int8"),
        (("artifacts", 0, "inputs"), [], "they are none where the model has 'images'"),
        (("artifacts", 0, "decode"), None, "no output 'rows'"),
        (
            ("artifacts", 0, "decode", "class_count"),
            5,
            "`artifacts[0].decode.class_count`: there are 2 names for 5 classes",
        ),
        (("artifacts", 0, "outputs"), [], "`artifacts[0].decode.outputs[0].name`"),
        (("artifacts", 1, "sha256"), "../..", "`artifacts[1].sha256`: expected `str` matching"),
        (("artifacts", 1, "size_bytes"), -1, "`artifacts[1].size_bytes`: expected `int` >= 0"),
        (("model", "name"), "a/../../b", "`model.name`"),
        (("model", "preprocess", "width"), 10**6, "`model.preprocess.width`: it must be 1 to"),
        (("model", "task"), "fly", "choose of detect, classify, unknown"),
    ],
)
def test_manifest_that_contradicts_itself_is_refused(
    tmp_path: Path, path: tuple[Any, ...], to: Any, part: str
) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(changed(seal(MANIFEST), path, to)))
    with pytest.raises(InputError) as caught:
        read_manifest(file)
    assert part in caught.value.message


NUMBERS = [0, -1, 1, 2, 3, 8, 255, 256, 10**6, 10**9, 2**31, 2**63, -0.5, 0.5, 1e-300, 1e300]
TEXTS = ["", "..", "../x", "rows", "box8", "raw", "nanodet", "yolox", "end2end", "split", "scores"]
OTHERS = [None, True, [], {}, [0], [0, 0, 0], [1.0, 1.0, 1.0], [[1, 2]], [[[1, 2]]], ["a"]]
EDGES: st.SearchStrategy[Any] = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS]).map(copy.deepcopy)


def mutated(value: Any) -> st.SearchStrategy[Any]:
    """`value` with one to three of its parts, anywhere, replaced, removed or repeated."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> Any:
        plain = json.loads(json.dumps(value))
        for _ in range(draw(st.integers(1, 3))):
            node = plain
            while True:
                keys = list(node) if isinstance(node, dict) else list(range(len(node)))
                if not keys:
                    break
                key = draw(st.sampled_from(keys))
                if isinstance(node[key], dict | list) and draw(st.integers(0, 4)):
                    node = node[key]
                    continue
                how = draw(st.integers(0, 9))
                if how == 0:
                    del node[key]
                elif how == 1 and isinstance(node, list):
                    node.append(node[key])
                else:
                    node[key] = draw(EDGES)
                break
        return plain

    return draw_one()


def decodes_or_says_why(
    spec: DecodeSpec, outputs: tuple[TensorSpec, ...], preprocess: PreprocessSpec | None
) -> None:
    shapes = [output.shape for output in outputs]
    if preprocess is None or any(-1 in s or math.prod(s) > 10**6 for s in shapes):
        return
    zeros = {each.name: np.zeros(each.shape, np.float32) for each in outputs}
    with suppress(InputError):
        decode(spec, zeros, preprocess.width, preprocess.height, 0.5)


@SHARED_FOLDER
@given(plain=mutated(json.loads(to_json(seal(MANIFEST)))))
def test_any_manifest_is_consistent_or_refused(tmp_path: Path, plain: Any) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(plain))
    try:
        manifest = read_manifest(file)
    except MobileqError:
        return
    assert contradiction(manifest.model) is None
    if manifest.model.preprocess is not None:
        absurd_range(manifest.model.preprocess)
    for artifact in manifest.artifacts:
        spec = artifact.decode or manifest.model.decode
        if spec is not None:
            decodes_or_says_why(spec, artifact.outputs, manifest.model.preprocess)


def as_toml(value: Any) -> str:
    """One value in TOML's inline form; texts and numbers are as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps("none" if value is None else value)


TABLES = {
    "preprocess": {
        name: value
        for name, value in json.loads(to_json(MODEL.preprocess)).items()
        if value is not None
    },
    "decode": json.loads(to_json(MODEL.decode)),
}


@SHARED_FOLDER
@given(tables=mutated(TABLES), words=st.sampled_from(["", "nan", "inf", "-inf"]))
def test_any_spec_file_is_consistent_or_refused(tmp_path: Path, tables: Any, words: str) -> None:
    file = tmp_path / "spec.toml"
    text = "".join(f"{name} = {as_toml(table)}\n" for name, table in tables.items())
    file.write_text(text.replace("0.45", words) if words else text)
    known = recognise_shapes(MODEL.inputs, MODEL.outputs, {})
    try:
        found = apply_overrides(known, read_spec_file(file))
    except MobileqError:
        return
    fields = {name: getattr(found.spec, name) for name in ("preprocess", "decode", "labels")}
    model = msgspec.structs.replace(MODEL, **fields)
    assert consistent_model(model, "it", "") == model
    if model.decode is not None:
        decodes_or_says_why(model.decode, model.outputs, model.preprocess)


@SHARED_FOLDER
@given(
    metadata=st.dictionaries(
        st.sampled_from(["names", "task", "stride", "imgsz", "nc"]),
        st.sampled_from(["{0: 'a'}", "{1000000000: 'a'}", "{-1: 'a'}", "[640, 640]", "0", "-8"])
        | st.text(max_size=20),
    )
)
def test_any_metadata_of_others_gives_a_consistent_model(metadata: dict[str, str]) -> None:
    found = recognise_shapes(MODEL.inputs, MODEL.outputs, metadata)
    model = msgspec.structs.replace(
        MODEL, preprocess=found.spec.preprocess, decode=found.spec.decode, labels=found.spec.labels
    )
    assert contradiction(model) is None


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        (((1, 8),), "'o0' [1, 8] does not hold 7 for a picture"),
        (
            ((1, 7), (1, 7)),
            "classes are read of one output, or of those that heads name; the model has 2",
        ),
        (((1, 7),), None),
        (((4, 7, 1, 1),), None),
        (((-1, 7),), None),
    ],
)
def test_classes_are_held_against_the_output(
    shapes: tuple[tuple[int, ...], ...], why: str | None
) -> None:
    model = ModelSpec(
        name="m",
        task="classify",
        family=None,
        inputs=(),
        outputs=tuple(
            TensorSpec(name=f"o{at}", shape=shape, dtype="float32")
            for at, shape in enumerate(shapes)
        ),
        classes=ClassesSpec(class_count=7),
        labels=tuple("abcdefg"),
    )
    found = contradiction(model)
    assert found == (why and f"field `classes.class_count`: {why}")


AGE, GENDER = (
    ClassHead(name="age", output="o0", class_count=5),
    ClassHead(name="gender", output="o1", class_count=2, values="probabilities"),
)


@pytest.mark.parametrize(
    ("count", "heads", "why"),
    [
        (7, (AGE, GENDER), None),
        (2, (GENDER,), None),
        (8, (AGE, GENDER), "`classes.class_count`: it is 8; the heads have 7 together"),
        (10, (AGE, AGE), "`classes.heads[1].output`: 'o0' is there twice"),
        (
            *(7, (AGE, msgspec.structs.replace(GENDER, output="o2"))),
            "`classes.heads[1].output`: the model has no output 'o2'; its outputs are 'o0', 'o1'",
        ),
        (
            *(8, (AGE, msgspec.structs.replace(GENDER, class_count=3))),
            "`classes.heads[1].class_count`: 'o1' [1, 2] does not hold 3 for a picture",
        ),
    ],
)
def test_heads_are_held_against_their_outputs(
    count: int, heads: tuple[ClassHead, ...], why: str | None
) -> None:
    model = ModelSpec(
        name="m",
        task="classify",
        family=None,
        inputs=(),
        outputs=(
            TensorSpec(name="o0", shape=(1, 5), dtype="float32"),
            TensorSpec(name="o1", shape=(1, 2), dtype="float32"),
        ),
        classes=ClassesSpec(class_count=count, heads=heads),
        labels=tuple(f"class {at}" for at in range(count)),
    )
    assert contradiction(model) == (why and f"field {why}")
