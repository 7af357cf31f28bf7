package mobileq.core.manifest;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.manifest.classes.ClassesSpec;
import mobileq.core.manifest.decode.DecodeSpec;

/**
 * A model as everything else sees it.
 *
 * @param name For people.
 * @param task What it does: {@code detect}, {@code classify}; which there are is up to those that
 *     show them.
 * @param family Null where it is not known.
 * @param inputs In the model's order; the first takes the picture.
 * @param outputs In the model's order.
 * @param preprocess Null where it takes no picture.
 * @param decode Null where its outputs can't be decoded.
 * @param classes Null where its outputs can't be read as classes.
 * @param labels Class names; may be shorter than the classes, or empty.
 */
public record ModelSpec(
        String name,
        String task,
        String family,
        List<TensorSpec> inputs,
        List<TensorSpec> outputs,
        PreprocessSpec preprocess,
        DecodeSpec decode,
        ClassesSpec classes,
        List<String> labels) {
    static ModelSpec read(Fields fields) throws BundleException {
        return new ModelSpec(
                fields.text("name"),
                fields.text("task"),
                fields.textOrNull("family"),
                fields.objects("inputs", TensorSpec::read),
                fields.objects("outputs", TensorSpec::read),
                fields.objectOrNull("preprocess", PreprocessSpec::read),
                fields.objectOrNull("decode", DecodeSpec::read),
                fields.objectOrNull("classes", ClassesSpec::read),
                fields.texts("labels"));
    }

    /** The name of a class, or its number where it has none. */
    public String label(int classId) {
        return classId < labels.size() ? labels.get(classId) : Integer.toString(classId);
    }
}
