package mobileq.app;

import android.annotation.SuppressLint;
import android.content.Context;
import android.content.SharedPreferences;
import android.content.pm.PackageManager;
import android.os.Build;
import mobileq.core.check.SelfCheck;

/** What the self-check found: forgotten where the phone's system or the app is another. */
final class CheckNotes implements SelfCheck.Notes {
    private static final String OF = "of";

    private final SharedPreferences preferences;

    CheckNotes(Context context) {
        preferences = context.getSharedPreferences("checks", Context.MODE_PRIVATE);
        String now = Build.FINGERPRINT + " " + updated(context);
        if (!now.equals(preferences.getString(OF, null))) {
            preferences.edit().clear().putString(OF, now).apply();
        }
    }

    private static long updated(Context context) {
        try {
            String name = context.getPackageName();
            return context.getPackageManager().getPackageInfo(name, 0).lastUpdateTime;
        } catch (PackageManager.NameNotFoundException error) { // an app always finds itself
            throw new IllegalStateException(error);
        }
    }

    @Override
    public String read(String name) {
        return preferences.getString(name, null);
    }

    @Override
    @SuppressLint("ApplySharedPref") // it must be on the disk before the driver is called
    public void write(String name, String text) {
        preferences.edit().putString(name, text).commit();
    }
}
