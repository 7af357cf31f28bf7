package mobileq.core.classify;

import java.util.ArrayList;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.check.Comparison;
import mobileq.core.check.Difference;
import mobileq.core.json.Fields;
import mobileq.core.run.Task;

/** The best classes of one picture, of each head, told twice. */
final class ClassComparison implements Comparison {
    /** Of the best class's score: classes that have more of it may change places with it. */
    private static final float CLOSE = 0.5f;

    /** A class and its score. */
    private record Told(int classId, float score) {}

    private final Classification classification = new Classification();
    private List<Told> kept = new ArrayList<>();

    @Override
    public Task task() {
        return classification;
    }

    @Override
    public void keep() {
        kept = told();
    }

    @Override
    public void keep(Fields golden) throws BundleException {
        kept =
                golden.objectLists(
                        "classes",
                        told ->
                                new Told(
                                        told.integer("class_id"),
                                        (float) told.number("score", 0)));
    }

    /** Of one head after the other. */
    private List<Told> told() {
        List<Told> all = new ArrayList<>();
        for (TopClasses best : classification.best()) {
            for (int rank = 0; rank < best.count(); rank++) {
                all.add(new Told(best.classId(rank), best.score(rank)));
            }
        }
        return all;
    }

    @Override
    public Difference difference() {
        int others = 0;
        float score = 0;
        int at = 0;
        for (TopClasses found : classification.best()) {
            int end = Math.min(at + found.count(), kept.size());
            List<Told> wanted = kept.subList(at, end);
            at = end;
            if (wanted.isEmpty()) { // values that are no numbers
                others++;
                continue;
            }
            for (Told each : wanted) {
                score = Math.max(score, Math.abs(each.score() - of(found, each.classId())));
            }
            if (of(wanted, found.classId(0)) < CLOSE * wanted.get(0).score()) {
                others++;
            }
        }
        return new Difference(others, others, score);
    }

    /** A class that is not among the best has at most the score of the last of them. */
    private static float of(TopClasses best, int classId) {
        for (int rank = 0; rank < best.count(); rank++) {
            if (best.classId(rank) == classId) {
                return best.score(rank);
            }
        }
        return best.score(best.count() - 1);
    }

    private static float of(List<Told> best, int classId) {
        for (Told each : best) {
            if (each.classId() == classId) {
                return each.score();
            }
        }
        return 0;
    }
}
