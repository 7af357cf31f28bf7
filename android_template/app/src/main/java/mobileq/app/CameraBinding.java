package mobileq.app;

import android.util.Rational;
import android.util.Size;
import android.view.Surface;
import androidx.activity.ComponentActivity;
import androidx.camera.core.AspectRatio;
import androidx.camera.core.Camera;
import androidx.camera.core.CameraInfoUnavailableException;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.CameraState;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.Preview;
import androidx.camera.core.UseCaseGroup;
import androidx.camera.core.ViewPort;
import androidx.camera.core.ZoomState;
import androidx.camera.core.resolutionselector.AspectRatioStrategy;
import androidx.camera.core.resolutionselector.ResolutionSelector;
import androidx.camera.core.resolutionselector.ResolutionStrategy;
import androidx.camera.lifecycle.ProcessCameraProvider;
import androidx.camera.view.PreviewView;
import androidx.core.content.ContextCompat;
import com.google.common.util.concurrent.ListenableFuture;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.ResizeMode;

/** Preview and analysis of one camera, bound to the activity's lifecycle. */
final class CameraBinding {
    /** Hears what becomes of the camera, on the main thread. */
    interface Listener {
        /** There are pictures. */
        void cameraWorks();

        /**
         * There are no pictures.
         *
         * @param trouble Why.
         * @param detail For those whose sentence takes one.
         */
        void cameraFailed(CameraTrouble trouble, String detail);
    }

    private static final int SHORTEST = 480; // smaller frames are what some drivers get wrong
    private static final int LARGEST = 1440;

    private final ComponentActivity activity;
    private final PreviewView view;
    private final Executor analysisThread;
    private final ImageAnalysis.Analyzer analyzer;
    private final Listener listener;
    private final ResolutionSelector frames;
    private ProcessCameraProvider provider;
    private Camera camera;
    private List<Object> boundAs;
    private Preview preview;
    private ImageAnalysis analysis;
    private int requests;

    CameraBinding(
            ComponentActivity activity,
            PreviewView view,
            Executor analysisThread,
            ImageAnalysis.Analyzer analyzer,
            PreprocessSpec preprocess,
            Listener listener) {
        this.activity = activity;
        this.view = view;
        this.analysisThread = analysisThread;
        this.analyzer = analyzer;
        this.listener = listener;
        this.frames =
                fourByThree()
                        .setResolutionStrategy(
                                new ResolutionStrategy(
                                        wanted(preprocess),
                                        ResolutionStrategy.FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER))
                        .build();
    }

    /**
     * The smallest frame in which the model loses nothing: it is made smaller and never larger.
     *
     * @param preprocess How the model wants its picture; null where that is not known.
     * @return Pixels, as sensors lie: wider than high, 4:3.
     */
    static Size wanted(PreprocessSpec preprocess) {
        int shorter = SHORTEST;
        if (preprocess != null) {
            int longest = Math.max(preprocess.width(), preprocess.height());
            ResizeMode mode = preprocess.resizeMode();
            if (mode == ResizeMode.CENTER_CROP) {
                shorter = preprocess.shortestEdge();
            } else if (mode == ResizeMode.STRETCH) {
                shorter = longest;
            } else { // a letterbox as wide as the frame
                shorter = longest * 3 / 4;
            }
        }
        shorter = Math.min(LARGEST, Math.max(SHORTEST, shorter));
        return new Size((shorter * 4 + 2) / 3, shorter);
    }

    private static ResolutionSelector.Builder fourByThree() {
        return new ResolutionSelector.Builder()
                .setAspectRatioStrategy(
                        new AspectRatioStrategy(
                                AspectRatio.RATIO_4_3, AspectRatioStrategy.FALLBACK_RULE_AUTO));
    }

