package mobileq.app;

import android.content.res.Resources;
import android.os.SystemClock;
import mobileq.core.image.Frame;
import mobileq.core.run.LatencyWindow;
import mobileq.core.run.Session;
import mobileq.core.run.Times;

/**
 * What stands over the picture: what runs, how long it takes, how many frames a second, how large
 * and old they are. Of the inference thread.
 */
final class StatusText {
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
    String of(Frame frame, Session session, long ageNanos) {
        Times times = session.times();
        LatencyWindow latency = session.latency();
        boolean isLive = ageNanos >= 0;
        StringBuilder text = new StringBuilder(session.description()).append('\n');
        text.append(
                resources.getString(
                        R.string.status, times.inferenceNanos / 1e6, frame.width, frame.height));
        if (isLive && between.meanMilliseconds() > 0) {
            text.append(
                    resources.getString(R.string.status_rate, 1e3 / between.meanMilliseconds()));
        }
        text.append('\n');
        text.append(
                resources.getString(
                        R.string.status_window,
                        latency.percentileMilliseconds(50),
                        latency.percentileMilliseconds(95),
                        (times.preprocessNanos + times.postprocessNanos) / 1e6));
        if (isLive) {
            text.append(resources.getString(R.string.status_age, ageNanos / 1_000_000));
        }
        if (!session.fallbackReason().isEmpty()) {
            text.append('\n').append(session.fallbackReason());
        }
        return text.toString();
    }
}
