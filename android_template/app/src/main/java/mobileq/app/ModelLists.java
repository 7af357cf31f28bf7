package mobileq.app;

import android.content.Context;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Spinner;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.manifest.Artifact;
import mobileq.core.run.ModelRuntime;

/** The list of the bundle's models, and that of what the chosen one can run on. */
final class ModelLists {
    private final Spinner models;
    private final Spinner devices;
    private final Choices choices;
    private final List<Artifact> artifacts;
    private final List<ModelRuntime> runtimes;
    private final Inference inference;
    private final Runnable changed;
    private List<Choices.Device> offered = new ArrayList<>();
    private int artifactAt = -1;
    private int deviceAt = -1;

    /**
     * @param screen Where the lists are.
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
        this.models = screen.models;
        this.devices = screen.devices;
        this.choices = choices;
        this.artifacts = artifacts;
        this.runtimes = runtimes;
        this.inference = inference;
        this.changed = changed;
    }

    /** Fills the lists and chooses what was chosen last. */
    void start() {
        List<String> names = new ArrayList<>();
        for (Artifact artifact : artifacts) {
            names.add(artifact.name());
        }
        models.setAdapter(lines(names));
        models.setOnItemSelectedListener(onSelected(this::chooseArtifact));
        devices.setOnItemSelectedListener(onSelected(position -> chooseDevice(position, true)));
        int remembered = choices.artifactIn(artifacts);
        chooseArtifact(remembered);
        models.setSelection(remembered);
    }

    private void chooseArtifact(int position) {
        if (position == artifactAt) {
            return;
        }
        artifactAt = position;
        Artifact artifact = artifacts.get(position);
        choices.setArtifact(artifact);
        offered = choices.devices(artifact, runtimes);
        int remembered = choices.deviceIn(offered);
        deviceAt = -1;
        chooseDevice(remembered, false);
        devices.setAdapter(lines(offered));
        devices.setSelection(remembered);
    }

    private void chooseDevice(int position, boolean byHand) {
        if (position == deviceAt) {
            return;
        }
        deviceAt = position;
        Choices.Device device = offered.get(position);
        if (byHand) {
            choices.setDevice(device);
        }
        Artifact artifact = artifacts.get(artifactAt);
        inference.choose(artifact, device.accelerator, device.threads, byHand);
        changed.run();
    }

    private <T> ArrayAdapter<T> lines(List<T> items) {
        Context context = models.getContext();
        return new ArrayAdapter<>(context, android.R.layout.simple_spinner_dropdown_item, items);
    }

    private interface Choice {
        void at(int position);
    }

    private static AdapterView.OnItemSelectedListener onSelected(Choice choice) {
        return new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> list, View view, int position, long id) {
                choice.at(position);
            }

            @Override
            public void onNothingSelected(AdapterView<?> list) {}
        };
    }
}
