package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.app.ActivityManager;
import android.content.ComponentCallbacks2;
import android.os.Looper;
import android.view.View;
import androidx.camera.core.ImageAnalysis;
import com.taobao.android.mnn.MNNNetNative;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.gpu.CompatibilityList;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.gpu.GpuDelegateFactory;

/** Which model runs, on what, and how long it stays loaded. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class DeviceTest extends ScreenTest {
    @Test
    public void anMnnFileGetsItsPixelsByMnnsOwnConversion() throws Exception {
        app = new AppUnderTest(true);
        for (String precision : new String[] {"fp32", "int8"}) {
            app.choose(R.id.models, "mnn-" + precision);
            app.choose(R.id.devices, "CPU, 2");
            for (int rotation = 0; rotation < 360; rotation += 90) {
                CameraFrame frame = CameraFrame.read("mnn-" + precision + "-" + rotation);
                app.deliver(frame);
                assertSame(frame, app.shown());
            }
            String status = app.text(R.id.status);
            assertTrue(status, status.startsWith("MNN, CPU, threads: 2"));
            assertEquals(2, MNNNetNative.open);
        }
        int offered = app.list(R.id.devices).getCount();
        assertEquals("libMNN_CL.so and libMNN_Vulkan.so are missing", 3, offered);
        app.choose(R.id.models, "tflite-fp32");
        assertEquals(0, MNNNetNative.open);
    }

    @Test
    public void librariesOfMnnThatLackAFunctionAreASentence() throws Exception {
        MNNNetNative.isTooOld = true;
        try {
            app = new AppUnderTest(true);
            app.choose(R.id.models, "mnn-fp32");
            app.choose(R.id.devices, "CPU");
            app.deliver(CameraFrame.read("mnn-fp32-0"));
            assertEquals(
                    "mnn-fp32 does not run: libmnncore.so lacks nativeCreateNetFromBuffer.",
                    app.text(R.id.message));
        } finally {
            MNNNetNative.isTooOld = false;
        }
    }

    @Test
    public void aGpuThatDoesNotStartIsReplacedAndALineSaysSo() throws Exception {
        app = new AppUnderTest(true);
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame); // the template's default is the GPU
        assertSame(frame, app.shown());
        String status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU failed (no GPU on a desktop)"));
        assertTrue(status, status.contains("CPU, threads: "));
        assertEquals("CPU, 4 threads", app.text(R.id.devices));
        app.screenshot("fallback");
    }

    @Test
    public void aStartOfTheGpuThatKilledTheAppIsNotRepeatedUntilItIsChosenByHand()
            throws Exception {
        RuntimeEnvironment.getApplication()
                .getSharedPreferences("choices", 0)
                .edit()
                .putString("starting", "GPU demo tflite-fp32")
                .commit();
        File compiled = RuntimeEnvironment.getApplication().getCodeCacheDir();
        Path damaged = compiled.toPath().resolve("litert/gpu/programs.bin");
        Files.createDirectories(damaged.getParent());
        Files.write(damaged, new byte[9]);
        app = new AppUnderTest(true);
        assertEquals("what was compiled is kept", 0, compiled.list().length);
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        String status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU ended the app"));
        assertEquals("CPU, 4 threads", app.text(R.id.devices));
        assertEquals("CPU, 4 threads", app.marked(R.id.devices));
        app.choose(R.id.devices, "GPU");
        GpuDelegate.asked = null;
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        assertNotNull("the GPU was not tried", GpuDelegate.asked);
        status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU failed"));
    }

    @Test
    public void aGpuIsAskedForManyFramesAndKeepsWhatItCompiledForEachFile() throws Exception {
        app = new AppUnderTest(true);
        Set<String> tokens = new HashSet<>();
        for (String model : new String[] {"tflite-fp32", "tflite-int8"}) {
            app.choose(R.id.models, model);
            app.choose(R.id.devices, "GPU");
            app.deliver(CameraFrame.read(model + "-0"));
            GpuDelegateFactory.Options asked = GpuDelegate.asked;
            assertEquals(
                    GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED,
                    asked.getInferencePreference());
            assertTrue(asked.isPrecisionLossAllowed());
            String cache = app.activity.getCodeCacheDir().getPath();
            assertEquals(cache, asked.getSerializationDir());
            tokens.add(asked.getModelToken());
        }
        assertEquals(2, tokens.size());
    }

    @Test
    public void aGpuThatIsOnNoListIsTriedWhereAPersonAsksForItOnly() throws Exception {
        CompatibilityList.isSupported = false;
        GpuDelegate.asked = null;
        try {
            app = new AppUnderTest(true);
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            assertNull(GpuDelegate.asked);
            assertTrue(app.text(R.id.status).contains("GPU failed (not on the list"));
            assertEquals("CPU, 4 threads", app.text(R.id.devices));
            app.choose(R.id.devices, "GPU");
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            assertNotNull(GpuDelegate.asked);
            app.close();
            GpuDelegate.asked = null;
            app = new AppUnderTest(true); // what was asked for is remembered
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            assertNotNull(GpuDelegate.asked);
        } finally {
            CompatibilityList.isSupported = true;
        }
    }

    @Test
    public void anotherModelOfTheBundleIsUsedWhenItIsChosen() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        app.choose(R.id.models, "tflite-int8");
        assertEquals(0, Interpreter.open);
        CameraFrame frame = CameraFrame.read("tflite-int8-0");
        app.deliver(frame);
        assertSame(frame, app.shown());
        assertEquals(1, Interpreter.open);
    }

    @Test
    public void inTheBackgroundTheModelStaysUntilMemoryIsShortAndALateFrameDoesNotOpenIt()
            throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        ImageAnalysis analysis = app.analysis();
        app.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND);
        app.settle();
        assertEquals("a model that is looked at was closed", 1, Interpreter.open);
        app.controller.pause().stop();
        app.settle();
        assertEquals(1, Interpreter.open);
        app.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN);
        app.settle();
        assertEquals(1, Interpreter.open);
        app.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND);
        app.settle();
        assertEquals(0, Interpreter.open);
        analysis.deliver(frame);
        app.settle();
        assertTrue(frame.isClosed);
        assertEquals(0, Interpreter.open);
        app.controller.start().resume();
        app.settle();
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void whereMemoryIsShortTheModelIsClosedInTheBackground() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        ActivityManager memory = app.activity.getSystemService(ActivityManager.class);
        Shadows.shadowOf(memory).setIsLowRamDevice(true);
        app.controller.pause().stop();
        app.settle();
        assertEquals(0, Interpreter.open);
    }

    @Test
    public void whileAModelIsLoadedSomethingTurns() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CountDownLatch isLooked = new CountDownLatch(1);
        Interpreter.whenMade = () -> await(isLooked);
        try {
            CameraFrame frame = CameraFrame.read("tflite-fp32-0");
            FrameAnalyzer analyzer = app.kept().analyzer();
            app.kept().inference().thread().execute(() -> analyzer.analyze(frame));
            assertTurns();
            app.screenshot("loading");
            app.controller.recreate();
            app.activity = app.controller.get();
            assertTurns();
        } finally {
            isLooked.countDown();
            Interpreter.whenMade = () -> {};
        }
        app.settle();
        assertFalse(app.isVisible(R.id.loading));
    }

    private void assertTurns() throws Exception {
        for (int round = 0; round < 100 && !app.isVisible(R.id.loading); round++) {
            Thread.sleep(10);
            Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(250));
        }
        assertTrue(app.isVisible(R.id.loading));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    @Test
    public void aGpuThatAnswersWronglyIsToldOfUntilTheCpuIsChosen() throws Exception {
        GpuDelegate.factor = 0.6f;
        try {
            app = new AppUnderTest(true);
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            String warning = app.text(R.id.warning);
            assertTrue(warning, app.isVisible(R.id.warning));
            assertTrue(warning, warning.startsWith("This device’s GPU does not give what its CPU"));
            assertTrue(warning, warning.matches(".* \\d+ missing, \\d+ added, .* \\d+ % off\\."));
            assertEquals(1, Interpreter.open);
            app.screenshot("self-check");
            app.close();
            app = new AppUnderTest(true); // what was found is remembered
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            assertEquals(warning, app.text(R.id.warning));
            app.changeConfiguration("+de");
            app.deliver(CameraFrame.read("tflite-fp32-0"));
            String german = app.text(R.id.warning);
            assertTrue(german, german.startsWith("GPU dieses Geräts antwortet anders"));
            assertEquals("Die CPU nehmen", app.text(R.id.use_cpu));
            int live = View.ACCESSIBILITY_LIVE_REGION_POLITE;
            assertEquals(live, app.activity.findViewById(R.id.warning).getAccessibilityLiveRegion());
            app.click(R.id.use_cpu);
            CameraFrame frame = CameraFrame.read("tflite-fp32-0");
            app.deliver(frame);
            assertSame(frame, app.shown());
            assertFalse(app.isVisible(R.id.warning));
            assertFalse(app.isVisible(R.id.use_cpu));
            assertEquals("CPU, 4 Threads", app.text(R.id.devices));
        } finally {
            GpuDelegate.factor = null;
        }
    }

    @Test
    public void ofAGpuThatAnswersAsTheCpuDoesNothingIsSaid() throws Exception {
        GpuDelegate.factor = 1.001f;
        try {
            app = new AppUnderTest(true);
            CameraFrame frame = CameraFrame.read("tflite-fp32-0");
            app.deliver(frame);
            assertEquals(frame.detections.length, app.shown().count());
            assertEquals("GPU", app.text(R.id.devices));
            assertFalse(app.isVisible(R.id.warning));
            String found = noted("GPU ");
            assertTrue(found, found.startsWith("0 0 0.0"));
            app.choose(R.id.devices, "CPU"); // is held against the float model
            app.deliver(frame);
            found = noted("CPU ");
            assertTrue(found, found.startsWith("0 0 0.0"));
            assertFalse(app.isVisible(R.id.warning));
        } finally {
            GpuDelegate.factor = null;
        }
    }

    /** What the self-check noted down. */
    private static String noted(String start) {
        for (Map.Entry<String, ?> entry :
                RuntimeEnvironment.getApplication()
                        .getSharedPreferences("checks", 0)
                        .getAll()
                        .entrySet()) {
            if (entry.getKey().startsWith(start)) {
                return entry.getValue().toString();
            }
        }
        throw new AssertionError("nothing was checked");
    }

    @Test
    public void anAppOrSystemThatIsAnotherIsCheckedAnew() throws Exception {
        RuntimeEnvironment.getApplication()
                .getSharedPreferences("checks", 0)
                .edit()
                .putString("of", "an older one")
                .putString("GPU 00", "9 9 0.9")
                .commit();
        app = new AppUnderTest(true);
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        assertTrue(noted("CPU ").startsWith("0 0 0.0"));
        assertThrows(AssertionError.class, () -> noted("GPU "));
    }
}
