package mobileq.app;

import android.os.Handler;
import android.os.Looper;
import android.text.TextUtils;
import android.view.View;
import android.widget.Button;
import android.widget.TextView;
import androidx.activity.ComponentActivity;

/**
 * One line below the answer, with what can be done about it: how far a series of pictures is; or for
 * a while, what did not work. Of the main thread.
 */
final class Notice {
    private static final long WHILE_MILLIS = 8000;

    /** What all of it stands on. */
    final View view;

    private final TextView text;
    private final Button action;
    private final Handler main = new Handler(Looper.getMainLooper());
    private CharSequence standing;
    private int offered;
    private Runnable done;

    Notice(ComponentActivity activity) {
        view = activity.findViewById(R.id.notice);
        text = activity.findViewById(R.id.notice_text);
        action = activity.findViewById(R.id.notice_action);
        action.setOnClickListener(button -> done.run());
    }

    /**
     * What stays there.
     *
     * @param sentence Null takes it away.
     * @param newlyOffered What the button says; 0 for none.
     * @param newlyDone What it does.
     * @param isSpoken Whether readers of the screen say it: not what changes all the time, which the
     *     answer's view says now and then.
     */
    void say(CharSequence sentence, int newlyOffered, Runnable newlyDone, boolean isSpoken) {
        done = newlyDone;
        if (TextUtils.equals(sentence, standing) && newlyOffered == offered) {
            return;
        }
        standing = sentence;
        offered = newlyOffered;
        speak(isSpoken);
        show();
    }

    /** A sentence for a while. */
    void sayForAWhile(CharSequence sentence) {
        main.removeCallbacksAndMessages(null);
        speak(true);
        set(sentence, 0);
        main.postDelayed(this::show, WHILE_MILLIS);
    }

    /** Nobody reads it any more. */
    void close() {
        main.removeCallbacksAndMessages(null);
    }

    private void show() {
        main.removeCallbacksAndMessages(null);
        set(standing, offered);
    }

    private void speak(boolean isSpoken) {
        text.setAccessibilityLiveRegion(
                isSpoken
                        ? View.ACCESSIBILITY_LIVE_REGION_POLITE
                        : View.ACCESSIBILITY_LIVE_REGION_NONE);
    }

    private void set(CharSequence sentence, int label) {
        view.setVisibility(sentence == null ? View.GONE : View.VISIBLE);
        if (!TextUtils.equals(sentence, text.getText())) {
            text.setText(sentence);
        }
        action.setVisibility(label == 0 ? View.GONE : View.VISIBLE);
        if (label != 0) {
            action.setText(label);
        }
    }
}
