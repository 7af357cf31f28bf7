"""The manifest and canonical JSON: what is written is what is read, and nothing else is."""

import json
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mobileq.manifest
import mobileq.spec
from mobileq.errors import InputError
from mobileq.manifest import (
    BundleManifest,
    FileEntry,
    RunInfo,
    SourceInfo,
    content_hash,
    from_json,
    path_problem,
    read_manifest,
    seal,
    to_json,
    write_manifest,
)
from mobileq.spec import (
    Artifact,
    ModelSpec,
    PreprocessSpec,
    QuantRecipe,
    Spec,
    TensorRange,
    TensorSpec,
)

SPECS = [
    kind
    for module in (mobileq.spec, mobileq.manifest)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Spec) and kind is not Spec
]

NUMBERS_AND_TEXT: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=8),
    bool: st.booleans(),
    type(None): st.none(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as Spec types use them."""
    if kind in NUMBERS_AND_TEXT:
        return NUMBERS_AND_TEXT[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return bounded(args[0], args[1])
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values_of(arg) for arg in args])
    if origin is tuple and args[-1] is ...:
        return st.lists(values_of(args[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, args))
    if origin is dict:
        return st.dictionaries(values_of(args[0]), values_of(args[1]), max_size=2)
    fields = {field.name: values_of(field.type) for field in msgspec.structs.fields(kind)}
    values = st.fixed_dictionaries(fields)
    if kind is PreprocessSpec:
        values = values.flatmap(with_a_value_a_channel)
    return values.map(lambda values: kind(**values))


def with_a_value_a_channel(values: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Means and deviations as many as channels, without which there is no PreprocessSpec."""
    channels = 1 if values["channel_order"] == "GRAY" else 3
    types = {field.name: field.type for field in msgspec.structs.fields(PreprocessSpec)}
    lists = {
        name: st.tuples(*[values_of(typing.get_args(types[name])[0])] * channels)
        for name in ("image_mean", "image_std")
    }
    return st.fixed_dictionaries(lists).map(lambda lists: values | lists)


def bounded(kind: Any, bounds: msgspec.Meta) -> st.SearchStrategy[Any]:
    """Values of a field's type within its bounds."""
    if kind is int:
        return st.integers(bounds.ge, 2**63 - 1 if bounds.le is None else bounds.le)
    if kind is float:
        lowest = bounds.gt if bounds.ge is None else bounds.ge
        exclude = bounds.gt is not None
        return st.floats(lowest, bounds.le, exclude_min=exclude, allow_subnormal=False)
    if bounds.pattern:
        return st.from_regex(bounds.pattern, fullmatch=True)
    if kind is str:
        return st.text(min_size=bounds.min_length or 0, max_size=8)
    item = values_of(typing.get_args(kind)[0])
    return st.lists(item, min_size=bounds.min_length or 0, max_size=2).map(tuple)


def example_manifest(**changes: Any) -> BundleManifest:
    image = TensorSpec(name="images", shape=(1, 3, 8, 8), dtype="float32", layout="NCHW")
    artifact = Artifact(
        target="tflite",
        precision="int8",
        path="models/m-int8.tflite",
        sha256="ab" * 32,
        size_bytes=3,
        inputs=(image,),
        outputs=(),
        recipe=QuantRecipe(precision="int8"),
    )
    values: dict[str, Any] = {
        "model": ModelSpec(name="m", task="detect", family=None, inputs=(image,), outputs=()),
        "source": SourceInfo(file_name="m.onnx", sha256="cd" * 32, opset=17, size_bytes=10),
        "artifacts": (artifact,),
        "run": RunInfo(created="2024-05-01T12:00:00Z", command=("mobileq", "convert", "m.onnx")),
        "files": {"models/m-int8.tflite": FileEntry(sha256="ab" * 32, size_bytes=3)},
        "measurements": {"tflite-int8": {"map50_95": 0.25, "images": 64, "device": "host"}},
    }
    return BundleManifest(**(values | changes))


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.__name__)
def test_every_spec_reads_back_as_it_was_written(kind: type[Spec]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(values_of(kind))
    def check(value: Spec) -> None:
        data = to_json(value)
        read = from_json(data, kind, "file")
        assert read == value
        assert to_json(read) == data

    check()


def test_json_is_sorted_indented_and_ends_with_a_newline() -> None:
    assert to_json({"b": 1, "a": [0.1, None, "ä"]}) == (
        b'{\n  "a": [\n    0.1,\n    null,\n    "\xc3\xa4"\n  ],\n  "b": 1\n}\n'
    )


def test_whole_number_in_a_float_field_is_written_as_it_is_read() -> None:
    assert to_json(TensorRange(min=0, max=1)) == to_json(TensorRange(min=0.0, max=1.0))


class ByStride(Spec, frozen=True, kw_only=True):
    values: dict[int, float]


def test_numbers_as_keys_read_back() -> None:
    value = ByStride(values={8: 1, 16: 2.5})
    assert from_json(to_json(value), ByStride, "file") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_value_that_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_json({"a": value})


def test_value_of_the_wrong_type_is_not_written() -> None:
    with pytest.raises(msgspec.ValidationError, match="file_name"):
        to_json(SourceInfo(file_name=3, sha256="", opset=1, size_bytes=1))  # type: ignore[arg-type]


def test_manifest_reads_back_sealed(tmp_path: Path) -> None:
    written = write_manifest(example_manifest(), tmp_path / "manifest.json")
    assert read_manifest(tmp_path / "manifest.json") == written
    assert written.content_sha256 == content_hash(written)


def test_content_hash_covers_all_but_the_run_and_itself() -> None:
    manifest = example_manifest()
    again = example_manifest(run=RunInfo(created="later", command=("other",)))
    assert content_hash(seal(again)) == content_hash(manifest)
    for changes in (
        {"tool_versions": {"onnx": "1"}},
        {"measurements": {}},
        {"model": msgspec.structs.replace(manifest.model, name="n")},
    ):
        assert content_hash(example_manifest(**changes)) != content_hash(manifest)


AN_ENTRY = {"sha256": "ab" * 32, "size_bytes": 0}


def changed_json(**changes: Any) -> bytes:
    return json.dumps(json.loads(to_json(seal(example_manifest()))) | changes).encode()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (changed_json(surprise=1), "unknown field `surprise`"),
        (changed_json(source={"file_name": "m.onnx"}), "`source`: object missing required field"),
        (changed_json(tool_versions={"onnx": 1}), "`tool_versions[...]`: expected `str`"),
        (changed_json(schema_version=4), "newer mobileq (schema 4"),
        (changed_json(schema_version=0), "`schema_version`"),
        (changed_json(files={}), "'models/m-int8.tflite' is not in `files`"),
        (
            changed_json(
                files={"models/m-int8.tflite": {"sha256": "ab" * 32, "size_bytes": 4}},
            ),
            "`artifacts[0]`: size or hash differs",
        ),
        (
            changed_json(artifacts=[], files={"../x": AN_ENTRY}),
            "'../x' does not stay inside the bundle",
        ),
        (
            changed_json(artifacts=[], files={"manifest.json": AN_ENTRY}),
            "cannot list itself",
        ),
        (b"", "truncated"),
        (b"{}", "missing required field `model`"),
        (changed_json().replace(b"detect", b"\xff"), "not UTF-8"),
        (changed_json(**{"a\nb": 1}), "unknown field `a b`"),
        (b'{"measurements": {"a": {"b": 1e999}}}', "out of range"),
        (b"[" * 100_000, "expected `object`, got `array`"),
    ],
)
def test_unusable_manifest_is_refused_in_one_sentence(
    tmp_path: Path, data: bytes, part: str
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert part in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def test_missing_manifest_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        read_manifest(tmp_path / "none.json")


def test_manifest_that_contradicts_itself_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in `files`"):
        write_manifest(example_manifest(files={}), tmp_path / "manifest.json")
    assert not (tmp_path / "manifest.json").exists()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@st.composite
def damaged_manifests(draw: st.DrawFn) -> bytes:
    """A good manifest with one value, anywhere in it, replaced, removed or added to."""
    manifest = json.loads(to_json(seal(example_manifest())))
    node: Any = manifest
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
            node = node[key]
            continue
        node[key] = draw(JSON_VALUES)
        return as_json(manifest)


@settings(max_examples=150, deadline=None)
@given(data=damaged_manifests() | st.binary(max_size=60) | JSON_VALUES.map(as_json))
def test_any_bytes_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-manifest.json"
    path.write_bytes(data)
    message = ""
    try:
        manifest = read_manifest(path)
    except InputError as error:
        message = error.message
    else:
        assert from_json(to_json(manifest), BundleManifest, "again") == manifest
    assert "\n" not in message


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "C:/x", "a\\b", "a\0b"]
)
def test_path_that_leaves_the_bundle_has_a_problem(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", ["a", "models/m-int8.tflite", "golden/..a/b c.bin", "größe.txt"])
def test_path_inside_the_bundle_has_none(path: str) -> None:
    assert path_problem(path) is None


@given(st.text(max_size=12))
def test_path_without_a_problem_stays_inside(path: str) -> None:
    if path_problem(path) is None:
        assert Path("/bundle", path).resolve().is_relative_to("/bundle")
        assert Path("/bundle", path).resolve() != Path("/bundle")


def test_manifest_of_the_first_version_is_read_and_written_as_this_one(tmp_path: Path) -> None:
    first = json.loads(to_json(seal(example_manifest())))
    del first["failures"]
    first["schema_version"] = 1
    first["content_sha256"] = content_hash(first)
    path = tmp_path / "manifest.json"
    path.write_bytes(to_json(first))
    read = read_manifest(path)
    assert read.failures == ()
    assert read.content_sha256 == content_hash(json.loads(path.read_bytes()))
    assert write_manifest(read, path).schema_version == 3


def test_options_of_a_target_stood_among_the_fields_of_a_recipe(tmp_path: Path) -> None:
    second = json.loads(to_json(seal(example_manifest())))
    second["schema_version"] = 2
    recipe = second["artifacts"][0]["recipe"]
    del recipe["options"]
    recipe.update(mnn_method=None, mnn_weights=None)
    path = tmp_path / "manifest.json"
    path.write_bytes(to_json(second))
    assert read_manifest(path).artifacts[0].recipe.options == {}
    second["artifacts"][0]["target"] = "mnn"
    recipe.update(mnn_method="KL", mnn_weights="MAX_ABS")
    path.write_bytes(to_json(second))
    options = read_manifest(path).artifacts[0].recipe.options
    assert options == {"mnn_method": "KL", "mnn_weights": "MAX_ABS"}
    recipe["colour"] = "red"
    path.write_bytes(to_json(second))
    with pytest.raises(InputError, match="unknown field `colour`"):
        read_manifest(path)


def test_options_of_the_command_line_are_read_as_they_were_meant() -> None:
    words = (
        *(
            "mobileq",
            "convert",
            "--keep-float",
            "-conv",
            "--no-search",
            "model.onnx",
            "--calib=-odd",
        ),
        *("--keep-float=--two", "-oout", "--seed", "-3", "--", "--head"),
    )
    options = RunInfo(created="2024-05-01T12:00:00Z", command=words).options
    assert options == {
        "--keep-float": ["-conv", "--two"],
        "--no-search": [],
        "--calib": ["-odd"],
        "-o": ["out"],
        "--seed": ["-3"],
    }
