package mobileq.runner;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import mobileq.core.json.JsonWriter;

/**
 * A request or an answer: fields, and arrays.
 *
 * <pre>
 *   length of the head, 8 bytes | head, JSON: {"fields": {...}, "arrays": [{"name": ..., "dtype":
 *   ..., "shape": [...]}]} | the arrays' bytes, one after the other
 * </pre>
 *
 * @param fields Values of JSON.
 * @param arrays By their names.
 */
record Message(Map<String, Object> fields, Map<String, Values> arrays) {
    private record Announced(String name, String dtype, int[] shape) {
        static Announced read(Fields fields) throws BundleException {
            return new Announced(
                    fields.text("name"), fields.text("dtype"), fields.integers("shape"));
        }
    }

    /**
     * Reads a message.
     *
     * @param payload Of a packet, nothing behind it.
     * @throws DamagedException It is none.
     */
    static Message read(byte[] payload) throws DamagedException {
        ByteBuffer head = ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN);
        long length = payload.length < 8 ? -1 : head.getLong(0);
        if (length < 0 || length > payload.length - 8) {
            throw new DamagedException("a message has no head");
        }
        String text = new String(payload, 8, (int) length, StandardCharsets.UTF_8);
        Map<String, Object> fields;
        List<Announced> announced;
        try {
            Fields document = Fields.of(JsonReader.read(text));
            fields = document.plain("fields");
            announced = document.objects("arrays", Announced::read);
            document.end();
        } catch (BundleException error) {
            throw new DamagedException("a message cannot be read: " + error.getMessage());
        }
        Map<String, Values> arrays = new LinkedHashMap<>();
        int at = 8 + (int) length;
        for (Announced each : announced) {
            int count = Values.byteLength(each.dtype, each.shape);
            if (count > payload.length - at) {
                throw new DamagedException("a message ends inside '" + each.name + "'");
            }
            byte[] data = Arrays.copyOfRange(payload, at, at + count);
            arrays.put(each.name, new Values(each.dtype, each.shape, data));
            at += count;
        }
        if (at != payload.length) {
            throw new DamagedException("something follows the arrays of a message");
        }
        return new Message(fields, arrays);
    }

    /** The parts of the payload that says it. */
    byte[][] parts() {
        List<Object> announced = new ArrayList<>();
        byte[][] parts = new byte[2 + arrays.size()][];
        int at = 2;
        for (Map.Entry<String, Values> array : arrays.entrySet()) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("name", array.getKey());
            each.put("dtype", array.getValue().dtype());
            each.put("shape", array.getValue().shape());
            announced.add(each);
            parts[at++] = array.getValue().data();
        }
        Map<String, Object> head = new LinkedHashMap<>();
        head.put("fields", fields);
        head.put("arrays", announced);
        parts[1] = JsonWriter.write(head).getBytes(StandardCharsets.UTF_8);
        ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        parts[0] = length.putLong(parts[1].length).array();
        return parts;
    }

    /**
     * An array that must be there.
     *
     * @throws DamagedException It is not.
     */
    Values array(String name) throws DamagedException {
        Values found = arrays.get(name);
        if (found == null) {
            throw new DamagedException("the array '" + name + "' is missing");
        }
        return found;
    }
}
