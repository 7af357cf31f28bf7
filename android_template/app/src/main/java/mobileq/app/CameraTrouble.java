package mobileq.app;

import androidx.camera.core.CameraState;

/** Why there is no picture of the camera: a sentence, and what a person can do about it. */
enum CameraTrouble {
    REFUSED(R.string.camera_refused, R.string.allow_camera),
    MISSING(R.string.no_camera, 0),
    IN_USE(R.string.camera_in_use, R.string.try_again),
    DISABLED(R.string.camera_disabled, R.string.settings),
    DO_NOT_DISTURB(R.string.camera_do_not_disturb, R.string.settings),
    /** What Android hands out where the camera's switch among the privacy settings is off. */
    BLACK(R.string.camera_black, R.string.settings),
    FAILED(R.string.camera_failed, R.string.try_again);

    /** One for the screen; takes what went wrong in detail. */
    final int sentence;

    /** What a button offers; 0 where nothing helps. */
    final int action;

    CameraTrouble(int sentence, int action) {
        this.sentence = sentence;
        this.action = action;
    }

    /** Of an error that CameraX tells of. */
    static CameraTrouble of(CameraState.StateError error) {
        switch (error.getCode()) {
            case CameraState.ERROR_CAMERA_IN_USE:
            case CameraState.ERROR_MAX_CAMERAS_IN_USE:
                return IN_USE;
            case CameraState.ERROR_CAMERA_DISABLED:
                return DISABLED;
            case CameraState.ERROR_DO_NOT_DISTURB_MODE_ENABLED: // Android 9 throws at it
                return DO_NOT_DISTURB;
            default:
                return FAILED;
        }
    }
}
