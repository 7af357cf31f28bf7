"""Files of a bundle in the runner: what they give there is what they give here."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mobileq.bundle import read_bundle
from mobileq.device.runner.client import RunnerClient
from mobileq.device.runner.remote import RemoteRunner, RunnerPlace
from mobileq.errors import DeviceError, UsageError, VerificationError
from mobileq.manifest import BundleManifest
from mobileq.progress import Silent, listen
from mobileq.spec import Artifact
from mobileq.targets.registry import load_target
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.vision.image_file import read_image
from mobileq.vision.preprocess import dequantize, preprocess, quantize
from tests.android import jvm
from tests.device.runner import java
from tests.device.runner.conftest import DEMO

PHOTO = DEMO / "validation" / "images" / "003.jpg"
FLOAT, INTEGER = 0, 1


@pytest.fixture(scope="session")
def manifest(bundle: Path) -> BundleManifest:
    return read_bundle(bundle).manifest


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    return read_image(PHOTO)


@pytest.fixture
def told() -> Iterator[list[str]]:
    listener = Silent()
    listen(listener)
    yield listener.notices
    listen(Silent())


def feeds_of(manifest: BundleManifest, photo: np.ndarray, rotation: int = 0):
    assert manifest.model.preprocess is not None
    tensor, transform = preprocess(photo, manifest.model.preprocess, rotation=rotation)
    return {manifest.model.inputs[0].name: tensor}, transform


def test_a_float_file_gives_there_what_it_gives_here(
    place: RunnerPlace, bundle: Path, manifest: BundleManifest, photo: np.ndarray
):
    artifact, (feeds, _) = manifest.artifacts[FLOAT], feeds_of(manifest, photo)
    target = load_target(artifact.target)
    with closing(target.open(bundle / artifact.path, artifact.inputs, artifact.outputs)) as here:
        wanted = here.run(feeds)
    with closing(RemoteRunner(place, artifact, threads=1)) as there:
        found = there.run(feeds)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        assert np.abs(found[name] - array).max() <= 1e-5 * np.abs(array).max() > 0, name


def test_an_integer_file_gives_there_what_the_same_kernels_give_here(
    place: RunnerPlace, bundle: Path, manifest: BundleManifest, photo: np.ndarray
):
    """XNNPACK's kernels, which the interpreter here takes by itself, round otherwise."""
    artifact, (feeds, _) = manifest.artifacts[INTEGER], feeds_of(manifest, photo)
    with closing(RemoteRunner(place, artifact, threads=1)) as there:
        found = there.run(feeds)
    wanted = plain_kernels(bundle / artifact.path, artifact, feeds)
    same = np.concatenate([np.isclose(found[k], wanted[k], atol=1e-4).ravel() for k in wanted])
    # Two releases of TFLite: in one of them an op or two rounds otherwise.
    assert same.mean() > 0.95
    assert len(np.unique(np.concatenate([found[name].ravel() for name in found]))) > 100


