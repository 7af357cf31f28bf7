package mobileq.core.manifest.classes;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * What the one output of a classifier holds, or what those of several heads do.
 *
 * @param classCount How many classes there are, in all heads together: they are numbered one head
 *     after the other.
 * @param values What there is for each of them.
 * @param heads Empty where there is but one output.
 */
public record ClassesSpec(int classCount, ClassValues values, List<ClassHead> heads) {
    private static final int MOST_CLASSES = 1_000_000;

    /** Reads a manifest's object strictly, as {@code Manifest.parse} does. */
    public static ClassesSpec read(Fields fields) throws BundleException {
        return new ClassesSpec(
                count(fields),
                fields.constant("values", ClassValues.class, ClassValues.LOGITS),
                fields.objects("heads", ClassHead::read));
    }

    static int count(Fields fields) throws BundleException {
        int count = fields.integer("class_count");
        if (count < 1 || count > MOST_CLASSES) {
            throw fields.wrong("class_count", "%d classes", count);
        }
        return count;
    }
}
