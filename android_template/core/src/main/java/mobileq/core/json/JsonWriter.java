package mobileq.core.json;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Writes what {@link JsonReader} reads, and arrays of whole numbers. */
public final class JsonWriter {
    private final StringBuilder text = new StringBuilder();

    private JsonWriter() {}

    /**
     * A document.
     *
     * @param value Maps with text keys, lists, {@code int[]}, texts, numbers, truth values and null.
     * @return In one line of ASCII.
     */
    public static String write(Object value) {
        JsonWriter writer = new JsonWriter();
        writer.value(value);
        return writer.text.toString();
    }

    private void value(Object value) {
        if (value instanceof Map<?, ?> members) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : members.entrySet()) {
                text.append(separator);
                string(entry.getKey().toString());
                text.append(':');
                value(entry.getValue());
                separator = ",";
            }
            text.append(members.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> elements) {
            String separator = "[";
            for (Object element : elements) {
                text.append(separator);
                value(element);
                separator = ",";
            }
            text.append(elements.isEmpty() ? "[]" : "]");
        } else if (value instanceof int[] numbers) {
            String separator = "[";
            for (int number : numbers) {
                text.append(separator).append(number);
                separator = ",";
            }
            text.append(numbers.length == 0 ? "[]" : "]");
        } else if (value instanceof String string) {
            string(string);
        } else {
            text.append(value);
        }
    }

    private void string(String string) {
        text.append('"');
        for (int i = 0; i < string.length(); i++) {
            char unit = string.charAt(i);
            if (unit == '"' || unit == '\\') {
                text.append('\\').append(unit);
            } else if (unit < ' ' || unit > '~') {
                text.append(String.format(Locale.ROOT, "\\u%04x", (int) unit));
            } else {
                text.append(unit);
            }
        }
        text.append('"');
    }
}
