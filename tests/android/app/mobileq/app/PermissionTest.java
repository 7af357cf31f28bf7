package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.Manifest;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.provider.Settings;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowActivity.PermissionsRequest;
import org.robolectric.util.ReflectionHelpers;

/** Asking for the camera, whatever the person and Android answer. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PermissionTest extends ScreenTest {
    private PermissionsRequest answered;

    /** What Android asks now, if it was asked to since the last answer. */
    private PermissionsRequest prompt() {
        PermissionsRequest last = Shadows.shadowOf(app.activity).getLastRequestedPermission();
        return last == answered ? null : last;
    }

    /** The prompt goes; an explanation is due from the first refusal to the last. */
    @SuppressWarnings("deprecation") // by which Android answers
    private void answer(int result, boolean isExplanationDue) {
        answered = prompt();
        assertNotNull("nothing was asked", answered);
        Shadows.shadowOf(app.activity.getPackageManager())
                .setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, isExplanationDue);
        if (result == PackageManager.PERMISSION_GRANTED) {
            Shadows.shadowOf(RuntimeEnvironment.getApplication())
                    .grantPermissions(Manifest.permission.CAMERA);
        }
        ReflectionHelpers.setField(app.activity, "mHasCurrentPermissionsRequest", false);
        app.activity.onRequestPermissionsResult(
                answered.requestCode, answered.requestedPermissions, new int[] {result});
        app.settle();
    }

    private void refuse(boolean isExplanationDue) {
        answer(PackageManager.PERMISSION_DENIED, isExplanationDue);
    }

    private void refuseForGood() {
        refuse(true);
        app.click(R.id.action);
        refuse(false);
    }

    private void startAgain() {
        app.close();
        answered = null;
        app = new AppUnderTest(false);
    }

    private Intent opened() {
        Intent next;
        do { // a prompt is an activity of Android's
            next = Shadows.shadowOf(app.activity).getNextStartedActivity();
        } while (next != null && "android.content.pm.action.REQUEST_PERMISSIONS".equals(next.getAction()));
        return next;
    }

    private void assertSettingsOpen() {
        assertNull("it was asked in vain", prompt());
        Intent settings = opened();
        assertNotNull("the button does nothing", settings);
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, settings.getAction());
        assertEquals("package:" + app.activity.getPackageName(), settings.getDataString());
    }

    @Test
    public void aPromptThatWasDismissedIsShownAgain() throws Exception {
        app = new AppUnderTest(false);
        refuse(false);
        app.click(R.id.action);
        assertNull("settings, where Android would still ask", opened());
        answer(PackageManager.PERMISSION_GRANTED, false);
        assertEquals("", app.text(R.id.message));
        assertNotNull(app.analysis());
    }

    @Test
    public void refusedForGoodItIsASettingAlsoAfterAStart() throws Exception {
        app = new AppUnderTest(false);
        refuseForGood();
        app.click(R.id.action);
        assertSettingsOpen();
        startAgain();
        refuse(false); // which Android does by itself
        app.click(R.id.action);
        assertSettingsOpen();
    }

    @Test
    public void whereAndroidShowsNoPromptTheNextClickLeadsToTheSettings() throws Exception {
        app = new AppUnderTest(false);
        refuse(false);
        app.click(R.id.action);
        refuse(false);
        app.click(R.id.action);
        assertSettingsOpen();
    }

    @Test
    public void onceAllowedNothingIsRememberedOfARefusal() throws Exception {
        app = new AppUnderTest(false);
        refuseForGood();
        startAgain();
        answer(PackageManager.PERMISSION_GRANTED, false);
        Shadows.shadowOf(RuntimeEnvironment.getApplication())
                .denyPermissions(Manifest.permission.CAMERA);
        startAgain();
        refuse(false);
        app.click(R.id.action);
        assertNull(opened());
        assertNotNull(prompt());
    }

    @Test
    public void thePermissionIsAskedForOnce() throws Exception {
        app = new AppUnderTest(false);
        assertNotNull(prompt());
        app.changeConfiguration("+night");
        assertNull(prompt());
    }

    @Test
    public void withoutThePermissionASentenceAndAButtonAreShown() throws Exception {
        app = new AppUnderTest(false);
        for (String model : new String[] {"tflite-fp32", "tflite-int8"}) {
            app.choose(R.id.models, model);
            assertTrue(app.isVisible(R.id.action));
            assertTrue(app.isVisible(R.id.message));
            assertTrue(app.text(R.id.message).contains("may not use the camera"));
        }
        app.screenshot("refused");
    }
}
