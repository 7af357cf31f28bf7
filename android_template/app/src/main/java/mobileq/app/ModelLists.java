package mobileq.app;

import android.app.AlertDialog;
import android.content.Context;
import android.text.format.Formatter;
import android.widget.Button;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.manifest.Artifact;
import mobileq.core.run.Accelerator;
import mobileq.core.run.ModelRuntime;

/**
 * Two buttons that say which of the bundle's models runs, and what it runs on; each opens the list
 * of what there is. A line that is chosen once more counts: a person wants it tried again.
 */
final class ModelLists {
    private final Screen screen;
    private final Choices choices;
    private final List<Artifact> artifacts;
    private final List<ModelRuntime> runtimes;
    private final Inference inference;
    private final Runnable changed;
    private List<Choices.Device> offered = new ArrayList<>();
    private int artifactAt = -1;
    private Choices.Device wanted;
    private Choices.Device running;

    /**
     * @param screen Where the buttons are.
     * @param choices What was chosen last.
     * @param artifacts At least one.
     * @param runtimes What they can be loaded with.
     * @param inference Told what to run.
     * @param changed Run after each change.
     */
    ModelLists(
            Screen screen,
            Choices choices,
            List<Artifact> artifacts,
            List<ModelRuntime> runtimes,
            Inference inference,
            Runnable changed) {
        this.screen = screen;
        this.choices = choices;
        this.artifacts = artifacts;
        this.runtimes = runtimes;
        this.inference = inference;
        this.changed = changed;
    }

    /** Runs what was chosen last, and lets the person choose. */
    void start() {
        screen.models.setOnClickListener(view -> openModels());
        screen.devices.setOnClickListener(view -> openDevices());
        chooseArtifact(choices.artifactIn(artifacts));
    }

    /** What the model runs on in truth, where something failed. */
    void showRunning(Accelerator actual) {
        for (Choices.Device device : offered) {
            if (device.accelerator == actual
                    && (actual == wanted.accelerator || device.threads == wanted.threads)) {
                show(actual == wanted.accelerator ? wanted : device);
                return;
            }
        }
    }

    private void show(Choices.Device device) {
        running = device;
        screen.devices.setText(device.toString());
        describe(screen.devices, R.string.runs_on);
    }

    private static void describe(Button button, int words) {
        String what = button.getResources().getString(words);
        button.setContentDescription(what + ": " + button.getText());
    }

    private void openModels() {
        List<String> names = new ArrayList<>();
        for (Artifact artifact : artifacts) {
            names.add(described(artifact));
        }
        open(R.string.model, names, artifactAt, this::chooseArtifact);
    }

    private void openDevices() {
        List<String> names = new ArrayList<>();
        for (Choices.Device device : offered) {
            names.add(device.toString());
        }
        open(
                R.string.runs_on,
                names,
                offered.indexOf(running),
                position -> {
                    choices.setDevice(offered.get(position));
                    chooseDevice(position, Inference.Wish.NOW);
                });
    }

    private String described(Artifact artifact) {
        Context context = screen.models.getContext();
        return context.getString(
                R.string.model_and_size,
                artifact.name(),
                Formatter.formatShortFileSize(context, artifact.sizeBytes()));
    }

    private void chooseArtifact(int position) {
        if (position == artifactAt) {
            return;
        }
        artifactAt = position;
        Artifact artifact = artifacts.get(position);
        choices.setArtifact(artifact);
        screen.models.setText(described(artifact));
        describe(screen.models, R.string.model);
        offered = choices.devices(artifact, runtimes);
        int remembered = choices.deviceIn(offered);
        boolean wasChosen = choices.wasChosen(offered.get(remembered));
        chooseDevice(remembered, wasChosen ? Inference.Wish.EARLIER : Inference.Wish.NOBODY);
    }

    private void chooseDevice(int position, Inference.Wish wish) {
        wanted = offered.get(position);
        show(wanted);
        inference.choose(artifacts.get(artifactAt), wanted.accelerator, wanted.threads, wish);
        changed.run();
    }

    private interface Choice {
        void at(int position);
    }

    private void open(int title, List<String> lines, int checked, Choice choice) {
        new AlertDialog.Builder(screen.models.getContext())
                .setTitle(title)
                .setSingleChoiceItems(
                        lines.toArray(new String[0]),
                        checked,
                        (dialog, position) -> {
                            dialog.dismiss();
                            choice.at(position);
                        })
                .setNegativeButton(android.R.string.cancel, null)
                .show();
    }
}
