package mobileq.core.json;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import mobileq.core.BundleException;

/**
 * The members of one JSON object, each asked for by name and type.
 *
 * <p>{@link #end()} fails where a member was never asked for: a manifest of another version must
 * not be read as if its new fields did not matter.
 */
public final class Fields {
    /** Makes a typed value of the members of an object. */
    public interface Reading<T> {
        /**
         * Reads one object.
         *
         * @param fields What to read, to the end.
         * @return The typed value.
         * @throws BundleException A field is wrong.
         */
        T read(Fields fields) throws BundleException;
    }

    private final String path;
    private final Map<String, Object> members;
    private final Set<String> unread;

    private Fields(String path, Map<String, Object> members) {
        this.path = path;
        this.members = members;
        this.unread = new HashSet<>(members.keySet());
    }

    /**
     * The members of a document.
     *
     * @param document What {@link JsonReader#read} gave.
     * @return Its members.
     * @throws BundleException It is no object.
     */
    public static Fields of(Object document) throws BundleException {
        return of("", document);
    }

    @SuppressWarnings("unchecked") // JsonReader makes maps with text keys only
    private static Fields of(String path, Object value) throws BundleException {
        if (!(value instanceof Map)) {
            throw wrong(path, "expected an object");
        }
        return new Fields(path, (Map<String, Object>) value);
    }

    /** A text that must be there. */
    public String text(String name) throws BundleException {
        Object value = present(name);
        if (!(value instanceof String)) {
            throw wrong(at(name), "expected a text");
        }
        return (String) value;
    }

    /** A text, or `otherwise` where it is missing. */
    public String text(String name, String otherwise) throws BundleException {
        return isGiven(name) ? text(name) : otherwise;
    }

    /** A text, or null where it is missing or null. */
    public String textOrNull(String name) throws BundleException {
        return isNull(name) ? null : text(name);
    }

    /** A whole number that must be there and fit into 32 bits. */
    public int integer(String name) throws BundleException {
        return asInteger(at(name), present(name));
    }

    /** A whole number, or `otherwise` where it is missing. */
    public int integer(String name, int otherwise) throws BundleException {
        return isGiven(name) ? integer(name) : otherwise;
    }

    /** A whole number, or null where it is missing or null. */
    public Integer integerOrNull(String name) throws BundleException {
        return isNull(name) ? null : Integer.valueOf(integer(name));
    }

    /** A whole number of 64 bits that must be there. */
    public long longInteger(String name) throws BundleException {
        Object value = present(name);
        if (!(value instanceof Long)) {
            throw wrong(at(name), "expected a whole number");
        }
        return (Long) value;
    }

    /** A number, or `otherwise` where it is missing. */
    public double number(String name, double otherwise) throws BundleException {
        return isGiven(name) ? asNumber(at(name), present(name)) : otherwise;
    }

    /** A finite number, or null where it is missing or null. */
    public Double numberOrNull(String name) throws BundleException {
        return isNull(name) ? null : Double.valueOf(number(name, 0));
    }

    /** True or false, or `otherwise` where it is missing. */
    public boolean flag(String name, boolean otherwise) throws BundleException {
        if (!isGiven(name)) {
            return otherwise;
        }
        Object value = present(name);
        if (!(value instanceof Boolean)) {
            throw wrong(at(name), "expected true or false");
        }
        return (Boolean) value;
    }

    /** The constant of `kind` whose {@code toString()} is the text. */
    public <E extends Enum<E>> E constant(String name, Class<E> kind) throws BundleException {
        String value = text(name);
        for (E constant : kind.getEnumConstants()) {
            if (constant.toString().equals(value)) {
                return constant;
            }
        }
        throw wrong(at(name), "invalid value '" + value + "'");
    }

    /** As {@link #constant(String, Class)}, or `otherwise` where it is missing. */
    public <E extends Enum<E>> E constant(String name, Class<E> kind, E otherwise)
            throws BundleException {
        return isGiven(name) ? constant(name, kind) : otherwise;
    }

    /** As {@link #constant(String, Class)}, or null where it is missing or null. */
    public <E extends Enum<E>> E constantOrNull(String name, Class<E> kind)
            throws BundleException {
        return isNull(name) ? null : constant(name, kind);
    }

    /** Whole numbers, or null where they are missing or null. */
    public int[] integersOrNull(String name) throws BundleException {
        return isNull(name) ? null : integers(name);
    }

    /** Whole numbers; none where the member is missing. */
    public int[] integers(String name) throws BundleException {
        List<Object> values = list(name);
        int[] numbers = new int[values.size()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = asInteger(at(name, i), values.get(i));
        }
        return numbers;
    }

    /** Numbers; none where the member is missing. */
    public double[] numbers(String name) throws BundleException {
        return asNumbers(at(name), list(name));
    }

    /** Texts; none where the member is missing. */
    public List<String> texts(String name) throws BundleException {
        return isGiven(name) ? asTexts(at(name), present(name)) : Collections.emptyList();
    }

    /** Pairs of texts; none where the member is missing. */
    public List<List<String>> pairs(String name) throws BundleException {
        List<List<String>> pairs = new ArrayList<>();
        for (Object value : list(name)) {
            List<String> pair = asTexts(at(name, pairs.size()), value);
            if (pair.size() != 2) {
                throw wrong(at(name, pairs.size()), "expected two texts");
            }
            pairs.add(pair);
        }
        return pairs;
    }

