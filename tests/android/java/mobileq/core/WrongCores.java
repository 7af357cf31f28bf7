package mobileq.core;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Runs {@link GoldenTest} with folders of classes that stand in for the core's, one after the other
 * in one JVM, and prints of each how many tests succeeded and how many failed.
 */
public final class WrongCores {
    private WrongCores() {}

    public static void main(String[] folders) throws Exception {
        for (String folder : folders) {
            try (Instead classes = new Instead(folder)) {
                LauncherDiscoveryRequest request =
                        LauncherDiscoveryRequestBuilder.request()
                                .selectors(
                                        DiscoverySelectors.selectClass(
                                                classes.loadClass(GoldenTest.class.getName())))
                                .build();
                SummaryGeneratingListener heard = new SummaryGeneratingListener();
                LauncherFactory.create().execute(request, heard);
                System.out.println(
                        heard.getSummary().getTestsSucceededCount()
                                + " "
                                + heard.getSummary().getTestsFailedCount());
            }
        }
    }

    /** Loads the core and its tests anew, the folder's classes first. */
    private static final class Instead extends URLClassLoader {
        Instead(String folder) throws MalformedURLException {
            super(places(folder), WrongCores.class.getClassLoader());
        }

        private static URL[] places(String folder) throws MalformedURLException {
            List<URL> places = new ArrayList<>(List.of(Path.of(folder).toUri().toURL()));
            for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
                places.add(Path.of(path).toUri().toURL());
            }
            return places.toArray(URL[]::new);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("mobileq.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> found = findLoadedClass(name);
                return found == null ? findClass(name) : found;
            }
        }
    }
}
