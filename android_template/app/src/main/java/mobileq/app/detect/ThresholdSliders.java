package mobileq.app.detect;

import android.view.LayoutInflater;
import android.view.ViewGroup;
import android.widget.SeekBar;
import android.widget.TextView;
import mobileq.app.Choices;
import mobileq.app.R;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;

/**
 * Two sliders for what becomes a detection. Remembered per model: another one scores in another
 * way.
 */
final class ThresholdSliders {
    private static final int STEPS = 100;
    private static final String SCORE = "score";
    private static final String IOU = "iou";

    private final ViewGroup panel;
    private final Detection detection;
    private final Choices choices;
    private final Runnable changed;
    private final SeekBar score;
    private final SeekBar iou;

    /**
     * @param panel Where they are added.
     * @param detection Whose thresholds they are.
     * @param choices What is remembered.
     * @param changed Run after each change by hand.
     */
    ThresholdSliders(ViewGroup panel, Detection detection, Choices choices, Runnable changed) {
        this.panel = panel;
        this.detection = detection;
        this.choices = choices;
        this.changed = changed;
        LayoutInflater.from(panel.getContext()).inflate(R.layout.detect_sliders, panel);
        score = panel.findViewById(R.id.score);
        iou = panel.findViewById(R.id.iou);
    }

    /** Sets what is remembered, and lets the person change it. */
    void start() {
        Thresholds usual = detection.thresholds();
        Thresholds remembered =
                Thresholds.display(
                        choices.value(SCORE, usual.score()), choices.value(IOU, usual.iou()));
        detection.setThresholds(remembered);
        slide(score, remembered.score(), R.id.score_label, R.string.score);
        slide(iou, remembered.iou(), R.id.iou_label, R.string.iou);
    }

    private void slide(SeekBar slider, float value, int labelId, int words) {
        TextView label = panel.findViewById(labelId);
        slider.setMax(STEPS);
        slider.setProgress(Math.round(value * STEPS));
        label.setText(label.getResources().getString(words, value));
        slider.setOnSeekBarChangeListener(
                new SeekBar.OnSeekBarChangeListener() {
                    @Override
                    public void onProgressChanged(SeekBar bar, int progress, boolean byHand) {
                        label.setText(label.getResources().getString(words, share(bar)));
                        if (byHand) {
                            apply();
                        }
                    }

                    @Override
                    public void onStartTrackingTouch(SeekBar bar) {}

                    @Override
                    public void onStopTrackingTouch(SeekBar bar) {}
                });
    }

    private void apply() {
        choices.setValue(SCORE, share(score));
        choices.setValue(IOU, share(iou));
        detection.setThresholds(Thresholds.display(share(score), share(iou)));
        changed.run();
    }

    private static float share(SeekBar slider) {
        return slider.getProgress() / (float) STEPS;
    }
}
