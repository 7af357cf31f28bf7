package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {
    @Test
    void readsEveryKindOfValue() throws Exception {
        Object value =
                JsonReader.read(" {\"a\":[1,-2.5e3,true,false,null,\"\\u00e9\\n\\ud83d\\ude00\"]} ");
        Map<?, ?> object = (Map<?, ?>) value;
        List<?> list = (List<?>) object.get("a");
        assertEquals(1L, list.get(0));
        assertEquals(-2500.0, list.get(1));
        assertEquals(Boolean.TRUE, list.get(2));
        assertEquals(null, list.get(4));
        assertEquals("é\n😀", list.get(5));
    }

    @Test
    void wholeNumbersBeyond64BitsBecomeReal() throws Exception {
        assertEquals(1e30, JsonReader.read("1" + "0".repeat(30)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", "{", "[1,]", "{\"a\":1,}", "[1 2]", "nul", "01", "1.", "-", "1e", "'a'",
                "\"\\x\"", "\"\\u12g4\"", "\"a", "\"\t\"", "[1]x", "{\"a\":1,\"a\":2}", "{a:1}",
                "NaN", "\"\\u00\u0664\u0664\""
            })
    void refusesWhatIsNoJson(String text) {
        assertThrows(BundleException.class, () -> JsonReader.read(text));
    }

    @Test
    void refusesToNestWithoutEnd() {
        String deep = "[".repeat(100_000);
        BundleException error =
                assertThrows(BundleException.class, () -> JsonReader.read(deep));
        assertTrue(error.getMessage().contains("nested too deeply"), error.getMessage());
    }

    @Test
    void namesTheFieldThatIsOfAnotherType() throws Exception {
        Fields fields = Fields.of(JsonReader.read("{\"a\":{\"b\":[{\"c\":1.5}]}}"));
        BundleException error =
                assertThrows(
                        BundleException.class,
                        () -> fields.object("a", a -> a.objects("b", b -> b.integer("c"))));
        assertTrue(error.getMessage().startsWith("field `a.b[0].c`: "), error.getMessage());
    }

    @Test
    void aFieldThatNobodyAsksForIsAnError() throws Exception {
        Fields fields = Fields.of(JsonReader.read("{\"known\":1,\"unknown\":null}"));
        assertEquals(1, fields.integer("known"));
        BundleException error = assertThrows(BundleException.class, fields::end);
        assertEquals("field `unknown`: unknown field", error.getMessage());
    }
}
