"""Models whose head can't be cut off, or would not be read the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from mobileq.errors import UsageError
from mobileq.spec.decode import HeadOutput
from mobileq.tasks.detect.raw_head import cut_at, raw_head, same_detections
from tests.graph import builders
from tests.tasks.detect import head_builders as heads
from tests.tasks.detect import split_builders

from .head_builders import prepared
from .raw_heads import YOLOV8, candidates, decode_of, refusal, roles, with_decode
from .suppression_builders import suppressed


def test_ssd_is_refused(tmp_path: Path):
    message = refusal(prepared(builders.ssd(), tmp_path))
    assert "an ssd head has its post-processing in the graph" in message


def test_boxes_and_scores_of_one_convolution_are_refused(tmp_path: Path):
    given = prepared(split_builders.yolov4(), tmp_path)
    assert "'m8' changes box and class of the decoded split output" in refusal(given)


def test_distances_from_another_point_are_refused(tmp_path: Path):
    """DAMO-YOLO's begin in a cell's corner, and are of logits with a factor."""
    given = prepared(split_builders.damoyolo(extra=0), tmp_path)
    middle = with_decode(given.spec, centre_offset=None)
    assert "on a drawn picture, boxes differ by up to" in refusal(given, middle)


def test_more_classes_than_are_read_are_refused(tmp_path: Path):
    given = prepared(split_builders.damoyolo(), tmp_path)
    assert "'c8' (class_logits) has 6 values per cell where 5 are expected" in refusal(given)


def test_a_model_that_is_no_detector_is_refused(tmp_path: Path):
    message = refusal(prepared(builders.small_model(), tmp_path))
    assert "not known" in message


def test_a_detector_without_convolutions_is_refused(tmp_path: Path):
    given = prepared(heads.yolox(), tmp_path)
    bare = builders.model_of(
        """g (float[1,3,160,192] images) => (float[1,630,9] output) {
            flat = Reshape(images, all)
            few = Slice(flat, zero, count)
            output = Reshape(few, rows)
        }""",
        {
            "all": builders.ints(-1),
            "zero": builders.ints(0),
            "count": builders.ints(630 * 9),
            "rows": builders.ints(1, 630, 9),
        },
    )
    with pytest.raises(UsageError, match="there are none"):
        raw_head(bare, given.spec)


@pytest.mark.parametrize(
    ("network", "family", "reason"),
    [
        (heads.yolov8(offset=0.0), "yolov8", r"boxes differ by up to \d+ pixels"),
        (heads.yolov8(temperature=1.1), "yolov8", r"scores differ by up to 0\.\d+"),
        # What no drawn picture shows: scores above 0.95.
        (heads.yolov8(ceiling=3.0, gain=0.3), "yolov8", "on drawn logits, scores differ"),
        (heads.end2end(first_class=1), "yolov10", "no candidate is like one"),
        (heads.yolov5(scale=2.5), "yolov5", r"boxes differ by up to \d"),
        (heads.yolov5(anchors_known=False), "yolov5", "anchors of its boxes were not found"),
        (builders.yolov8(), "yolov8", "boxes differ"),
    ],
)
def test_decoding_that_deviates_is_refused(
    network: ModelProto, family: str, reason: str, tmp_path: Path
):
    given = prepared(network, tmp_path, family)
    with pytest.raises(UsageError, match=reason):
        raw_head(given.model, given.spec)


def test_a_family_that_is_not_the_models_is_refused(tmp_path: Path):
    given = prepared(heads.yolov8(5), tmp_path, "yolov8")
    message = refusal(given, with_decode(given.spec, kind="yolox", class_count=4))
    assert "for stride 8" in message or "changes" in message


def test_other_class_counts_are_refused(tmp_path: Path):
    given = prepared(heads.end2end(4), tmp_path)
    message = refusal(given, with_decode(given.spec, class_count=80))
    assert "'c8' (class_logits) has 4 values per cell where 80 are expected" in message
    given = prepared(heads.yolox(4), tmp_path)
    assert "no axis holds" in refusal(given, with_decode(given.spec, class_count=5))


def test_decided_heads_must_agree_in_every_row(tmp_path: Path):
    given = prepared(heads.end2end(4), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    assert same_detections(given.model, model, given.spec, spec, 5) is None
    outputs = list(decode_of(spec).outputs)
    moved = with_decode(spec, distance_bins=tuple(k + 0.01 for k in range(16)))
    reason = same_detections(given.model, model, given.spec, moved, 5)
    assert reason is not None
    assert "no candidate is like one of the decoded head's" in reason
    fewer = with_decode(spec, strides=(32,), outputs=tuple(o for o in outputs if o.stride == 32))
    assert "candidates instead of" in str(same_detections(given.model, model, given.spec, fewer, 5))


def test_suppression_in_the_graph_is_refused(tmp_path: Path):
    """Its rows are read as an end-to-end head's, whose raw head nobody suppresses."""
    given = prepared(suppressed(1), tmp_path)
    assert "its graph suppresses overlapping boxes" in refusal(given)


