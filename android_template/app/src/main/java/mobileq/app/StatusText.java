package mobileq.app;

import android.content.res.Resources;
import android.os.SystemClock;
import android.view.View;
import androidx.annotation.Nullable;
import java.util.Locale;
import mobileq.core.image.Frame;
import mobileq.core.run.LatencyWindow;
import mobileq.core.run.Session;
import mobileq.core.run.Times;

/**
 * What stands over the picture: how long it takes, how many frames a second, what runs, how large
 * and old they are. Of the inference thread.
 */
final class StatusText {
    /**
     * The words.
     *
     * @param inference How long the latest took, a number of milliseconds.
     * @param rate Frames a second; null where that means nothing.
     * @param rest All else.
     */
    record Words(String inference, @Nullable String rate, String rest) {}

    private static final int WINDOW = 20;
    private static final long PAUSE_NANOS = 2_000_000_000L;

    private final Resources resources;
    private final LatencyWindow between = new LatencyWindow(WINDOW);
    private long last;

    StatusText(Resources resources) {
        this.resources = resources;
    }

    /** Counts a frame of the camera. */
    void count() {
        long now = SystemClock.elapsedRealtimeNanos();
        if (now - last < PAUSE_NANOS) {
            between.add(now - last);
        } else { // not a slow frame, but the first after a pause
            between.clear();
        }
        last = now;
    }

    /**
     * @param ageNanos How old the frame is; negative where that means nothing.
     */
    Words of(Frame frame, Session session, long ageNanos) {
        Times times = session.times();
        LatencyWindow latency = session.latency();
        boolean isLive = ageNanos >= 0;
        StringBuilder text = new StringBuilder();
        text.append(
                resources.getString(
                        R.string.status,
                        session.description(),
                        whole(frame.width),
                        whole(frame.height)));
        text.append('\n');
        text.append(
                resources.getString(
                        R.string.status_window,
                        tenths(latency.percentileMilliseconds(50)),
                        tenths(latency.percentileMilliseconds(95)),
                        tenths((times.preprocessNanos + times.postprocessNanos) / 1e6)));
        if (isLive) {
            text.append(resources.getString(R.string.status_age, whole(ageNanos / 1_000_000)));
        }
        if (!session.fallbackReason().isEmpty()) {
            text.append('\n').append(session.fallbackReason());
        }
        boolean hasRate = isLive && between.meanMilliseconds() > 0;
        return new Words(
                tenths(times.inferenceNanos / 1e6),
                hasRate ? tenths(1e3 / between.meanMilliseconds()) : null,
                text.toString());
    }

    private String tenths(double number) {
        return apart(String.format(locale(), "%.1f", number));
    }

    private String whole(long number) {
        return apart(String.format(locale(), "%d", number));
    }

    private Locale locale() {
        return resources.getConfiguration().getLocales().get(0);
    }

    /** Arabic digits with nothing but signs between them are read from the right: each number is
     * put into an isolate of its own, and they stand in the order of the text. */
    private String apart(String number) {
        boolean isFromRight =
                resources.getConfiguration().getLayoutDirection() == View.LAYOUT_DIRECTION_RTL;
        return isFromRight ? "\u2068" + number + "\u2069" : number;
    }
}
