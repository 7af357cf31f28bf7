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
 * Two buttons that say which of the bundles' models runs, and what it runs on; each opens the list
 * of what there is. A line that is chosen once more counts: a person wants it tried again.
 */
final class ModelLists {
    private final Screen screen;
    private final Choices choices;
    private final List<Offer> offers;
    private final List<ModelRuntime> runtimes;
    private final Inference inference;
    private final Runnable changed;
    private final Runnable leave;
    private AlertDialog open;
    private List<Choices.Device> offered = new ArrayList<>();
    private int offerAt = -1;
    private Choices.Device wanted;
    private Choices.Device running;

    /**
     * @param screen Where the buttons are.
     * @param choices What was chosen last.
     * @param offers At least one.
     * @param runtimes What they can be loaded with.
     * @param inference Told what to run.
     * @param changed Run where another model runs, or on something else.
     * @param leave Run where a file of another bundle was chosen.
     */
    ModelLists(
            Screen screen,
            Choices choices,
            List<Offer> offers,
            List<ModelRuntime> runtimes,
            Inference inference,
            Runnable changed,
            Runnable leave) {
        this.screen = screen;
        this.choices = choices;
        this.offers = offers;
        this.runtimes = runtimes;
        this.inference = inference;
        this.changed = changed;
        this.leave = leave;
    }

    /** Runs what was chosen last, and lets the person choose. */
    void start() {
        screen.models.setOnClickListener(view -> openModels());
        screen.devices.setOnClickListener(view -> openDevices());
        chooseOffer(choices.offerIn(offers));
    }

    /** Runs the model on as many threads of the CPU as there are in the list. */
    void chooseCpu() {
        int position = 0;
        for (int i = 0; i < offered.size(); i++) {
            if (offered.get(i).accelerator == Accelerator.CPU) {
                position = i;
            }
        }
        chooseByHand(position);
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
        for (Offer offer : offers) {
            names.add(described(offer));
        }
        open(R.string.model, names, offerAt, this::chooseOffer);
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
                this::chooseByHand);
    }

    private void chooseByHand(int position) {
        choices.setDevice(offered.get(position));
        chooseDevice(position, Inference.Wish.NOW);
    }

    /** The file and its size; where there are several bundles, the model before them. */
    private String described(Offer offer) {
        Context context = screen.models.getContext();
        Artifact artifact = offer.artifact();
        String size = Formatter.formatShortFileSize(context, artifact.sizeBytes());
        boolean isOne = offers.get(0).bundle() == offers.get(offers.size() - 1).bundle();
        String name =
                isOne
                        ? artifact.name()
                        : context.getString(
                                R.string.model_and_file, offer.model(), artifact.name());
        return context.getString(R.string.model_and_size, name, size);
    }

    private void chooseOffer(int position) {
        if (position == offerAt) {
            return;
        }
        Offer offer = offers.get(position);
        choices.setOffer(offer);
        if (offerAt >= 0 && offer.bundle() != offers.get(offerAt).bundle()) {
            leave.run();
            return;
        }
        offerAt = position;
        Artifact artifact = offer.artifact();
        screen.models.setText(described(offer));
        describe(screen.models, R.string.model);
        offered = choices.devices(artifact, runtimes);
        int remembered = choices.deviceIn(offered);
        boolean wasChosen = choices.wasChosen(offered.get(remembered));
        chooseDevice(remembered, wasChosen ? Inference.Wish.EARLIER : Inference.Wish.NOBODY);
    }

    private void chooseDevice(int position, Inference.Wish wish) {
        wanted = offered.get(position);
        show(wanted);
        Artifact artifact = offers.get(offerAt).artifact();
        if (inference.choose(artifact, wanted.accelerator, wanted.threads, wish)) {
            changed.run();
        }
    }

    /** Shuts the list that is open, if one is: its window must not outlive the screen's. */
    void close() {
        if (open != null) {
            open.dismiss();
        }
    }

    private interface Choice {
        void at(int position);
    }

    private void open(int title, List<String> lines, int checked, Choice choice) {
        open =
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
