package mobileq.app;

import android.content.res.Resources;
import android.view.View;
import android.widget.TextView;
import androidx.activity.ComponentActivity;

/**
 * What was measured of the last picture: on chips how long it took and how many there are a second,
 * the rest in small letters. Of the main thread.
 */
final class Figures {
    /** The chips, and the rest; each makes room where something else stands there. */
    final View[] views;

    private final TextView inference;
    private final TextView rate;
    private final TextView status;

    Figures(ComponentActivity activity) {
        inference = activity.findViewById(R.id.inference);
        rate = activity.findViewById(R.id.rate);
        status = activity.findViewById(R.id.status);
        views = new View[] {activity.findViewById(R.id.figures), status};
    }

    void show(StatusText.Words words) {
        write(inference, words.inference(), R.string.inference, R.string.inference_said);
        write(rate, words.rate(), R.string.rate, R.string.rate_said);
        rate.setVisibility(words.rate() == null ? View.GONE : View.VISIBLE);
        status.setText(words.rest());
        for (View each : views) {
            if (each.getVisibility() == View.GONE) {
                each.setVisibility(View.VISIBLE);
            }
        }
    }

    private static void write(TextView chip, String number, int words, int said) {
        Resources resources = chip.getResources();
        chip.setText(resources.getString(words, number));
        chip.setContentDescription(resources.getString(said, number));
    }

    /** There is none. */
    void clear() {
        for (View each : views) {
            each.setVisibility(View.GONE);
        }
    }
}
