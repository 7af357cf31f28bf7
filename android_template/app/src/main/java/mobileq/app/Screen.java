package mobileq.app;

import android.content.res.Configuration;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.graphics.Rect;
import android.graphics.RectF;
import android.text.TextUtils;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.FrameLayout;
import android.widget.ImageButton;
import android.widget.ImageView;
import android.widget.LinearLayout;
import android.widget.TextView;
import androidx.activity.ComponentActivity;
import androidx.camera.view.PreviewView;
import androidx.core.graphics.Insets;
import androidx.core.view.ViewCompat;
import androidx.core.view.WindowCompat;
import androidx.core.view.WindowInsetsCompat;
import androidx.core.view.WindowInsetsControllerCompat;
import java.util.ArrayList;
import java.util.List;

/**
 * The views, and how they are laid out: a sheet below the picture, or beside it where the screen is
 * wide, whose buttons are always in sight; or the picture over the whole screen.
 */
final class Screen {
    private static final float SHEET_SHARE = 0.36f;
    private static final int WIDEST_SHEET_DP = 320;
    private static final int NARROWEST_SHEET_DP = 200;

    final ViewGroup stage;
    final PreviewView preview;
    final ImageView photo;
    final TextView message;
    final Button action;
    final TextView warning;
    final Button useCpu;
    final Notice notice;
    final Figures figures;
    final Button models;
    final Button devices;
    final ViewGroup controls;
    final ImageButton otherCamera;
    final ImageButton fullScreen;
    final ImageButton pickPhoto;
    final ImageButton pause;
    final ImageButton torch;
    final ImageButton share;

    private final ViewGroup root;
    private final ViewGroup overPicture;
    private final View[] written;
    private final View loading;
    private final View panel;
    private final View adjust;
    private final View details;
    private final LinearLayout actions;
    private final WindowInsetsControllerCompat bars;
    private AnswerView answer;
    private boolean isWide;
    private boolean isFullScreen;
    private Bitmap frozen;

    Screen(ComponentActivity activity) {
        root = activity.findViewById(R.id.root);
        overPicture = activity.findViewById(R.id.answer);
        loading = activity.findViewById(R.id.loading);
        panel = activity.findViewById(R.id.panel);
        adjust = activity.findViewById(R.id.adjust);
        details = activity.findViewById(R.id.details);
        actions = activity.findViewById(R.id.actions);
        stage = activity.findViewById(R.id.stage);
        preview = activity.findViewById(R.id.preview);
        photo = activity.findViewById(R.id.photo);
        message = activity.findViewById(R.id.message);
        action = activity.findViewById(R.id.action);
        warning = activity.findViewById(R.id.warning);
        useCpu = activity.findViewById(R.id.use_cpu);
        notice = new Notice(activity);
        figures = new Figures(activity);
        written = new View[] {warning, useCpu, notice.view};
        models = activity.findViewById(R.id.models);
        devices = activity.findViewById(R.id.devices);
        controls = activity.findViewById(R.id.controls);
        otherCamera = named(activity, R.id.other_camera);
        fullScreen = named(activity, R.id.full_screen);
        pickPhoto = named(activity, R.id.pick_photo);
        pause = named(activity, R.id.pause);
        torch = named(activity, R.id.torch);
        share = named(activity, R.id.share);
        bars = WindowCompat.getInsetsController(activity.getWindow(), root);
        WindowCompat.setDecorFitsSystemWindows(activity.getWindow(), false);
        ViewCompat.setOnApplyWindowInsetsListener(root, this::applyInsets);
        preview.setImplementationMode(PreviewView.ImplementationMode.COMPATIBLE);
        adjust.setOnClickListener(view -> toggleDetails());
        panel.addOnLayoutChangeListener((view, l, t, r, b, ol, ot, or, ob) -> makeRoom());
        startChips(activity.findViewById(R.id.chips));
        stage.addOnLayoutChangeListener((view, l, t, r, b, ol, ot, or, ob) -> tellCovered());
        orient(activity.getResources().getConfiguration());
        setFullScreen(false);
    }

    /** Android scrolls to the left end, which is the wrong one from right to left, once they grow. */
    private static void startChips(ViewGroup chips) {
        chips.getChildAt(0)
                .addOnLayoutChangeListener(
                        (view, left, t, right, b, oldLeft, ot, oldRight, ob) -> {
                            boolean isGrown = right - left != oldRight - oldLeft;
                            if (isGrown && view.getLayoutDirection() == View.LAYOUT_DIRECTION_RTL) {
                                chips.post(() -> chips.scrollTo(right - left, 0));
                            }
                        });
    }

