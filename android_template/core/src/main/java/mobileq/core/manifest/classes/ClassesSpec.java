package mobileq.core.manifest.classes;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * What the one output of a classifier holds.
 *
 * @param classCount How many classes there are.
 * @param values What there is for each of them.
 */
public record ClassesSpec(int classCount, ClassValues values) {
    private static final int MOST_CLASSES = 1_000_000;

    /** Reads a manifest's object strictly, as {@code Manifest.parse} does. */
    public static ClassesSpec read(Fields fields) throws BundleException {
        ClassesSpec spec =
                new ClassesSpec(
                        fields.integer("class_count"),
                        fields.constant("values", ClassValues.class, ClassValues.LOGITS));
        if (spec.classCount < 1 || spec.classCount > MOST_CLASSES) {
            throw fields.wrong("class_count", "%d classes", spec.classCount);
        }
        return spec;
    }
}
