package mobileq.app;

import android.content.SharedPreferences;
import android.content.res.Resources;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.manifest.Artifact;
import mobileq.core.run.Accelerator;
import mobileq.core.run.ModelRuntime;

/** What the person may choose of, and what was chosen last. */
public final class Choices {
    /** One line of the list of accelerators. */
    static final class Device {
        final Accelerator accelerator;

        /** On the CPU, and where the CPU takes over. */
        final int threads;

        private final String label;

        Device(Accelerator accelerator, int threads, String label) {
            this.accelerator = accelerator;
            this.threads = threads;
            this.label = label;
        }

        @Override
        public String toString() {
            return label;
        }
    }

    private static final int MOST_THREADS = 4;
    private static final String ARTIFACT = "artifact";
    private static final String MODEL = "model";
    private static final String DEVICE = "device";
    private static final String FRONT = "front";

    private final SharedPreferences preferences;
    private final Resources resources;
    private String model = "";

    Choices(SharedPreferences preferences, Resources resources) {
        this.preferences = preferences;
        this.resources = resources;
    }

    /** Numbers are those of this model from now on. */
    void setModel(String name) {
        model = name;
    }

    /** What the runtime of an artifact can run on; always the CPU, with one to four threads. */
    List<Device> devices(Artifact artifact, List<ModelRuntime> runtimes) {
        List<Device> devices = new ArrayList<>();
        for (int threads = 1; threads <= MOST_THREADS; threads *= 2) {
            String label = resources.getQuantityString(R.plurals.cpu_threads, threads, threads);
            devices.add(new Device(Accelerator.CPU, threads, label));
        }
        for (ModelRuntime runtime : runtimes) {
            if (!runtime.target().equals(artifact.target())) {
                continue;
            }
            if (runtime.offers(Accelerator.GPU)) {
                devices.add(device(Accelerator.GPU, R.string.gpu));
            }
            if (runtime.offers(Accelerator.NNAPI)) {
                devices.add(device(Accelerator.NNAPI, R.string.nnapi));
            }
            if (runtime.offers(Accelerator.NPU)) {
                devices.add(device(Accelerator.NPU, R.string.npu));
            }
        }
        return devices;
    }

    private Device device(Accelerator accelerator, int label) {
        return new Device(accelerator, MOST_THREADS, resources.getString(label));
    }

    /** The position of what was chosen last, or of the app's default. */
    int deviceIn(List<Device> devices) {
        String wanted = preferences.getString(DEVICE, null);
        int otherwise = devices.size() > 2 ? 2 : 0;
        String fallback = resources.getString(R.string.default_accelerator);
        for (int i = 0; i < devices.size(); i++) {
            Device device = devices.get(i);
            if (key(device).equals(wanted)) {
                return i;
            }
            if (device.accelerator.toString().equals(fallback)
                    && device.accelerator != Accelerator.CPU) {
                otherwise = i;
            }
        }
        return otherwise;
    }

    private static String key(Device device) {
        return device.accelerator + " " + device.threads;
    }

    /** Whether a person ever chose it by hand. */
    boolean wasChosen(Device device) {
        return key(device).equals(preferences.getString(DEVICE, null));
    }

    void setDevice(Device device) {
        preferences.edit().putString(DEVICE, key(device)).apply();
    }

    /** The position of what was chosen last, or the first. */
    int offerIn(List<Offer> offers) {
        String wanted = preferences.getString(ARTIFACT, "");
        String of = preferences.getString(MODEL, "");
        for (int i = 0; i < offers.size(); i++) {
            Offer offer = offers.get(i);
            if (offer.artifact().name().equals(wanted) && offer.model().equals(of)) {
                return i;
            }
        }
        return 0;
    }

    void setOffer(Offer offer) {
        preferences
                .edit()
                .putString(MODEL, offer.model())
                .putString(ARTIFACT, offer.artifact().name())
                .apply();
    }

    boolean isFront() {
        return preferences.getBoolean(FRONT, false);
    }

    void setFront(boolean front) {
        preferences.edit().putBoolean(FRONT, front).apply();
    }

    /**
     * A number that was set for this model.
     *
     * @param name Of what was set.
     * @param otherwise Where it was never set.
     */
    public float value(String name, float otherwise) {
        return preferences.getFloat(ofModel(name), otherwise);
    }

    /** Remembers a number for this model. */
    public void setValue(String name, float value) {
        preferences.edit().putFloat(ofModel(name), value).apply();
    }

    private String ofModel(String name) {
        return name + " " + model;
    }
}
