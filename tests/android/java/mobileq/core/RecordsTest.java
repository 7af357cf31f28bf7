package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Records;
import org.junit.jupiter.api.Test;

class RecordsTest {
    private static final ModelSpec MODEL =
            new ModelSpec(
                    "m", "detect", null, Collections.emptyList(), Collections.emptyList(), null,
                    null, null, Arrays.asList("tit", "owl \"of\" Ω"));

    private static Frame frame(int width, int height, int rotation) {
        Frame frame = new Frame();
        frame.pixels = new byte[4 * width * height];
        frame.describe(width, height, 4 * width, rotation);
        return frame;
    }

    /** Python reads the same file. */
    @Test
    void boxesAreThoseOfTheUprightPictureInItsFile() throws Exception {
        Detection detection = new Detection(Thresholds.evaluation());
        Records records = detection.records(MODEL);
        // One box from 3, 5 to 10, 20 of an upright picture of 30 x 40, as each camera stores it.
        float[][] stored = {
            {3, 5, 10, 20}, {5, 20, 20, 27}, {20, 20, 27, 35}, {20, 3, 35, 10}
        };
        for (int turn = 0; turn < 4; turn++) {
            detection.found().clear();
            float[] box = stored[turn];
            detection.found().add(box[0], box[1], box[2], box[3], 0.75f, 1);
            boolean isUpright = turn % 2 == 0;
            records.add(
                    new Records.Picture(turn + ".jpg", 60, 80),
                    frame(isUpright ? 30 : 40, isUpright ? 40 : 30, 90 * turn));
        }
        detection.found().clear();
        records.add(new Records.Picture("nothing.jpg", 30, 40), frame(30, 40, 0));
        assertEquals(5, records.count());
        String json = records.json();
        assertEquals(4, json.split("\"bbox\":\\[6.0,10.0,14.0,30.0\\]", -1).length - 1, json);
        String written = System.getProperty("records");
        if (written != null) {
            Files.write(Path.of(written), json.getBytes("UTF-8"));
        }
    }
}
