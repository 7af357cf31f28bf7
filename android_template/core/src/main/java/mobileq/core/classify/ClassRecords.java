package mobileq.core.classify;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.image.Frame;
import mobileq.core.json.JsonWriter;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.classes.ClassesSpec;
import mobileq.core.run.Records;

/** A list of pictures, each with its best classes, best first, head by head. */
final class ClassRecords implements Records {
    private final ModelSpec model;
    private final Classification classification;
    private final List<Object> pictures = new ArrayList<>();

    ClassRecords(ModelSpec model, Classification classification) {
        this.model = model;
        this.classification = classification;
    }

    @Override
    public void add(Picture picture, Frame frame) {
        List<TopClasses> best = classification.best();
        List<Object> classes = new ArrayList<>();
        for (int head = 0; head < best.size(); head++) {
            for (int rank = 0; rank < best.get(head).count(); rank++) {
                classes.add(told(head, best.get(head), rank));
            }
        }
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("file_name", picture.name());
        told.put("width", picture.width());
        told.put("height", picture.height());
        told.put("classes", classes);
        pictures.add(told);
    }

    private Map<String, Object> told(int head, TopClasses best, int rank) {
        Map<String, Object> told = new LinkedHashMap<>();
        ClassesSpec classes = model.classes();
        if (classes != null && classes.heads().size() > 1) {
            told.put("head", classes.heads().get(head).name());
        }
        told.put("class_id", best.classId(rank));
        told.put("label", model.label(best.classId(rank)));
        double value = Math.round(1e6 * best.score(rank)) / 1e6;
        told.put(classes == null ? "value" : "probability", value);
        return told;
    }

    @Override
    public int count() {
        return pictures.size();
    }

    @Override
    public String json() {
        return JsonWriter.write(pictures);
    }
}
