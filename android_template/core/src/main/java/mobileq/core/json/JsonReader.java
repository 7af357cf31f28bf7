package mobileq.core.json;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.BundleException;

/**
 * Reads JSON (RFC 8259) strictly: no comments, no trailing commas, no key twice, nothing behind the
 * end.
 *
 * <p>Its own small reader and not a library's: Android's {@code org.json} takes malformed text and
 * is missing on a desktop JVM, and the usual libraries weigh more than the whole core.
 *
 * <p>Objects become {@code Map<String, Object>} in the text's order, arrays {@code List<Object>},
 * numbers {@link Long} where they are whole and fit, else {@link Double}; null becomes null.
 */
public final class JsonReader {
    private static final int MAX_DEPTH = 64;

    private final String text;
    private int at;

    private JsonReader(String text) {
        this.text = text;
    }

    /**
     * Reads a document.
     *
     * @param text One JSON document.
     * @return The value it holds.
     * @throws BundleException Where and why it is no JSON.
     */
    public static Object read(String text) throws BundleException {
        JsonReader reader = new JsonReader(text);
        Object value = reader.value(0);
        reader.skipBlanks();
        if (reader.at != text.length()) {
            throw reader.wrong("there is something behind the end");
        }
        return value;
    }

    private Object value(int depth) throws BundleException {
        if (depth > MAX_DEPTH) {
            throw wrong("it is nested too deeply");
        }
        skipBlanks();
        char first = peek();
        switch (first) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return literal("true", Boolean.TRUE);
            case 'f':
                return literal("false", Boolean.FALSE);
            case 'n':
                return literal("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) throws BundleException {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        skipBlanks();
        if (peek() == '}') {
            at++;
            return members;
        }
        while (true) {
            skipBlanks();
            String name = string();
            if (members.containsKey(name)) {
                throw wrong("the key '" + name + "' is there twice");
            }
            skipBlanks();
            expect(':');
            members.put(name, value(depth + 1));
            if (isLast('}')) {
                return members;
            }
        }
    }

    private List<Object> array(int depth) throws BundleException {
        List<Object> elements = new ArrayList<>();
        at++;
        skipBlanks();
        if (peek() == ']') {
            at++;
            return elements;
        }
        while (true) {
            elements.add(value(depth + 1));
            if (isLast(']')) {
                return elements;
            }
        }
    }

    /** Behind an element: whether `closing` ends the list, or a comma leads to the next. */
    private boolean isLast(char closing) throws BundleException {
        skipBlanks();
        if (peek() == closing) {
            at++;
            return true;
        }
        expect(',');
        return false;
    }

    private String string() throws BundleException {
        expect('"');
        StringBuilder characters = new StringBuilder();
        while (true) {
            char next = peek();
            at++;
            if (next == '"') {
                return characters.toString();
            }
            if (next < 0x20) {
                throw wrong("a string holds a control character");
            }
            characters.append(next == '\\' ? escaped() : next);
        }
    }

    private char escaped() throws BundleException {
        char kind = peek();
        at++;
        switch (kind) {
            case '"':
            case '\\':
            case '/':
                return kind;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                return codeUnit();
            default:
                throw wrong("there is no escape \\" + kind);
        }
    }

    private char codeUnit() throws BundleException {
        int unit = 0;
        for (int digit = 0; digit < 4; digit++) {
            char next = peek();
            int value = next < 0x80 ? Character.digit(next, 16) : -1;
            if (value < 0) {
                throw wrong("\\u wants four hexadecimal digits");
            }
            unit = unit * 16 + value;
            at++;
        }
        return (char) unit;
    }

    private Object number() throws BundleException {
        int start = at;
        if (peek() == '-') {
            at++;
        }
        int leading = at;
        digits();
        if (at - leading > 1 && text.charAt(leading) == '0') {
            throw wrong("a number starts with 0");
        }
        boolean whole = true;
        if (at < text.length() && text.charAt(at) == '.') {
            whole = false;
            at++;
            digits();
        }
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            whole = false;
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
        String digits = text.substring(start, at);
        if (whole) {
            try {
                return Long.valueOf(digits);
            } catch (NumberFormatException tooLarge) {
                return Double.valueOf(digits);
            }
        }
        return Double.valueOf(digits);
    }

    private void digits() throws BundleException {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == start) {
            throw wrong("a value is missing");
        }
    }

    private Object literal(String word, Object value) throws BundleException {
        if (!text.startsWith(word, at)) {
            throw wrong("a value is missing");
        }
        at += word.length();
        return value;
    }

    private void expect(char wanted) throws BundleException {
        if (peek() != wanted) {
            throw wrong("'" + wanted + "' is missing");
        }
        at++;
    }

    private char peek() throws BundleException {
        if (at >= text.length()) {
            throw wrong("it ends too early");
        }
        return text.charAt(at);
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private BundleException wrong(String reason) {
        return new BundleException("it is no valid JSON at character " + at + ": " + reason);
    }
}