    /** A button that shows a picture; a long press tells its name. */
    private static ImageButton named(ComponentActivity activity, int id) {
        ImageButton button = activity.findViewById(id);
        name(button, button.getContentDescription());
        return button;
    }

    private static void name(ImageButton button, CharSequence words) {
        button.setContentDescription(words);
        ViewCompat.setTooltipText(button, words);
    }

    /** What a button shows and is called from now on. */
    static void change(ImageButton button, int icon, int words) {
        button.setImageResource(icon);
        name(button, button.getResources().getString(words));
    }

    /** Bars and cut-outs cover no control; over the whole screen they cover the picture. */
    private WindowInsetsCompat applyInsets(View view, WindowInsetsCompat insets) {
        int types = WindowInsetsCompat.Type.systemBars() | WindowInsetsCompat.Type.displayCutout();
        Insets edges = isFullScreen ? Insets.NONE : insets.getInsets(types);
        root.setPadding(edges.left, edges.top, edges.right, 0);
        panel.setPadding(0, 0, 0, edges.bottom); // its colour lies behind the bar
        return WindowInsetsCompat.CONSUMED;
    }

    /** The sheet below the picture, or beside it where the screen is wide. */
    void orient(Configuration configuration) {
        isWide = configuration.orientation == Configuration.ORIENTATION_LANDSCAPE;
        float density = root.getResources().getDisplayMetrics().density;
        float share = SHEET_SHARE * configuration.screenWidthDp;
        float width = Math.max(NARROWEST_SHEET_DP, Math.min(share, WIDEST_SHEET_DP));
        int all = ViewGroup.LayoutParams.MATCH_PARENT;
        int some = ViewGroup.LayoutParams.WRAP_CONTENT;
        panel.setLayoutParams(
                isWide
                        ? new FrameLayout.LayoutParams(
                                Math.round(width * density), all, Gravity.END)
                        : new FrameLayout.LayoutParams(all, some, Gravity.BOTTOM));
        actions.setOrientation(isWide ? LinearLayout.VERTICAL : LinearLayout.HORIZONTAL);
        for (int i = 0; i < actions.getChildCount(); i++) {
            actions.getChildAt(i)
                    .setLayoutParams(
                            new LinearLayout.LayoutParams(isWide ? all : 0, some, isWide ? 0 : 1));
        }
        offerDetails();
        boolean isNight =
                (configuration.uiMode & Configuration.UI_MODE_NIGHT_MASK)
                        == Configuration.UI_MODE_NIGHT_YES;
        bars.setAppearanceLightNavigationBars(!isNight && !isWide);
        bars.setAppearanceLightStatusBars(false);
    }

    private void toggleDetails() {
        details.setVisibility(details.getVisibility() == View.VISIBLE ? View.GONE : View.VISIBLE);
    }

    /** The picture stands beside what is always in sight; only what is unfolded lies over it. */
    private void makeRoom() {
        boolean isAlone = panel.getVisibility() == View.GONE;
        boolean isUnfolded = details.getVisibility() == View.VISIBLE;
        int below = panel.getHeight() - (isUnfolded ? details.getHeight() : 0);
        FrameLayout.LayoutParams place = (FrameLayout.LayoutParams) stage.getLayoutParams();
        int end = isAlone || !isWide ? 0 : panel.getWidth();
        int bottom = isAlone || isWide ? 0 : below;
        if (place.getMarginEnd() != end || place.bottomMargin != bottom) {
            place.setMarginEnd(end);
            place.bottomMargin = bottom;
            stage.post(() -> stage.setLayoutParams(place));
        }
    }

    /**
     * Whatever of it comes or goes lays out the picture's place anew. Where there is no room for all,
     * what was measured makes some.
     */
    private void tellCovered() {
        List<RectF> covered = new ArrayList<>();
        for (View each : written) {
            if (each.getVisibility() == View.VISIBLE) {
                covered.add(place(each));
            }
        }
        for (View each : figures.views) {
            if (each.getVisibility() != View.GONE) {
                RectF place = place(each);
                boolean hasRoom = covered.stream().noneMatch(other -> RectF.intersects(other, place));
                each.setVisibility(hasRoom ? View.VISIBLE : View.INVISIBLE);
                if (hasRoom) {
                    covered.add(place);
                }
            }
        }
        if (answer != null) {
            answer.setCovered(covered);
        }
    }

    private RectF place(View view) {
        Rect place = new Rect(0, 0, view.getWidth(), view.getHeight());
        stage.offsetDescendantRectToMyCoords(view, place);
        return new RectF(place);
    }

