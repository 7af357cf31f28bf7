package mobileq.core.manifest;

import java.util.Arrays;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * How a picture becomes the input tensor: made gray if the model wants that, resized, padded or
 * cropped in 8 bits, then per channel {@code value = (pixel * rescaleFactor - imageMean) /
 * imageStd}.
 *
 * @param width Of the model's input, pixels.
 * @param height Of the model's input, pixels.
 * @param resizeMode How the picture is fitted.
 * @param padValue 0 to 255.
 * @param channelOrder Also that of mean and standard deviation.
 * @param rescaleFactor Applied first.
 * @param imageMean One value per channel.
 * @param imageStd One value per channel, all positive.
 * @param layout The model's order of axes.
 * @param interpolation How it is resized.
 * @param antialias Whether all pixels count where a picture shrinks.
 * @param shortestEdge Of the area of the input's proportions that a picture is resized to cover
 *     before its middle is cut out, pixels; counts for {@link ResizeMode#CENTER_CROP} alone.
 */
public record PreprocessSpec(
        int width,
        int height,
        ResizeMode resizeMode,
        int padValue,
        ChannelOrder channelOrder,
        double rescaleFactor,
        double[] imageMean,
        double[] imageStd,
        Layout layout,
        Interpolation interpolation,
        boolean antialias,
        int shortestEdge) {
    private static final int MOST_PIXELS = 1 << 25;
    private static final int MOST_EDGE = 1 << 14;

    static PreprocessSpec read(Fields fields) throws BundleException {
        ChannelOrder order =
                fields.constant("channel_order", ChannelOrder.class, ChannelOrder.RGB);
        int width = fields.integer("width");
        int height = fields.integer("height");
        Integer edge = fields.integerOrNull("shortest_edge");
        PreprocessSpec spec =
                new PreprocessSpec(
                        width,
                        height,
                        fields.constant("resize_mode", ResizeMode.class, ResizeMode.LETTERBOX),
                        fields.integer("pad_value", 114),
                        order,
                        fields.number("rescale_factor", 1.0 / 255.0),
                        perChannel(fields, "image_mean", order.channels(), 0.0),
                        perChannel(fields, "image_std", order.channels(), 1.0),
                        fields.constant("layout", Layout.class, Layout.NCHW),
                        fields.constant(
                                "interpolation", Interpolation.class, Interpolation.BILINEAR),
                        fields.flag("antialias", false),
                        edge == null ? Math.min(width, height) : edge);
        if (spec.width < 1 || spec.height < 1 || (long) spec.width * spec.height > MOST_PIXELS) {
            throw fields.wrong("width", "an input of %d x %d", spec.width, spec.height);
        }
        boolean fits = spec.shortestEdge >= Math.min(width, height);
        boolean isCut = spec.resizeMode == ResizeMode.CENTER_CROP;
        if (isCut && (!fits || spec.shortestEdge > MOST_EDGE)) {
            throw fields.wrong("shortest_edge", "%d for %d x %d", spec.shortestEdge, width, height);
        }
        if (spec.padValue < 0 || spec.padValue > 255) {
            throw fields.wrong("pad_value", "%d is not in 0 to 255", spec.padValue);
        }
        if (!(spec.rescaleFactor > 0)) {
            throw fields.wrong("rescale_factor", "%s is not positive", spec.rescaleFactor);
        }
        for (double deviation : spec.imageStd) {
            if (!(deviation > 0)) {
                throw fields.wrong("image_std", "%s is not positive", deviation);
            }
        }
        return spec;
    }

    private static double[] perChannel(
            Fields fields, String name, int channels, double otherwise) throws BundleException {
        double[] values = fields.numbers(name);
        if (values.length == 0) {
            values = new double[channels];
            Arrays.fill(values, otherwise);
        }
        if (values.length != channels) {
            throw fields.wrong(
                    name, "%d values where there are %d channels", values.length, channels);
        }
        return values;
    }
}
