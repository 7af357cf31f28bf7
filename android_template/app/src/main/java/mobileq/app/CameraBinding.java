package mobileq.app;

import android.view.Surface;
import androidx.activity.ComponentActivity;
import androidx.camera.core.AspectRatio;
import androidx.camera.core.CameraInfoUnavailableException;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.Preview;
import androidx.camera.core.UseCaseGroup;
import androidx.camera.core.ViewPort;
import androidx.camera.core.resolutionselector.AspectRatioStrategy;
import androidx.camera.core.resolutionselector.ResolutionSelector;
import androidx.camera.lifecycle.ProcessCameraProvider;
import androidx.camera.view.PreviewView;
import androidx.core.content.ContextCompat;
import com.google.common.util.concurrent.ListenableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;

/** Preview and analysis of one camera, bound to the activity's lifecycle. */
final class CameraBinding {
    /** Hears what went wrong, on the main thread. */
    interface Listener {
        /**
         * There are no pictures.
         *
         * @param sentence For the screen.
         */
        void cameraFailed(String sentence);
    }

    private final ComponentActivity activity;
    private final PreviewView view;
    private final Executor analysisThread;
    private final ImageAnalysis.Analyzer analyzer;
    private final Listener listener;
    private ProcessCameraProvider provider;
    private Preview preview;
    private ImageAnalysis analysis;
    private int requests;

    CameraBinding(
            ComponentActivity activity,
            PreviewView view,
            Executor analysisThread,
            ImageAnalysis.Analyzer analyzer,
            Listener listener) {
        this.activity = activity;
        this.view = view;
        this.analysisThread = analysisThread;
        this.analyzer = analyzer;
        this.listener = listener;
    }

    /**
     * Starts, or starts anew in another way.
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
                        listener.cameraFailed(
                                activity.getString(R.string.camera_failed, error.getMessage()));
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                },
                ContextCompat.getMainExecutor(activity));
    }

    private void bindNow(boolean wantsFront, boolean cropsToView)
            throws CameraInfoUnavailableException {
        CameraSelector wanted = selector(wantsFront);
        CameraSelector camera = provider.hasCamera(wanted) ? wanted : selector(!wantsFront);
        if (!provider.hasCamera(camera)) {
            listener.cameraFailed(activity.getString(R.string.no_camera));
            return;
        }
        ResolutionSelector fourByThree =
                new ResolutionSelector.Builder()
                        .setAspectRatioStrategy(
                                new AspectRatioStrategy(
                                        AspectRatio.RATIO_4_3,
                                        AspectRatioStrategy.FALLBACK_RULE_AUTO))
                        .build();
        int rotation = displayRotation();
        preview =
                new Preview.Builder()
                        .setResolutionSelector(fourByThree)
                        .setTargetRotation(rotation)
                        .build();
        preview.setSurfaceProvider(view.getSurfaceProvider());
        analysis =
                new ImageAnalysis.Builder()
                        .setResolutionSelector(fourByThree)
                        .setTargetRotation(rotation)
                        .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                        .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                        .build();
        analysis.setAnalyzer(analysisThread, analyzer);
        UseCaseGroup.Builder useCases =
                new UseCaseGroup.Builder().addUseCase(preview).addUseCase(analysis);
        ViewPort port = cropsToView ? view.getViewPort() : null;
        if (port != null) {
            useCases.setViewPort(port);
        }
        provider.unbindAll();
        provider.bindToLifecycle(activity, camera, useCases.build());
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
        if (provider != null) {
            provider.unbindAll();
        }
        preview = null;
        analysis = null;
    }
}
