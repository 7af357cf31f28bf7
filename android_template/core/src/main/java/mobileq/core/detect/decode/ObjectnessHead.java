package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeKind;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/**
 * One tensor of [anchors, 5 + classes]: box, objectness, class scores, as YOLOv5 and its kin and
 * YOLOX give it. YOLOX's boxes usually still want grid and {@code exp}; where the specification
 * has no strides for it, they are boxes already.
 */
final class ObjectnessHead implements Head {
    /**
     * Scores of a sigmoid are at most 1; twice that leaves room for a quantized output's rounding
     * when rows are sorted out by their objectness alone.
     */
    private static final float HIGHEST_CLASS_SCORE = 2;

    private final Rows rows;
    private final ClassPicker picker;
    private final BoxReader box;
    private final int[] passing;
    private final boolean wantsGrid;
    private final DecodeSpec spec;
    private final int[] columns;
    private final int[] firstRow;

    ObjectnessHead(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        rows =
                tensors.rows(
                        tensors.find(null, OutputRole.PREDICTIONS),
                        5 + spec.classCount(),
                        Activation.NONE);
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
        passing = new int[rows.count];
        wantsGrid = spec.kind() == DecodeKind.YOLOX && spec.strides().length > 0;
        columns = new int[spec.strides().length];
        firstRow = new int[spec.strides().length + 1];
        for (int i = 0; i < columns.length; i++) {
            columns[i] = tensors.columns(spec.strides()[i]);
            firstRow[i + 1] = firstRow[i] + tensors.cells(spec.strides()[i]);
        }
        if (wantsGrid) {
            tensors.checkCount(rows, firstRow[columns.length]);
        }
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        float lowest = scoreThreshold / HIGHEST_CLASS_SCORE;
        int near = rows.reaching(4, 1, lowest, passing);
        int level = 0;
        for (int i = 0; i < near; i++) {
            int row = passing[i];
            if (!picker.reaches(rows, row, 5, rows.get(row, 4), scoreThreshold)) {
                continue;
            }
            if (wantsGrid) {
                while (row >= firstRow[level + 1]) {
                    level++;
                }
                int cell = row - firstRow[level];
                int column = cell % columns[level];
                int line = cell / columns[level];
                readCell(row, column, line, spec.strides()[level]);
            } else {
                box.read(rows.get(row, 0), rows.get(row, 1), rows.get(row, 2), rows.get(row, 3));
            }
            picker.add(found, everyClass, scoreThreshold, box.x1, box.y1, box.x2, box.y2);
        }
    }

    private void readCell(int row, float x, float y, float stride) {
        box.centred(
                (rows.get(row, 0) + x) * stride,
                (rows.get(row, 1) + y) * stride,
                RawYolox.exponential(rows.get(row, 2)) * stride,
                RawYolox.exponential(rows.get(row, 3)) * stride);
    }
}