def test_a_decided_head_may_not_have_what_the_graph_drops(tmp_path: Path):
    ranked, given = prepared(heads.end2end(1), tmp_path), prepared(suppressed(1), tmp_path)
    model, spec = raw_head(ranked.model, ranked.spec)
    assert "that the decoded head has not" in str(
        same_detections(given.model, model, given.spec, spec, 5)
    )


@pytest.mark.parametrize("kept", [2, 50])
def test_a_head_whose_top_is_shorter_is_compared_as_far_as_it_goes(kept: int, tmp_path: Path):
    given = prepared(heads.end2end(4, kept=kept), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    picture = np.random.default_rng(3).integers(0, 256, (160, 192, 3), np.uint8)
    few, many = candidates(given.model, given.spec, picture), candidates(model, spec, picture)
    assert (len(few), len(many)) == (kept, 300)
    assert roles(spec) == YOLOV8
    np.testing.assert_allclose(many.xyxy[:kept], few.xyxy, rtol=0, atol=0.01)


def test_exchanged_branches_are_found_out(tmp_path: Path):
    given = prepared(heads.yolov8(64), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    exchanged = with_decode(
        spec,
        outputs=tuple(
            HeadOutput(
                name=output.name,
                role="class_logits" if output.role != "class_logits" else "box_distribution",
                stride=output.stride,
            )
            for output in decode_of(spec).outputs
        ),
    )
    assert same_detections(given.model, model, given.spec, spec, 1) is None
    assert "differ" in str(same_detections(given.model, model, given.spec, exchanged, 1))


def test_a_missing_output_is_a_reason(tmp_path: Path):
    given = prepared(heads.yolov8(), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    shorter = cut_at(model, [output.name for output in spec.outputs[1:]])
    assert "'b8' is missing" in str(same_detections(given.model, shorter, given.spec, spec, 1))


def test_boxes_beyond_float32_are_alike(tmp_path: Path):
    given = prepared(heads.yolox(gain=6.0), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    picture = np.random.default_rng(3).integers(0, 256, (160, 192, 3), np.uint8)
    assert not np.isfinite(candidates(model, spec, picture).xyxy).all()
    assert same_detections(given.model, model, given.spec, spec, 2) is None


def test_unread_outputs_do_not_count(tmp_path: Path):
    """Exports of older training graphs give their feature maps as further outputs."""
    network = heads.yolov8()
    extra = builders.model_of(
        """g (float[1] feature8) => (float[1] map) {
            more = Conv(feature8, extra_w)
            map = Relu(more)
        }"""
    )
    network.graph.node.extend(extra.graph.node)
    network.graph.initializer.append(
        numpy_helper.from_array(np.ones((2, heads.FEATURES, 1, 1), np.float32), "extra_w")
    )
    value = network.graph.output.add()
    value.CopyFrom(extra.graph.output[0])
    value.type.tensor_type.shape.dim[0].dim_value = 1
    for length in (2, heads.HEIGHT // 8, heads.WIDTH // 8):
        value.type.tensor_type.shape.dim.add().dim_value = length
    given = prepared(network, tmp_path, "yolov8")
    assert len(given.spec.outputs) == 2
    assert roles(raw_head(given.model, given.spec)[1]) == YOLOV8
