package mobileq.app;

import android.content.Context;
import android.view.MotionEvent;
import android.view.ScaleGestureDetector;
import android.view.View;

/** Two fingers that zoom; one that taps goes on to the view. */
final class Pinch extends ScaleGestureDetector.SimpleOnScaleGestureListener
        implements View.OnTouchListener {
    /** Takes the factor by which the fingers moved apart. */
    interface Zoom {
        void by(float factor);
    }

    private final ScaleGestureDetector fingers;
    private final Zoom zoom;
    private boolean hasScaled;

    Pinch(Context context, Zoom zoom) {
        this.fingers = new ScaleGestureDetector(context, this);
        this.zoom = zoom;
    }

    @Override
    public boolean onTouch(View view, MotionEvent event) {
        if (event.getActionMasked() == MotionEvent.ACTION_DOWN) {
            hasScaled = false;
        }
        fingers.onTouchEvent(event);
        return hasScaled || !view.isClickable();
    }

    @Override
    public boolean onScale(ScaleGestureDetector detector) {
        hasScaled = true;
        zoom.by(detector.getScaleFactor());
        return true;
    }
}
