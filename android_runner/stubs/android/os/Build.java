package android.os;

/** What the runtimes name of Android, for the compiler alone: the phone has its own. */
public class Build {
    private Build() {}

    /** The system's version. */
    public static class VERSION {
        /** Not a constant, which the compiler would copy. */
        public static final int SDK_INT = Integer.getInteger("none", 0);

        private VERSION() {}
    }

    /** Numbers of releases. */
    public static class VERSION_CODES {
        /** Android 9. */
        public static final int P = 28;

        private VERSION_CODES() {}
    }
}
