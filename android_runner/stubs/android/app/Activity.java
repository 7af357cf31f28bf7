package android.app;

/** What the runner calls of it. */
public class Activity {
    public static final int RESULT_CANCELED = 0;
    public static final int RESULT_OK = -1;
}
