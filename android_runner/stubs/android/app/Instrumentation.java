package android.app;

import android.os.Bundle;

/** What the runner calls of it. */
public class Instrumentation {
    public void onCreate(Bundle arguments) {}

    public void start() {}

    public void onStart() {}

    public void finish(int resultCode, Bundle results) {}
}
