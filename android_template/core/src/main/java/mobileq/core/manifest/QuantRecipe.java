package mobileq.core.manifest;

import java.util.List;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * What was asked of a conversion.
 *
 * @param precision {@code fp32}, {@code int8} ...
 * @param engine What converted.
 * @param calibrator Null where nothing was calibrated.
 * @param perChannel Whether weights have a scale per channel.
 * @param keepFloat What was kept in floating point.
 * @param repairs What prepared the weights.
 * @param head Where the graph ends.
 * @param io The type of inputs and outputs.
 * @param options Of the runtime that the file is for, by their names.
 */
public record QuantRecipe(
        String precision,
        String engine,
        String calibrator,
        boolean perChannel,
        List<String> keepFloat,
        List<String> repairs,
        HeadKind head,
        String io,
        Map<String, Object> options) {
    static QuantRecipe read(Fields fields) throws BundleException {
        // Before schema 3 the options of the one runtime that had any stood here.
        fields.textOrNull("mnn_method");
        fields.textOrNull("mnn_weights");
        return new QuantRecipe(
                fields.text("precision"),
                fields.text("engine", "direct"),
                fields.textOrNull("calibrator"),
                fields.flag("per_channel", true),
                fields.texts("keep_float"),
                fields.texts("repairs"),
                fields.constant("head", HeadKind.class, HeadKind.DECODED),
                fields.text("io", "float32"),
                fields.plain("options"));
    }
}
