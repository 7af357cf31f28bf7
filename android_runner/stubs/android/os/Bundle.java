package android.os;

/** What the runner calls of it. */
public final class Bundle {
    public String getString(String key) {
        throw new UnsupportedOperationException();
    }

    public void putString(String key, String value) {
        throw new UnsupportedOperationException();
    }
}
