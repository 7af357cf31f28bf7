package androidx.camera.core;

public abstract class CameraState {
    public static final int ERROR_MAX_CAMERAS_IN_USE = 1;
    public static final int ERROR_CAMERA_IN_USE = 2;
    public static final int ERROR_OTHER_RECOVERABLE_ERROR = 3;
    public static final int ERROR_STREAM_CONFIG = 4;
    public static final int ERROR_CAMERA_DISABLED = 5;
    public static final int ERROR_CAMERA_FATAL_ERROR = 6;
    public static final int ERROR_DO_NOT_DISTURB_MODE_ENABLED = 7;

    public static CameraState create(Type type) {
        return create(type, null);
    }

    public static CameraState create(Type type, StateError error) {
        return new CameraState() {
            @Override
            public Type getType() {
                return type;
            }

            @Override
            public StateError getError() {
                return error;
            }
        };
    }

    public abstract Type getType();

    public abstract StateError getError();

    public enum Type {
        PENDING_OPEN,
        OPENING,
        OPEN,
        CLOSING,
        CLOSED
    }

    public abstract static class StateError {
        public static StateError create(int code) {
            return create(code, null);
        }

        public static StateError create(int code, Throwable cause) {
            return new StateError() {
                @Override
                public int getCode() {
                    return code;
                }

                @Override
                public Throwable getCause() {
                    return cause;
                }
            };
        }

        public abstract int getCode();

        public abstract Throwable getCause();
    }
}
