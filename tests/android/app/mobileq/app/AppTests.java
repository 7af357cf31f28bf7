package mobileq.app;

import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runners.model.InitializationError;
import org.robolectric.RobolectricTestRunner;

/**
 * Runs classes of tests in one JVM, where Android starts only once, each in the app with a bundle of
 * its own. A folder per class holds {@code case.properties}: the class, what it reads of system
 * properties, and for Robolectric where the app's resources are. What came of it is written there.
 */
public final class AppTests {
    private AppTests() {}

    public static void main(String[] folders) throws Exception {
        for (String folder : folders) {
            Properties described = new Properties();
            described.load(new StringReader(Files.readString(Path.of(folder, "case.properties"))));
            for (String name : described.stringPropertyNames()) {
                System.setProperty(name, described.getProperty(name));
            }
            Class<?> tests = Class.forName(described.getProperty("test"));
            Result result = new JUnitCore().run(Request.runner(new InApp(tests, described)));
            StringBuilder said = new StringBuilder();
            for (Failure failure : result.getFailures()) {
                said.append(failure.getTestHeader()).append('\n').append(failure.getTrace());
            }
            said.append(result.getRunCount()).append(" ran");
            Files.writeString(Path.of(folder, "result.txt"), said);
        }
        System.exit(0); // Android's threads go on
    }

    private static final class InApp extends RobolectricTestRunner {
        private static Properties next;

        InApp(Class<?> tests, Properties app) throws InitializationError {
            super(remembered(tests, app));
        }

        /** The constructor asks for them already. */
        private static Class<?> remembered(Class<?> tests, Properties app) {
            next = app;
            return tests;
        }

        @Override
        protected Properties getBuildSystemApiProperties() {
            return next;
        }
    }
}
