package mobileq.app;

import java.util.Locale;
import mobileq.core.detect.TopClasses;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Analysis;
import mobileq.core.run.LatencyWindow;
import mobileq.core.run.Session;

/** What stands over the picture: what runs, how long it takes, how large the frames are. */
final class StatusText {
    private StatusText() {}

    static String of(ModelSpec model, Frame frame, Analysis analysis, Session session) {
        LatencyWindow latency = session.latency();
        StringBuilder text = new StringBuilder();
        text.append(session.description()).append('\n');
        text.append(
                String.format(
                        Locale.getDefault(),
                        "%.1f ms (p50 %.1f, p95 %.1f) + %.1f ms, %d \u00d7 %d",
                        analysis.inferenceNanos / 1e6,
                        latency.percentileMilliseconds(50),
                        latency.percentileMilliseconds(95),
                        (analysis.preprocessNanos + analysis.postprocessNanos) / 1e6,
                        frame.width,
                        frame.height));
        if (!session.fallbackReason().isEmpty()) {
            text.append('\n').append(session.fallbackReason());
        }
        if (!session.findsBoxes()) {
            append(text, model, analysis.classes);
        }
        return text.toString();
    }

    private static void append(StringBuilder text, ModelSpec model, TopClasses classes) {
        for (int rank = 0; rank < classes.count(); rank++) {
            text.append('\n')
                    .append(model.label(classes.classId(rank)))
                    .append(String.format(Locale.getDefault(), " %.3f", classes.score(rank)));
        }
    }
}
