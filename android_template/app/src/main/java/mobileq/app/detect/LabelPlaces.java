package mobileq.app.detect;

import android.graphics.RectF;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Finds places for the labels of boxes: inside the view, over no other label and over nothing else
 * that stands there. The first ones asked for get the best places. Used again for every picture.
 */
final class LabelPlaces {
    private final List<RectF> places = new ArrayList<>();
    private final RectF view = new RectF();
    private List<RectF> covered = Collections.emptyList();
    private int taken;

    /** Forgets all places, for a view of this size with something else at some places of it. */
    void start(float width, float height, List<RectF> alreadyCovered) {
        view.set(0, 0, width, height);
        covered = alreadyCovered;
        taken = 0;
    }

    /** How many are taken. */
    int count() {
        return taken;
    }

    /**
     * A place that was taken.
     *
     * @param index From 0, in the order of asking.
     */
    RectF place(int index) {
        return places.get(index);
    }

    /**
     * Takes a place above the box, within it, or below it, at its left or its right.
     *
     * @param box Of what is labelled, as far as it is in the view.
     * @param width Of the label.
     * @param height Of the label.
     * @return Where; null where there is no room.
     */
    RectF take(RectF box, float width, float height) {
        if (taken == places.size()) {
            places.add(new RectF());
        }
        RectF place = places.get(taken);
        float[] lefts = {box.left, box.right - width};
        float[] tops = {box.top - height, box.top, box.bottom - height, box.bottom};
        for (float top : tops) {
            for (float left : lefts) {
                float moved = Math.max(0, Math.min(left, view.width() - width));
                place.set(moved, top, moved + width, top + height);
                if (isFree(place)) {
                    taken++;
                    return place;
                }
            }
        }
        return null;
    }

    private boolean isFree(RectF place) {
        boolean isFree = view.contains(place);
        for (int i = 0; i < covered.size() && isFree; i++) {
            isFree = !RectF.intersects(covered.get(i), place);
        }
        for (int i = 0; i < taken && isFree; i++) {
            isFree = !RectF.intersects(places.get(i), place);
        }
        return isFree;
    }
}