def plain_kernels(path: Path, artifact: Artifact, feeds: dict[str, np.ndarray]):
    """What TFLite's own kernels give, without a delegate."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    (spec,), (detail,) = artifact.inputs, interpreter.get_input_details()
    array = feeds[spec.name]
    stored = array.transpose(spec.permutation) if spec.permutation else array
    assert spec.quant is not None
    interpreter.set_tensor(detail["index"], quantize(stored, spec.quant, spec.dtype))
    interpreter.invoke()
    outputs = {}
    for spec, detail in zip(artifact.outputs, interpreter.get_output_details(), strict=True):
        assert spec.quant is not None
        real = dequantize(interpreter.get_tensor(detail["index"]), spec.quant)
        order = np.argsort(spec.permutation) if spec.permutation else range(real.ndim)
        outputs[spec.name] = real.transpose(tuple(order))
    return outputs


@pytest.mark.parametrize("at", [FLOAT, INTEGER])
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_frame_becomes_the_tensor_that_python_makes_of_it_and_its_boxes(
    at: int, rotation: int, place: RunnerPlace, manifest: BundleManifest, photo: np.ndarray
):
    artifact = manifest.artifacts[at]
    frame = np.ascontiguousarray(np.rot90(photo, rotation // 90))
    feeds, transform = feeds_of(manifest, frame, rotation)
    with closing(RemoteRunner(place, artifact, threads=1)) as there:
        wanted = there.run(feeds)
        found, analysed = there.analyse(frame, rotation)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    decode = artifact.decode or manifest.model.decode
    assert decode is not None
    boxes = postprocess(decode, found, transform, Thresholds.display(decode))
    assert len(boxes) > 1
    np.testing.assert_allclose(analysed.answer["boxes"], boxes.xyxy, atol=1e-3)
    np.testing.assert_allclose(analysed.answer["scores"], boxes.score, atol=1e-6)
    np.testing.assert_array_equal(analysed.answer["class_ids"], boxes.class_id)
    assert min(analysed.preprocess_ns, analysed.inference_ns, analysed.postprocess_ns) > 0


def test_a_classifier_tells_its_classes(command: tuple[str, ...], classifier: Path):
    (artifact,) = read_bundle(classifier).manifest.artifacts
    red = np.full((40, 50, 3), (255, 0, 0), np.uint8)
    with closing(RemoteRunner(java.place_of(command, classifier), artifact)) as there:
        outputs, analysed = there.analyse(red)
    (values,) = outputs.values()
    assert analysed.answer["class_ids"][0] == values.argmax() == 0
    assert analysed.answer["scores"][0] == values.max()


def test_times_are_measured_where_it_runs(place: RunnerPlace, manifest: BundleManifest, photo):
    with closing(RemoteRunner(place, manifest.artifacts[FLOAT], threads=1)) as there:
        seconds = there.latency(feeds_of(manifest, photo)[0], 3, 1)
        benched = there.bench(photo, warmup=1, runs=4)
        assert there.loaded.load_ns > 0
    assert len(seconds) == 3
    assert min(seconds) > 0
    for part in (benched.preprocess, benched.inference, benched.postprocess):
        assert part.shape == (4,)
        assert part.min() > 0
    assert benched.memory.peak_bytes >= benched.memory.resident_bytes > 1 << 20


def test_it_says_what_runs_and_where(place: RunnerPlace, manifest: BundleManifest):
    with closing(RemoteRunner(place, manifest.artifacts[FLOAT], threads=3)) as there:
        assert there.interpreter == "TFLite 2.18 (desktop), CPU, threads: 3, this Java"
        assert there.delegations == ()


def test_an_accelerator_that_is_not_there_is_an_error_and_no_slow_cpu(
    place: RunnerPlace, manifest: BundleManifest
):
    with pytest.raises(VerificationError) as raised:
        RemoteRunner(place, manifest.artifacts[FLOAT], "gpu")
    assert raised.value.message == (
        "tflite-fp32 does not run on this Java (GPU): no GPU on a desktop."
    )


def test_a_target_that_the_runner_has_nothing_for_is_a_usage_error(
    place: RunnerPlace, manifest: BundleManifest
):
    artifact = msgspec.structs.replace(manifest.artifacts[FLOAT], target="other")
    with pytest.raises(UsageError, match="nothing to run other-fp32 with"):
        RemoteRunner(place, artifact)


def test_a_runner_that_is_killed_costs_one_picture_and_no_answer(
    place: RunnerPlace, manifest: BundleManifest, photo: np.ndarray, told: list[str]
):
    feeds, _ = feeds_of(manifest, photo)
    with closing(RemoteRunner(place, manifest.artifacts[INTEGER], threads=1)) as there:
        before = there.run(feeds)
        assert there._client is not None
        os.kill(there._client.hello.pid, signal.SIGKILL)
        after = there.run(feeds)
        assert there.restarts == 1
        again = there.run(feeds)
        assert there.restarts == 1
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
        np.testing.assert_array_equal(again[name], array)
    assert told == ["The runner on this Java was lost (it ended); it starts again."]


def test_a_file_that_ends_the_runner_twice_is_an_error(
    place: RunnerPlace, manifest: BundleManifest, photo: np.ndarray, told: list[str]
):
    with closing(RemoteRunner(place, manifest.artifacts[FLOAT], threads=1)) as there:

        def killed(client: RunnerClient) -> None:
            os.kill(client.hello.pid, signal.SIGKILL)
            client.analyse(photo)

        with pytest.raises(VerificationError) as raised:
            there._again(killed)
    assert raised.value.message == (
        "tflite-fp32 ended the runner on this Java twice, on the CPU: it ended."
    )
    assert len(told) == 1


def test_a_place_that_stays_away_is_an_error(place: RunnerPlace, manifest: BundleManifest, photo):
    waited: list[float] = []
    away = replace(place, is_back=lambda limit_s: waited.append(limit_s) is not None)
    with closing(RemoteRunner(away, manifest.artifacts[FLOAT], threads=1)) as there:
        assert there._client is not None
        os.kill(there._client.hello.pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="this Java went away"):
            there.analyse(photo)
    assert waited == [60.0]


def test_a_runner_that_does_not_start_says_why(bundle: Path, manifest: BundleManifest):
    dying = ("sh", "-c", "echo app_process: inaccessible or not found >&2; exit 127")
    with pytest.raises(DeviceError) as raised:
        RemoteRunner(java.place_of(dying, bundle), manifest.artifacts[FLOAT], "gpu")
    assert raised.value.message == (
        "The runner does not start on this Java: it ended: app_process: inaccessible or not found."
    )


def test_a_program_that_is_not_there_is_named(bundle: Path, manifest: BundleManifest):
    with pytest.raises(DeviceError, match="no-such-adb does not start: No such file"):
        RemoteRunner(java.place_of(("no-such-adb",), bundle), manifest.artifacts[FLOAT])


def test_what_a_shell_prints_before_and_between_is_passed_over(
    command: tuple[str, ...], bundle: Path, manifest: BundleManifest, photo: np.ndarray
):
    noisy = 'echo "WARNING: linker: text relocations"; (sleep 1; echo late) & exec "$@"'
    place = java.place_of(("sh", "-c", noisy, "sh", *command), bundle)
    with closing(RemoteRunner(place, manifest.artifacts[FLOAT], threads=1)) as there:
        for _ in range(3):
            there.run(feeds_of(manifest, photo)[0])
        assert there.restarts == 0


def test_a_bundle_that_is_not_there_says_where_it_was_looked_for(
    command: tuple[str, ...], manifest: BundleManifest, tmp_path: Path
):
    with pytest.raises(VerificationError) as raised:
        RemoteRunner(java.place_of(command, tmp_path), manifest.artifacts[FLOAT])
    assert f"{tmp_path} is no bundle" in raised.value.message
    assert raised.value.hint == "Push the bundle again."


def test_a_file_that_was_cut_on_its_way_is_named(
    command: tuple[str, ...], bundle: Path, manifest: BundleManifest, tmp_path: Path
):
    artifact = manifest.artifacts[FLOAT]
    (tmp_path / "models").mkdir()
    (tmp_path / "manifest.json").write_bytes((bundle / "manifest.json").read_bytes())
    (tmp_path / artifact.path).write_bytes((bundle / artifact.path).read_bytes()[:-1])
    with pytest.raises(
        VerificationError, match=f"bytes where the manifest says {artifact.size_bytes}"
    ):
        RemoteRunner(java.place_of(command, tmp_path), artifact)


def test_mnn_takes_frames_and_finds_what_python_finds(
    command: tuple[str, ...], mnn_bundle: Path, photo: np.ndarray, tmp_path: Path
):
    """MNN's own functions for Java there are for Android alone: see tests/android/desktop."""
    for name in ("MNN", "mnncore"):
        shutil.copy(jvm.jdk() / "lib" / "libjsig.so", tmp_path / f"lib{name}.so")
    options = {
        "java.library.path": tmp_path,
        "python": sys.executable,
        "mnn.server": jvm.ROOT / "tests/android/desktop/mnn_server.py",
    }
    started = (command[0], *(f"-D{name}={value}" for name, value in options.items()), *command[1:])
    manifest = read_bundle(mnn_bundle).manifest
    (artifact,) = manifest.artifacts
    feeds, _ = feeds_of(manifest, photo)
    target = load_target("mnn")
    path = mnn_bundle / artifact.path
    with closing(target.open(path, artifact.inputs, artifact.outputs)) as here:
        wanted = here.run(feeds)
    with closing(RemoteRunner(java.place_of(started, mnn_bundle), artifact, threads=1)) as there:
        assert not there.loaded.takes_tensors
        found, analysed = there.analyse(photo)
    preprocess = manifest.model.preprocess
    place = java.place_of(started, mnn_bundle)
    with closing(RemoteRunner(place, artifact, threads=1, preprocess=preprocess)) as there:
        ran = there.run(feeds)
        with pytest.raises(VerificationError, match="holds values that no pixel has"):
            there.run({name: array + 0.001 for name, array in feeds.items()})
    for name, array in wanted.items():
        assert np.abs(found[name] - array).max() <= 1e-4 * np.abs(array).max()
        np.testing.assert_array_equal(ran[name], found[name])
    assert len(analysed.answer["boxes"]) > 1
