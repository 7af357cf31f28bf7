package mobileq.core.detect.decode;

import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.HeadOutput;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;
import mobileq.core.tensor.Tensor;

/** Finds output tensors by their role and stride, and checks that they fit the specification. */
final class HeadTensors {
    final DecodeSpec spec;
    final int width;
    final int height;
    private final Map<String, Tensor> tensors;

    HeadTensors(DecodeSpec spec, int width, int height, Map<String, Tensor> tensors) {
        this.spec = spec;
        this.width = width;
        this.height = height;
        this.tensors = tensors;
    }

    /** The only output with one of the roles, of one stride or (null) of all. */
    HeadOutput find(Integer stride, OutputRole... roles) throws BundleException {
        HeadOutput found = null;
        int matches = 0;
        for (HeadOutput output : spec.outputs()) {
            boolean ofStride = stride == null || stride.equals(output.stride());
            for (OutputRole role : roles) {
                if (ofStride && output.role() == role) {
                    found = output;
                    matches++;
                }
            }
        }
        if (matches != 1) {
            throw new BundleException(
                    "Decoding "
                            + spec.kind()
                            + " needs one output with the role '"
                            + roles[0]
                            + "'"
                            + (stride == null ? "" : " for stride " + stride)
                            + ", not "
                            + matches
                            + ".");
        }
        return found;
    }

    boolean has(OutputRole role) {
        for (HeadOutput output : spec.outputs()) {
            if (output.role() == role) {
                return true;
            }
        }
        return false;
    }

    boolean hasOnly(OutputRole role) {
        for (HeadOutput output : spec.outputs()) {
            if (output.role() != role) {
                return false;
            }
        }
        return true;
    }

    Tensor tensor(HeadOutput output) throws BundleException {
        Tensor tensor = tensors.get(output.name());
        if (tensor == null) {
            throw new BundleException(
                    "The output '" + output.name() + "' is missing in the model file.");
        }
        return tensor;
    }

    Rows rows(HeadOutput output, int channels, Activation activation) throws BundleException {
        return new Rows(tensor(output), channels, false, activation);
    }

    /** The rows of one stride's output with that role: as many as the stride has cells. */
    Rows rows(int stride, OutputRole role, int channels, Activation activation)
            throws BundleException {
        Rows rows = rows(find(stride, role), channels, activation);
        checkCount(rows, cells(stride));
        return rows;
    }

    /** Columns of cells; a stride that does not divide the width leaves a last, partial one. */
    int columns(int stride) {
        return (width + stride - 1) / stride;
    }

    /** Cells of one stride. */
    int cells(int stride) {
        return columns(stride) * ((height + stride - 1) / stride);
    }

    int cellsOfAllStrides() {
        int total = 0;
        for (int stride : spec.strides()) {
            total += cells(stride);
        }
        return total;
    }

    void checkCount(Rows rows, int expected) throws BundleException {
        if (rows.count != expected) {
            throw new BundleException(
                    "The "
                            + spec.kind()
                            + " head gives "
                            + rows.count
                            + " anchors where its strides make "
                            + expected
                            + ".");
        }
    }
}