    /**
     * Starts, or starts anew where it is another camera or another part of its picture: that takes
     * a moment, and the preview is black meanwhile.
     *
     * @param wantsFront Which camera; where it is missing, the other one.
     * @param cropsToView Whether only what the view shows is analysed.
     */
    void bind(boolean wantsFront, boolean cropsToView) {
        int request = ++requests;
        ListenableFuture<ProcessCameraProvider> future =
                ProcessCameraProvider.getInstance(activity);
        future.addListener(
                () -> {
                    if (request != requests) { // meanwhile something else was wanted
                        return;
                    }
                    try {
                        provider = future.get();
                        bindNow(wantsFront, cropsToView);
                    } catch (ExecutionException
                            | CameraInfoUnavailableException
                            | IllegalArgumentException
                            | IllegalStateException error) {
                        listener.cameraFailed(CameraTrouble.FAILED, error.getMessage());
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                },
                ContextCompat.getMainExecutor(activity));
    }

    private void bindNow(boolean wantsFront, boolean cropsToView)
            throws CameraInfoUnavailableException {
        CameraSelector wanted = selector(wantsFront);
        CameraSelector chosen = provider.hasCamera(wanted) ? wanted : selector(!wantsFront);
        if (!provider.hasCamera(chosen)) {
            listener.cameraFailed(CameraTrouble.MISSING, null);
            return;
        }
        ViewPort port = cropsToView ? view.getViewPort() : null;
        Rational part = port == null ? null : port.getAspectRatio();
        if (Arrays.asList(chosen, part).equals(boundAs)) {
            return;
        }
        release();
        int rotation = displayRotation();
        preview =
                new Preview.Builder()
                        .setResolutionSelector(fourByThree().build())
                        .setTargetRotation(rotation)
                        .build();
        preview.setSurfaceProvider(view.getSurfaceProvider());
        analysis =
                new ImageAnalysis.Builder()
                        .setResolutionSelector(frames)
                        .setTargetRotation(rotation)
                        .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                        .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                        .build();
        analysis.setAnalyzer(analysisThread, analyzer);
        UseCaseGroup.Builder useCases =
                new UseCaseGroup.Builder().addUseCase(preview).addUseCase(analysis);
        if (port != null) {
            useCases.setViewPort(port);
        }
        camera = provider.bindToLifecycle(activity, chosen, useCases.build());
        boundAs = Arrays.asList(chosen, part);
        camera.getCameraInfo().getCameraState().observe(activity, this::onState);
    }

    private void onState(CameraState state) {
        CameraState.StateError error = state.getError();
        if (error != null) {
            Throwable cause = error.getCause();
            String detail = cause == null ? "error " + error.getCode() : cause.getMessage();
            listener.cameraFailed(CameraTrouble.of(error), detail);
        } else if (state.getType() == CameraState.Type.OPEN) {
            listener.cameraWorks();
        }
    }

    /** Whether the bound camera has a light. */
    boolean hasTorch() {
        return camera != null && camera.getCameraInfo().hasFlashUnit();
    }

    /** Switches the light of the bound camera; another camera starts without. */
    void setTorch(boolean isOn) {
        if (hasTorch()) {
            ListenableFuture<Void> unused = camera.getCameraControl().enableTorch(isOn);
        }
    }

    /** Zooms by a factor, as far as the camera goes. */
    void zoomBy(float factor) {
        ZoomState zoom = camera == null ? null : camera.getCameraInfo().getZoomState().getValue();
        if (zoom != null) {
            float most = Math.min(zoom.getZoomRatio() * factor, zoom.getMaxZoomRatio());
            float ratio = Math.max(zoom.getMinZoomRatio(), most);
            ListenableFuture<Void> unused = camera.getCameraControl().setZoomRatio(ratio);
        }
    }

    private static CameraSelector selector(boolean isFront) {
        return isFront ? CameraSelector.DEFAULT_FRONT_CAMERA : CameraSelector.DEFAULT_BACK_CAMERA;
    }

    private int displayRotation() {
        return view.getDisplay() == null ? Surface.ROTATION_0 : view.getDisplay().getRotation();
    }

    /** The display was turned: frames are to say so, and the preview to follow. */
    void followDisplay() {
        if (preview != null) {
            int rotation = displayRotation();
            preview.setTargetRotation(rotation);
            analysis.setTargetRotation(rotation);
        }
    }

    /** Stops, until bound again. */
    void unbind() {
        requests++;
        release();
    }

    private void release() {
        if (camera != null) {
            camera.getCameraInfo().getCameraState().removeObservers(activity);
        }
        if (provider != null) {
            provider.unbindAll();
        }
        camera = null;
        boundAs = null;
        preview = null;
        analysis = null;
    }
}
