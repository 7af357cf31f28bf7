package androidx.camera.lifecycle;

import android.content.Context;
import androidx.camera.core.Camera;
import androidx.camera.core.CameraControl;
import androidx.camera.core.CameraInfo;
import androidx.camera.core.CameraInfoUnavailableException;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.CameraState;
import androidx.camera.core.UseCaseGroup;
import androidx.camera.core.ZoomState;
import androidx.lifecycle.LifecycleOwner;
import androidx.lifecycle.LiveData;
import androidx.lifecycle.MutableLiveData;
import com.google.common.util.concurrent.ListenableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;

public final class ProcessCameraProvider {
    private static final ProcessCameraProvider INSTANCE = new ProcessCameraProvider();

    /** What is bound, for tests to look at. */
    public CameraSelector boundCamera;

    /** What is bound, for tests to look at. */
    public UseCaseGroup boundUseCases;

    /** How often something was bound, for tests to count. */
    public int bound;

    /** What the bound camera says of itself, for tests to change. */
    public MutableLiveData<CameraState> state;

    /** Whether the bound camera's light is on. */
    public boolean isTorchOn;

    /** Of the bound camera, from 1 to 4. */
    public float zoomRatio;

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
        bound++;
        state = new MutableLiveData<>(CameraState.create(CameraState.Type.OPEN));
        isTorchOn = false;
        zoomRatio = 1;
        return new Camera() {
            @Override
            public CameraInfo getCameraInfo() {
                return new Info();
            }

            @Override
            public CameraControl getCameraControl() {
                return new Control();
            }
        };
    }

    private final class Info implements CameraInfo {
        private final MutableLiveData<CameraState> ownState = state;

        @Override
        public boolean hasFlashUnit() {
            return boundCamera == CameraSelector.DEFAULT_BACK_CAMERA;
        }

        @Override
        public LiveData<ZoomState> getZoomState() {
            return new MutableLiveData<>(
                    new ZoomState() {
                        @Override
                        public float getZoomRatio() {
                            return zoomRatio;
                        }

                        @Override
                        public float getMaxZoomRatio() {
                            return 4;
                        }

                        @Override
                        public float getMinZoomRatio() {
                            return 1;
                        }
                    });
        }

        @Override
        public LiveData<CameraState> getCameraState() {
            return ownState;
        }
    }

    private final class Control implements CameraControl {
        @Override
        public ListenableFuture<Void> enableTorch(boolean torch) {
            isTorchOn = torch;
            return null;
        }

        @Override
        public ListenableFuture<Void> setZoomRatio(float ratio) {
            zoomRatio = ratio;
            return null;
        }
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
