package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Random;
import mobileq.core.image.Frame;
import mobileq.core.image.Letterbox;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.Interpolation;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.ResizeMode;
import org.junit.jupiter.api.Test;

class LetterboxTest {
    private static PreprocessSpec input(int width, int height, ResizeMode mode) {
        double[] zeros = {0, 0, 0};
        double[] ones = {1, 1, 1};
        return new PreprocessSpec(
                width,
                height,
                mode,
                114,
                ChannelOrder.RGB,
                1,
                zeros,
                ones,
                Layout.NCHW,
                Interpolation.BILINEAR,
                false,
                Math.min(width, height));
    }

    @Test
    void boxesComeBackToWhereTheyWere() {
        Random random = new Random(3);
        for (int round = 0; round < 2000; round++) {
            int width = 1 + random.nextInt(2000);
            int height = 1 + random.nextInt(2000);
            ResizeMode mode = ResizeMode.values()[round / 4 % 4];
            PreprocessSpec spec = input(1 + random.nextInt(700), 1 + random.nextInt(700), mode);
            Letterbox letterbox = Letterbox.fit(width, height, spec, 90 * (round % 4));
            float x = random.nextFloat() * width;
            float y = random.nextFloat() * height;
            float[] box = {x / 2, y / 3, x, y};
            float[] there = box.clone();
            letterbox.toModel(there);
            letterbox.toSource(there);
            // A picture squeezed into few pixels loses digits on the way.
            double pixels = 2e-3 * Math.max(1, width / (double) letterbox.resizedWidth());
            for (int side = 0; side < 4; side++) {
                assertEquals(box[side], there[side], pixels, letterbox.toString());
            }
        }
    }

    @Test
    void boxesAreLimitedToThePicture() {
        Letterbox letterbox = Letterbox.fit(200, 100, input(64, 64, ResizeMode.LETTERBOX), 0);
        float[] box = {-1e30f, -5, 70, 64};
        letterbox.toSource(box);
        assertEquals(0, box[0]);
        assertEquals(0, box[1]);
        assertEquals(200, box[2]);
        assertEquals(100, box[3]);
    }

    @Test
    void whatIsNoPictureIsRefused() {
        PreprocessSpec spec = input(64, 64, ResizeMode.STRETCH);
        assertThrows(IllegalArgumentException.class, () -> Letterbox.fit(0, 5, spec, 0));
        assertThrows(IllegalArgumentException.class, () -> Letterbox.fit(5, 5, spec, 45));
        Frame frame = new Frame();
        frame.pixels = new byte[399];
        assertThrows(IllegalArgumentException.class, () -> frame.describe(10, 10, 40, 0));
        frame.pixels = new byte[400];
        frame.describe(10, 10, 40, 0);
        assertThrows(IllegalArgumentException.class, () -> frame.crop(1, 0, 10, 10));
    }
}
