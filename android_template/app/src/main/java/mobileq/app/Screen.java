package mobileq.app;

import android.content.res.Configuration;
import android.graphics.Bitmap;
import android.graphics.Matrix;
import android.text.TextUtils;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.LinearLayout;
import android.widget.Spinner;
import android.widget.TextView;
import androidx.activity.ComponentActivity;
import androidx.camera.view.PreviewView;
import androidx.core.graphics.Insets;
import androidx.core.view.ViewCompat;
import androidx.core.view.WindowCompat;
import androidx.core.view.WindowInsetsCompat;
import androidx.core.view.WindowInsetsControllerCompat;

/** The views, and how they are laid out: with controls, or the picture over the whole screen. */
final class Screen {
    private static final float PANEL_SHARE = 0.4f;

    final View stage;
    final PreviewView preview;
    final ImageView photo;
    final TextView status;
    final TextView message;
    final Button allow;
    final Spinner models;
    final Spinner devices;
    final ViewGroup controls;
    final Button otherCamera;
    final Button fullScreen;
    final Button pickPhoto;
    final Button pause;

    private final LinearLayout root;
    private final ViewGroup overPicture;
    private final View panel;
    private final WindowInsetsControllerCompat bars;
    private AnswerView answer;
    private boolean isFullScreen;
    private boolean isFrozen;

    Screen(ComponentActivity activity) {
        root = activity.findViewById(R.id.root);
        overPicture = activity.findViewById(R.id.answer);
        panel = activity.findViewById(R.id.panel);
        stage = activity.findViewById(R.id.stage);
        preview = activity.findViewById(R.id.preview);
        photo = activity.findViewById(R.id.photo);
        status = activity.findViewById(R.id.status);
        message = activity.findViewById(R.id.message);
        allow = activity.findViewById(R.id.allow);
        models = activity.findViewById(R.id.models);
        devices = activity.findViewById(R.id.devices);
        controls = activity.findViewById(R.id.controls);
        otherCamera = activity.findViewById(R.id.other_camera);
        fullScreen = activity.findViewById(R.id.full_screen);
        pickPhoto = activity.findViewById(R.id.pick_photo);
        pause = activity.findViewById(R.id.pause);
        bars = WindowCompat.getInsetsController(activity.getWindow(), root);
        WindowCompat.setDecorFitsSystemWindows(activity.getWindow(), false);
        ViewCompat.setOnApplyWindowInsetsListener(root, this::applyInsets);
        preview.setImplementationMode(PreviewView.ImplementationMode.COMPATIBLE);
        orient(activity.getResources().getConfiguration());
        setFullScreen(false);
    }

    /** Bars and cut-outs cover no control; over the whole screen they cover the picture. */
    private WindowInsetsCompat applyInsets(View view, WindowInsetsCompat insets) {
        int types = WindowInsetsCompat.Type.systemBars() | WindowInsetsCompat.Type.displayCutout();
        Insets edges = isFullScreen ? Insets.NONE : insets.getInsets(types);
        view.setPadding(edges.left, edges.top, edges.right, edges.bottom);
        return WindowInsetsCompat.CONSUMED;
    }

    /** Controls below the picture, or beside it where the screen is wide. */
    void orient(Configuration configuration) {
        boolean isWide = configuration.orientation == Configuration.ORIENTATION_LANDSCAPE;
        root.setOrientation(isWide ? LinearLayout.HORIZONTAL : LinearLayout.VERTICAL);
        int all = ViewGroup.LayoutParams.MATCH_PARENT;
        stage.setLayoutParams(
                new LinearLayout.LayoutParams(
                        isWide ? 0 : all, isWide ? all : 0, 1 - PANEL_SHARE));
        panel.setLayoutParams(
                new LinearLayout.LayoutParams(isWide ? 0 : all, isWide ? all : 0, PANEL_SHARE));
    }

    /**
     * The picture alone over the whole screen, cut to fill it, without system bars; or the whole
     * picture with controls.
     */
    void setFullScreen(boolean full) {
        isFullScreen = full;
        panel.setVisibility(full ? View.GONE : View.VISIBLE);
        stage.setClickable(full); // else a reader offers a click that does nothing
        preview.setScaleType(
                full ? PreviewView.ScaleType.FILL_CENTER : PreviewView.ScaleType.FIT_CENTER);
        bars.setSystemBarsBehavior(
                WindowInsetsControllerCompat.BEHAVIOR_SHOW_TRANSIENT_BARS_BY_SWIPE);
        if (full) {
            bars.hide(WindowInsetsCompat.Type.systemBars());
        } else {
            bars.show(WindowInsetsCompat.Type.systemBars());
        }
        ViewCompat.requestApplyInsets(root);
    }

    boolean isFullScreen() {
        return isFullScreen;
    }

    /** Holds on to the camera's picture as it is now, if there is one yet. */
    void freeze() {
        Bitmap now = preview.getBitmap();
        isFrozen = now != null;
        if (isFrozen) {
            photo.setImageBitmap(now);
            photo.setImageMatrix(null);
            photo.setVisibility(View.VISIBLE);
        }
    }

    boolean isFrozen() {
        return isFrozen;
    }

    /** A photo over the camera's picture; null leaves the camera's. */
    void showPhoto(Bitmap bitmap, Matrix toView) {
        isFrozen = false;
        photo.setImageBitmap(bitmap);
        photo.setImageMatrix(toView);
        photo.setVisibility(bitmap == null ? View.GONE : View.VISIBLE);
        pickPhoto.setText(bitmap == null ? R.string.pick_photo : R.string.leave_photo);
    }

    /** What shows the answers, over the picture. */
    void setAnswer(AnswerView view) {
        answer = view;
        overPicture.addView(view);
    }

    /** One sentence in place of an answer; null takes it away. */
    void say(CharSequence sentence) {
        if (sentence != null && isSaid(sentence)) { // a reader need not speak it for every frame
            return;
        }
        message.setText(sentence);
        message.setVisibility(sentence == null ? View.GONE : View.VISIBLE);
        if (sentence != null && answer != null) {
            answer.clear();
        }
    }

    private boolean isSaid(CharSequence sentence) {
        return message.getVisibility() == View.VISIBLE
                && TextUtils.equals(sentence, message.getText());
    }
}
