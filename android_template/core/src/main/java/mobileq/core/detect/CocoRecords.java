package mobileq.core.detect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.image.Frame;
import mobileq.core.json.JsonWriter;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Records;

/**
 * Boxes in COCO's format: {@code images}, {@code categories}, and {@code annotations} with scores,
 * which are COCO results as well. Images are numbered from 1, categories as the model's classes are,
 * from 0; boxes are x, y, width, height in pixels of the upright picture.
 */
final class CocoRecords implements Records {
    private final Detections found;
    private final List<Object> images = new ArrayList<>();
    private final List<Object> categories = new ArrayList<>();
    private final List<Object> annotations = new ArrayList<>();

    CocoRecords(ModelSpec model, Detections found) {
        this.found = found;
        int count = model.decode() == null ? model.labels().size() : model.decode().classCount();
        for (int classId = 0; classId < count; classId++) {
            Map<String, Object> category = new LinkedHashMap<>();
            category.put("id", classId);
            category.put("name", model.label(classId));
            categories.add(category);
        }
    }

    @Override
    public void add(Picture picture, Frame frame) {
        Map<String, Object> image = new LinkedHashMap<>();
        image.put("id", images.size() + 1);
        image.put("file_name", picture.name());
        image.put("width", picture.width());
        image.put("height", picture.height());
        images.add(image);
        for (int i = 0; i < found.count(); i++) {
            List<Object> box = box(i, picture, frame);
            Map<String, Object> annotation = new LinkedHashMap<>();
            annotation.put("id", annotations.size() + 1);
            annotation.put("image_id", images.size());
            annotation.put("category_id", found.classId(i));
            annotation.put("bbox", box);
            annotation.put("area", rounded((double) box.get(2) * (double) box.get(3)));
            annotation.put("iscrowd", 0);
            annotation.put("score", Math.round(1e6 * found.score(i)) / 1e6);
            annotations.add(annotation);
        }
    }

    /** Turned as the picture is, and as large as it is in its file. */
    private List<Object> box(int index, Picture picture, Frame frame) {
        double left = found.left(index);
        double top = found.top(index);
        double right = found.right(index);
        double bottom = found.bottom(index);
        double[] corners; // of the upright frame
        switch (frame.rotation) {
            case 90:
                corners = new double[] {frame.height - bottom, left, frame.height - top, right};
                break;
            case 180:
                corners =
                        new double[] {
                            frame.width - right, frame.height - bottom,
                            frame.width - left, frame.height - top
                        };
                break;
            case 270:
                corners = new double[] {top, frame.width - right, bottom, frame.width - left};
                break;
            default:
                corners = new double[] {left, top, right, bottom};
        }
        boolean isUpright = frame.rotation % 180 == 0;
        double acrossScale = (double) picture.width() / (isUpright ? frame.width : frame.height);
        double downScale = (double) picture.height() / (isUpright ? frame.height : frame.width);
        return Arrays.asList(
                rounded(corners[0] * acrossScale),
                rounded(corners[1] * downScale),
                rounded((corners[2] - corners[0]) * acrossScale),
                rounded((corners[3] - corners[1]) * downScale));
    }

    private static double rounded(double pixels) {
        return Math.round(1e3 * pixels) / 1e3;
    }

    @Override
    public int count() {
        return images.size();
    }

    @Override
    public String json() {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("images", images);
        document.put("categories", categories);
        document.put("annotations", annotations);
        return JsonWriter.write(document);
    }
}
