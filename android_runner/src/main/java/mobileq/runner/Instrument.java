package mobileq.runner;

import android.app.Activity;
import android.app.Instrumentation;
import android.net.LocalServerSocket;
import android.net.LocalSocket;
import android.os.Bundle;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * The runner in an app of its own, for phones that refuse app_process:
 *
 * <pre>
 *   am instrument -w -e bundle FOLDER -e socket NAME mobileq.runner/.Instrument
 * </pre>
 *
 * <p>Requests and answers go through a socket of that name, which {@code adb forward} leads to.
 * Whoever knows the name may ask: it is another for each start.
 */
public final class Instrument extends Instrumentation {
    private String bundle;
    private String socket;

    @Override
    public void onCreate(Bundle arguments) {
        bundle = arguments.getString("bundle");
        socket = arguments.getString("socket");
        start();
    }

    @Override
    public void onStart() {
        Bundle said = new Bundle();
        int code = Activity.RESULT_OK;
        try {
            serve();
        } catch (IOException | RuntimeException error) {
            said.putString("shortMsg", error.toString());
            code = Activity.RESULT_CANCELED;
        }
        finish(code, said);
    }

    private void serve() throws IOException {
        LocalServerSocket listening = new LocalServerSocket(socket);
        try (LocalSocket connection = listening.accept()) {
            InputStream in = new BufferedInputStream(connection.getInputStream(), 1 << 16);
            OutputStream out = new BufferedOutputStream(connection.getOutputStream(), 1 << 16);
            out.write('\n'); // adb accepts connections before anybody listens here
            out.flush();
            new Server(new BundleFolder(bundle)).serve(in, out);
        } finally {
            listening.close();
        }
    }
}
