package mobileq.app;

import java.util.Locale;
import mobileq.core.image.Frame;
import mobileq.core.run.LatencyWindow;
import mobileq.core.run.Session;
import mobileq.core.run.Times;

/** What stands over the picture: what runs, how long it takes, how large the frames are. */
final class StatusText {
    private StatusText() {}

    /**
     * @param ageNanos How old the frame is; negative where that means nothing.
     */
    static String of(Frame frame, Session session, long ageNanos) {
        Times times = session.times();
        LatencyWindow latency = session.latency();
        StringBuilder text = new StringBuilder();
        text.append(session.description()).append('\n');
        text.append(
                String.format(
                        Locale.getDefault(),
                        "%.1f ms (p50 %.1f, p95 %.1f) + %.1f ms, %d \u00d7 %d",
                        times.inferenceNanos / 1e6,
                        latency.percentileMilliseconds(50),
                        latency.percentileMilliseconds(95),
                        (times.preprocessNanos + times.postprocessNanos) / 1e6,
                        frame.width,
                        frame.height));
        if (ageNanos >= 0) {
            text.append(String.format(Locale.getDefault(), ", %d ms old", ageNanos / 1_000_000));
        }
        if (!session.fallbackReason().isEmpty()) {
            text.append('\n').append(session.fallbackReason());
        }
        return text.toString();
    }
}