    /**
     * The picture alone over the whole screen, cut to fill it, without system bars; or the whole
     * picture with controls.
     */
    void setFullScreen(boolean full) {
        isFullScreen = full;
        panel.setVisibility(full ? View.GONE : View.VISIBLE);
        makeRoom();
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

    /** Holds on to a picture that was the camera's. */
    void freeze(Bitmap picture) {
        frozen = picture;
        photo.setImageBitmap(picture);
        photo.setVisibility(View.VISIBLE);
        layFrozen();
    }

    boolean isFrozen() {
        return frozen != null;
    }

    /** The picture's place has another size than when it was the camera's: it is whole in it. */
    void layFrozen() {
        photo.setImageMatrix(frozenToStage());
        answer.invalidate();
    }

    /** From the pixels of the picture that is held on to, to those of its place. */
    Matrix frozenToStage() {
        Matrix matrix = new Matrix();
        matrix.setRectToRect(
                new RectF(0, 0, frozen.getWidth(), frozen.getHeight()),
                new RectF(0, 0, stage.getWidth(), stage.getHeight()),
                Matrix.ScaleToFit.CENTER);
        return matrix;
    }

    /** A photo over the camera's picture; null leaves the camera's. */
    void showPhoto(Bitmap bitmap, Matrix toView) {
        frozen = null;
        photo.setImageBitmap(bitmap);
        photo.setImageMatrix(toView);
        photo.setVisibility(bitmap == null ? View.GONE : View.VISIBLE);
        if (bitmap == null) {
            change(pickPhoto, R.drawable.ic_photo, R.string.pick_photo);
        } else {
            change(pickPhoto, R.drawable.ic_camera, R.string.leave_photo);
        }
    }

    /** The picture with its answer, as it is on the screen; null where there is none. */
    Bitmap picture() {
        boolean isPhoto = photo.getVisibility() == View.VISIBLE;
        Bitmap camera = isPhoto ? null : preview.getBitmap();
        if (!isPhoto && camera == null) {
            return null;
        }
        Bitmap picture =
                Bitmap.createBitmap(stage.getWidth(), stage.getHeight(), Bitmap.Config.ARGB_8888);
        Canvas canvas = new Canvas(picture);
        if (isPhoto) {
            photo.draw(canvas);
        } else {
            canvas.drawBitmap(camera, 0, 0, null); // the preview's own surface draws on no canvas
        }
        answer.draw(canvas);
        return picture;
    }

    /** What shows the answers, over the picture. */
    void setAnswer(AnswerView view) {
        answer = view;
        overPicture.addView(view);
    }

    /** What can be set about the task, if anything: beside the picture there is room for it. */
    void offerDetails() {
        boolean isThere = controls.getChildCount() > 0;
        adjust.setVisibility(isThere && !isWide ? View.VISIBLE : View.GONE);
        details.setVisibility(isThere && isWide ? View.VISIBLE : View.GONE);
    }

    void showLoading(boolean isLoading) {
        loading.setVisibility(isLoading ? View.VISIBLE : View.GONE);
    }

    /** One sentence in place of an answer; null takes it away. */
    void say(CharSequence sentence) {
        say(sentence, 0, null);
    }

    /**
     * One sentence in place of an answer, and what can be done about it.
     *
     * @param offered What the button says; 0 for none.
     */
    void say(CharSequence sentence, int offered, Runnable done) {
        action.setVisibility(sentence == null || offered == 0 ? View.GONE : View.VISIBLE);
        if (offered != 0) {
            action.setText(offered);
            action.setOnClickListener(view -> done.run());
        }
        if (sentence != null && isSaid(sentence)) { // a reader need not speak it for every frame
            return;
        }
        message.setText(sentence);
        message.setVisibility(sentence == null ? View.GONE : View.VISIBLE);
        overPicture.setVisibility(sentence == null ? View.VISIBLE : View.INVISIBLE);
        if (sentence != null) {
            figures.clear(); // of the last picture, which is not there any more
            if (answer != null) {
                answer.clear();
            }
        }
    }

    /**
     * One sentence below the answer, that stays.
     *
     * @param sentence Null takes it away.
     * @param onCpu What the CPU is offered with; null where it is not.
     */
    void warn(CharSequence sentence, Runnable onCpu) {
        warning.setText(sentence);
        warning.setVisibility(sentence == null ? View.GONE : View.VISIBLE);
        useCpu.setVisibility(sentence == null || onCpu == null ? View.GONE : View.VISIBLE);
        useCpu.setOnClickListener(view -> onCpu.run());
    }

    private boolean isSaid(CharSequence sentence) {
        return message.getVisibility() == View.VISIBLE
                && TextUtils.equals(sentence, message.getText());
    }
}