    /** Lists of lists of numbers, [outer][inner][]; none where the member is missing. */
    public double[][][] nestedNumbers(String name) throws BundleException {
        List<Object> outer = list(name);
        double[][][] numbers = new double[outer.size()][][];
        for (int i = 0; i < numbers.length; i++) {
            List<Object> inner = asList(at(name, i), outer.get(i));
            numbers[i] = new double[inner.size()][];
            for (int j = 0; j < numbers[i].length; j++) {
                String where = at(name, i) + "[" + j + "]";
                numbers[i][j] = asNumbers(where, asList(where, inner.get(j)));
            }
        }
        return numbers;
    }

    /** An object that must be there. */
    public <T> T object(String name, Reading<T> reading) throws BundleException {
        return readWhole(at(name), present(name), reading);
    }

    /** An object, or null where it is missing or null. */
    public <T> T objectOrNull(String name, Reading<T> reading) throws BundleException {
        return isNull(name) ? null : object(name, reading);
    }

    /** A list of objects; empty where the member is missing. */
    public <T> List<T> objects(String name, Reading<T> reading) throws BundleException {
        List<T> objects = new ArrayList<>();
        for (Object value : list(name)) {
            objects.add(readWhole(at(name, objects.size()), value, reading));
        }
        return Collections.unmodifiableList(objects);
    }

    /** A list of lists of objects, one after the other; empty where it is missing. */
    public <T> List<T> objectLists(String name, Reading<T> reading) throws BundleException {
        List<T> objects = new ArrayList<>();
        for (Object value : list(name)) {
            for (Object inner : asList(at(name), value)) {
                objects.add(readWhole(at(name, objects.size()), inner, reading));
            }
        }
        return Collections.unmodifiableList(objects);
    }

    /** An object with keys of its own and values of one kind; empty where it is missing. */
    public <T> Map<String, T> objectMap(String name, Reading<T> reading) throws BundleException {
        Map<String, T> map = new LinkedHashMap<>();
        for (Map.Entry<String, Object> entry : plain(name).entrySet()) {
            String where = at(name) + "." + entry.getKey();
            map.put(entry.getKey(), readWhole(where, entry.getValue(), reading));
        }
        return Collections.unmodifiableMap(map);
    }

    /** An object with keys of its own and values of any kind; empty where it is missing. */
    public Map<String, Object> plain(String name) throws BundleException {
        return isGiven(name) ? of(at(name), present(name)).members : Collections.emptyMap();
    }

    /** Fails where a member was never asked for. */
    public void end() throws BundleException {
        for (String name : members.keySet()) {
            if (unread.contains(name)) {
                throw wrong(at(name), "unknown field");
            }
        }
    }

    /** An error about one member. */
    public BundleException wrong(String name, String reason, Object... values) {
        return wrong(at(name), String.format(Locale.ROOT, reason, values));
    }

    private static BundleException wrong(String where, String reason) {
        return new BundleException(
                where.isEmpty() ? reason : "field `" + where + "`: " + reason);
    }

    private static <T> T readWhole(String where, Object value, Reading<T> reading)
            throws BundleException {
        Fields fields = of(where, value);
        T read = reading.read(fields);
        fields.end();
        return read;
    }

    private boolean isGiven(String name) {
        unread.remove(name);
        return members.containsKey(name);
    }

    private boolean isNull(String name) {
        unread.remove(name);
        return members.get(name) == null;
    }

    private Object present(String name) throws BundleException {
        unread.remove(name);
        Object value = members.get(name);
        if (value == null) {
            throw wrong(at(name), members.containsKey(name) ? "it is null" : "it is missing");
        }
        return value;
    }

    private List<Object> list(String name) throws BundleException {
        return isGiven(name) ? asList(at(name), present(name)) : Collections.emptyList();
    }

    @SuppressWarnings("unchecked") // JsonReader makes lists of objects only
    private static List<Object> asList(String where, Object value) throws BundleException {
        if (!(value instanceof List)) {
            throw wrong(where, "expected a list");
        }
        return (List<Object>) value;
    }

    private static List<String> asTexts(String where, Object value) throws BundleException {
        List<String> texts = new ArrayList<>();
        for (Object element : asList(where, value)) {
            if (!(element instanceof String)) {
                throw wrong(where + "[" + texts.size() + "]", "expected a text");
            }
            texts.add((String) element);
        }
        return Collections.unmodifiableList(texts);
    }

    private static int asInteger(String where, Object value) throws BundleException {
        if (!(value instanceof Long) || (Long) value != ((Long) value).intValue()) {
            throw wrong(where, "expected a whole number of 32 bits");
        }
        return ((Long) value).intValue();
    }

    private static double asNumber(String where, Object value) throws BundleException {
        if (!(value instanceof Number)) {
            throw wrong(where, "expected a number");
        }
        double number = ((Number) value).doubleValue();
        if (Double.isInfinite(number)) {
            throw wrong(where, "the number is too large");
        }
        return number;
    }

    private static double[] asNumbers(String where, List<Object> values) throws BundleException {
        double[] numbers = new double[values.size()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = asNumber(where + "[" + i + "]", values.get(i));
        }
        return numbers;
    }

    private String at(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    private String at(String name, int index) {
        return at(name) + "[" + index + "]";
    }
}
