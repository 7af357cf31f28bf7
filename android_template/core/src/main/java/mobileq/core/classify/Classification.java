package mobileq.core.classify;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.check.Comparison;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.classes.ClassHead;
import mobileq.core.manifest.classes.ClassValues;
import mobileq.core.manifest.classes.ClassesSpec;
import mobileq.core.run.Reader;
import mobileq.core.run.Records;
import mobileq.core.run.Task;
import mobileq.core.tensor.Tensor;

/** Telling which class a picture is of, or which of several kinds. */
public final class Classification implements Task {
    /** So many classes are told of each head, the best. */
    public static final int MOST = 5;

    private List<TopClasses> best = Collections.emptyList();

    @Override
    public Reader reader(Manifest manifest, Artifact artifact, List<Tensor> outputs)
            throws BundleException {
        String model = manifest.model().name();
        if (outputs.isEmpty()) {
            throw new BundleException(model + " has no output to read.");
        }
        List<TopClasses> found = new ArrayList<>();
        List<Reader> readers = new ArrayList<>();
        int first = 0;
        for (ClassHead head : heads(manifest.model().classes(), outputs.get(0))) {
            Tensor values = output(model, head, outputs);
            TopClasses top = new TopClasses(MOST, first);
            boolean isLogits = head.values() == ClassValues.LOGITS;
            found.add(top);
            readers.add(
                    (letterbox, frame) -> {
                        top.read(values);
                        if (isLogits) {
                            top.softmax(values);
                        }
                    });
            first += head.classCount();
        }
        best = Collections.unmodifiableList(found);
        return (letterbox, frame) -> {
            for (int head = 0; head < readers.size(); head++) {
                readers.get(head).read(letterbox, frame);
            }
        };
    }

    /** A list of pictures. */
    @Override
    public Records records(ModelSpec model) {
        return new ClassRecords(model, this);
    }

    /** All that are read; where nobody knows what the values are, they are told as they are. */
    private static List<ClassHead> heads(ClassesSpec spec, Tensor one) {
        if (spec != null && !spec.heads().isEmpty()) {
            return spec.heads();
        }
        String name = one.spec().name();
        int count = spec == null ? one.spec().elementCount() : spec.classCount();
        ClassValues values = spec == null ? ClassValues.PROBABILITIES : spec.values();
        return Collections.singletonList(new ClassHead(name, name, count, values));
    }

    private static Tensor output(String model, ClassHead head, List<Tensor> outputs)
            throws BundleException {
        for (Tensor output : outputs) {
            if (!output.spec().name().equals(head.output())) {
                continue;
            }
            if (output.spec().elementCount() != head.classCount()) {
                throw new BundleException(
                        model
                                + " gives "
                                + output.spec().elementCount()
                                + " values where its manifest has "
                                + head.classCount()
                                + " classes.");
            }
            return output;
        }
        throw new BundleException(model + " has no output '" + head.output() + "'.");
    }

    @Override
    public Comparison comparison(Manifest manifest, Artifact artifact) {
        return manifest.model().classes() == null ? null : new ClassComparison();
    }

    /** The best classes of the latest picture, of each head; on the thread that reads. */
    public List<TopClasses> best() {
        return best;
    }
}
