package mobileq.app;

import android.Manifest;
import android.content.Context;
import android.content.Intent;
import android.content.SharedPreferences;
import android.content.pm.PackageManager;
import android.net.Uri;
import android.provider.Settings;
import androidx.activity.ComponentActivity;
import androidx.activity.result.ActivityResultLauncher;
import androidx.activity.result.contract.ActivityResultContracts;
import androidx.core.content.ContextCompat;

/**
 * Whether the camera may be used, and asking for it.
 *
 * <p>Android shows its prompt until it was refused for good, and says neither that it shows none any
 * more nor that one was dismissed. Refused for good it was where an explanation was due before and
 * is not any more, or where the person asked for the prompt and no explanation is due.
 */
final class CameraPermission {
    private static final String REFUSED = "camera refused";

    private final ComponentActivity activity;
    private final Runnable answered;
    private final ActivityResultLauncher<String> prompt;
    private boolean isExplainable;
    private boolean isWanted;

    /** To be made before the activity is started. */
    CameraPermission(ComponentActivity activity, Runnable answered) {
        this.activity = activity;
        this.answered = answered;
        prompt =
                activity.registerForActivityResult(
                        new ActivityResultContracts.RequestPermission(), this::onAnswer);
    }

    boolean isGranted() {
        return ContextCompat.checkSelfPermission(activity, Manifest.permission.CAMERA)
                == PackageManager.PERMISSION_GRANTED;
    }

    /** Android's prompt, where it still shows one. */
    void ask() {
        isExplainable = mayExplain();
        prompt.launch(Manifest.permission.CAMERA);
    }

    /**
     * What the person who wants the camera now is to be shown.
     *
     * @return Android's settings of this app, or null where its prompt is shown.
     */
    Intent askAgain() {
        if (mayExplain() || !preferences().getBoolean(REFUSED, false)) {
            isWanted = true;
            ask();
            return null;
        }
        Uri app = Uri.fromParts("package", activity.getPackageName(), null);
        return new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app);
    }

    private void onAnswer(boolean isGranted) {
        if (isGranted || mayExplain()) {
            preferences().edit().remove(REFUSED).apply();
        } else if (isExplainable || isWanted) {
            preferences().edit().putBoolean(REFUSED, true).apply();
        }
        isWanted = false;
        answered.run();
    }

    private boolean mayExplain() {
        return activity.shouldShowRequestPermissionRationale(Manifest.permission.CAMERA);
    }

    private SharedPreferences preferences() {
        return activity.getSharedPreferences("choices", Context.MODE_PRIVATE);
    }
}
