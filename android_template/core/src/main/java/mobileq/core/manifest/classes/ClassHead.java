package mobileq.core.manifest.classes;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * One of several questions that a model answers, each in an output of its own.
 *
 * @param name What people call it: "age".
 * @param output The name of the output.
 * @param classCount How many classes there are.
 * @param values What there is for each of them.
 */
public record ClassHead(String name, String output, int classCount, ClassValues values) {
    static ClassHead read(Fields fields) throws BundleException {
        return new ClassHead(
                fields.text("name"),
                fields.text("output"),
                ClassesSpec.count(fields),
                fields.constant("values", ClassValues.class, ClassValues.LOGITS));
    }
}
