package android.net;

import java.io.Closeable;
import java.io.IOException;

/** What the runner calls of it. */
public class LocalServerSocket implements Closeable {
    public LocalServerSocket(String name) throws IOException {}

    public LocalSocket accept() throws IOException {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() throws IOException {}
}
