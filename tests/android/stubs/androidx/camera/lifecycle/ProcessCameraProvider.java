package androidx.camera.lifecycle;

import android.content.Context;
import androidx.camera.core.Camera;
import androidx.camera.core.CameraInfoUnavailableException;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.UseCaseGroup;
import androidx.lifecycle.LifecycleOwner;
import com.google.common.util.concurrent.ListenableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;

public final class ProcessCameraProvider {
    private static final ProcessCameraProvider INSTANCE = new ProcessCameraProvider();

    /** What is bound, for tests to look at. */
    public CameraSelector boundCamera;

    /** What is bound, for tests to look at. */
    public UseCaseGroup boundUseCases;

    /** Whether this device has a front camera. */
    public boolean hasFrontCamera = true;

    private ProcessCameraProvider() {}

    public static ListenableFuture<ProcessCameraProvider> getInstance(Context context) {
        return new Ready();
    }

    public boolean hasCamera(CameraSelector selector) throws CameraInfoUnavailableException {
        return hasFrontCamera || selector != CameraSelector.DEFAULT_FRONT_CAMERA;
    }

    public void unbindAll() {
        boundCamera = null;
        boundUseCases = null;
    }

    public Camera bindToLifecycle(
            LifecycleOwner owner, CameraSelector selector, UseCaseGroup useCases) {
        boundCamera = selector;
        boundUseCases = useCases;
        return new Camera() {};
    }

    private static final class Ready extends FutureTask<ProcessCameraProvider>
            implements ListenableFuture<ProcessCameraProvider> {
        Ready() {
            super(() -> INSTANCE);
            run();
        }

        @Override
        public void addListener(Runnable listener, Executor executor) {
            executor.execute(listener);
        }
    }
}
