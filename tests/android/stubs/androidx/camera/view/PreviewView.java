package androidx.camera.view;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.util.AttributeSet;
import android.util.Rational;
import android.widget.FrameLayout;
import androidx.camera.core.Preview;
import androidx.camera.core.ViewPort;

public final class PreviewView extends FrameLayout {
    private ScaleType scaleType = ScaleType.FILL_CENTER;
    private Matrix sensorToView;
    private Bitmap picture;
    private Matrix pictureToView;

    public PreviewView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    public void setImplementationMode(ImplementationMode mode) {}

    public void setScaleType(ScaleType type) {
        scaleType = type;
    }

    public ScaleType getScaleType() {
        return scaleType;
    }

    public Preview.SurfaceProvider getSurfaceProvider() {
        return request -> {};
    }

    public ViewPort getViewPort() {
        return getWidth() == 0 ? null : new ViewPort(new Rational(getWidth(), getHeight()));
    }

    public Matrix getSensorToViewTransform() {
        return sensorToView;
    }

    public Bitmap getBitmap() {
        if (picture == null) {
            return null;
        }
        Bitmap bitmap = Bitmap.createBitmap(getWidth(), getHeight(), Bitmap.Config.ARGB_8888);
        dispatchDraw(new Canvas(bitmap));
        return bitmap;
    }

    /** The picture that the camera would draw here, for screenshots. */
    public void showPicture(Bitmap newPicture, Matrix newPictureToView) {
        picture = newPicture;
        pictureToView = newPictureToView;
    }

    @Override
    protected void dispatchDraw(Canvas canvas) {
        super.dispatchDraw(canvas);
        if (picture != null) {
            canvas.drawBitmap(picture, pictureToView, null);
        }
    }

    /** What the camera's preview finds out in earnest. */
    public void setSensorToViewTransform(Matrix matrix) {
        sensorToView = matrix;
    }

    public enum ImplementationMode {
        PERFORMANCE,
        COMPATIBLE
    }

    public enum ScaleType {
        FILL_START,
        FILL_CENTER,
        FILL_END,
        FIT_START,
        FIT_CENTER,
        FIT_END
    }
}
