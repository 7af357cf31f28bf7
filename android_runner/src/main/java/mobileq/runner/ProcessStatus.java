package mobileq.runner;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What Linux tells of this process. */
final class ProcessStatus {
    private ProcessStatus() {}

    /** {@code resident_bytes} now and {@code peak_bytes} so far. */
    static Map<String, Object> memory() {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("resident_bytes", 1024 * number("VmRSS:"));
        found.put("peak_bytes", 1024 * number("VmHWM:"));
        return found;
    }

    /** Its number, by which the system's log calls it. */
    static long pid() {
        return number("Pid:");
    }

    /** Of a line of the process's status; 0 where nobody tells. */
    private static long number(String start) {
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream("/proc/self/status"),
                                StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith(start)) {
                    return Long.parseLong(line.substring(start.length()).replace("kB", "").trim());
                }
            }
        } catch (IOException | NumberFormatException untold) {
            return 0;
        }
        return 0;
    }
}
