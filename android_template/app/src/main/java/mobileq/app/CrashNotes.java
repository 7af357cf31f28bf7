package mobileq.app;

import android.annotation.SuppressLint;
import android.content.SharedPreferences;
import mobileq.core.run.AcceleratorFallback;

/** Notes down what is being started, so that a start which kills the process is known of. */
final class CrashNotes implements AcceleratorFallback.Notes {
    private static final String KEY = "starting";

    private final SharedPreferences preferences;

    CrashNotes(SharedPreferences preferences) {
        this.preferences = preferences;
    }

    @Override
    public String read() {
        return preferences.getString(KEY, null);
    }

    @Override
    @SuppressLint("ApplySharedPref") // it must be on the disk before the driver is called
    public void write(String text) {
        preferences.edit().putString(KEY, text).commit();
    }
}
