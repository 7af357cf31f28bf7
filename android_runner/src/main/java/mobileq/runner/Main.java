package mobileq.runner;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * Runs a bundle's files on a phone without the app, for a computer at the other end of a cable:
 *
 * <pre>
 *   CLASSPATH=runner.jar app_process -Djava.library.path=FOLDER / mobileq.runner.Main BUNDLE
 * </pre>
 *
 * <p>Requests come by stdin, answers go by stdout; what is printed goes to stderr.
 */
public final class Main {
    private static final int BUFFER_BYTES = 1 << 16;

    private Main() {}

    /**
     * Serves until stdin ends.
     *
     * @param arguments The bundle's folder.
     */
    public static void main(String[] arguments) {
        if (arguments.length != 1) {
            System.err.println("the bundle's folder is to be given, and nothing else");
            System.exit(2);
        }
        InputStream in =
                new BufferedInputStream(new FileInputStream(FileDescriptor.in), BUFFER_BYTES);
        OutputStream out =
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER_BYTES);
        System.setOut(System.err);
        int code = 0;
        try {
            new Server(new BundleFolder(arguments[0])).serve(in, out);
        } catch (IOException gone) {
            System.err.println(gone);
            code = 1;
        }
        System.exit(code); // threads of drivers would keep the process alive
    }
}
