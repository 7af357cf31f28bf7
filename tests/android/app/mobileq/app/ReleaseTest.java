package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Activity;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Rect;
import android.os.Looper;
import android.view.View;
import android.view.ViewGroup;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.ImageInfo;
import androidx.camera.core.ImageProxy;
import androidx.camera.core.UseCase;
import androidx.camera.lifecycle.ProcessCameraProvider;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** The app as R8 makes it: of its own classes only those that Android names are known by name. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class ReleaseTest {
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(60);

    private Activity activity;

    @Test
    public void theShrunkAppStartsAndFindsWhatIsInAPicture() throws Exception {
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA);
        ActivityController<? extends Activity> controller =
                Robolectric.buildActivity(
                        Class.forName("mobileq.app.MainActivity").asSubclass(Activity.class));
        activity = controller.setup().visible().get();
        shadowOf(Looper.getMainLooper()).idle();
        analysis().deliver(photo());
        long end = System.nanoTime() + LIMIT_NANOS;
        while (heard().equals("Picture") && System.nanoTime() < end) {
            Thread.sleep(20);
            shadowOf(Looper.getMainLooper()).idle();
        }
        assertEquals(things(System.getProperty("expected")), things(heard()));
        controller.pause().stop().destroy();
    }

    /** In any order: scores may be close. */
    private static Set<String> things(String told) {
        return Set.of(told.replace("Picture with ", "").split(", "));
    }

    private static ImageAnalysis analysis() throws Exception {
        ProcessCameraProvider provider =
                ProcessCameraProvider.getInstance(RuntimeEnvironment.getApplication()).get();
        for (UseCase useCase : provider.boundUseCases.getUseCases()) {
            if (useCase instanceof ImageAnalysis) {
                return (ImageAnalysis) useCase;
            }
        }
        throw new AssertionError("no analysis is bound");
    }

    private String heard() {
        View answer = ((ViewGroup) activity.findViewById(R.id.answer)).getChildAt(0);
        assertTrue("the app stopped at the start", answer != null);
        return answer.createAccessibilityNodeInfo().getContentDescription().toString();
    }

    private static ImageProxy photo() {
        Bitmap bitmap = BitmapFactory.decodeFile(System.getProperty("photo"));
        ByteBuffer pixels = ByteBuffer.allocateDirect(4 * bitmap.getWidth() * bitmap.getHeight());
        bitmap.copyPixelsToBuffer(pixels);
        return new ImageProxy() {
            @Override
            public void close() {}

            @Override
            public Rect getCropRect() {
                return new Rect(0, 0, getWidth(), getHeight());
            }

            @Override
            public int getWidth() {
                return bitmap.getWidth();
            }

            @Override
            public int getHeight() {
                return bitmap.getHeight();
            }

            @Override
            public PlaneProxy[] getPlanes() {
                return new PlaneProxy[] {
                    new PlaneProxy() {
                        @Override
                        public int getRowStride() {
                            return 4 * bitmap.getWidth();
                        }

                        @Override
                        public int getPixelStride() {
                            return 4;
                        }

                        @Override
                        public ByteBuffer getBuffer() {
                            return pixels;
                        }
                    }
                };
            }

            @Override
            public ImageInfo getImageInfo() {
                return new ImageInfo() {
                    @Override
                    public int getRotationDegrees() {
                        return 0;
                    }

                    @Override
                    public long getTimestamp() {
                        return 1;
                    }
                };
            }
        };
    }
}
