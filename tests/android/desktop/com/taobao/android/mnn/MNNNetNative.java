package com.taobao.android.mnn;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.StringJoiner;

/**
 * What the app calls of MNN, over MNN's Python package in a process of its own: there is no MNN with
 * Java's functions for desktops. Signatures are those of the app's declaration, and what they do is
 * what MNN's {@code mnnnetnative.cpp} does.
 */
public final class MNNNetNative {
    /** Nets and sessions that are open: tests look for ones that were forgotten. */
    public static int open;

    /** Whether to behave as a library that lacks a function. */
    public static boolean isTooOld;

    private static Process server;

    private MNNNetNative() {}

    /** One call; the server says what its words and bytes are. */
    private static synchronized ByteBuffer call(byte[] payload, Object... words) {
        try {
            if (server == null) {
                server =
                        new ProcessBuilder(
                                        System.getProperty("python"),
                                        System.getProperty("mnn.server"))
                                .redirectError(ProcessBuilder.Redirect.INHERIT)
                                .start();
                Runtime.getRuntime().addShutdownHook(new Thread(server::destroy));
            }
            StringJoiner line = new StringJoiner(" ", "", "\n");
            for (Object word : words) {
                line.add(word.toString());
            }
            line.add(Integer.toString(payload.length));
            OutputStream out = server.getOutputStream();
            out.write(line.toString().getBytes(StandardCharsets.UTF_8));
            out.write(payload);
            out.flush();
            DataInputStream in = new DataInputStream(server.getInputStream());
            byte[] answer = new byte[in.readInt()];
            in.readFully(answer);
            return ByteBuffer.wrap(answer);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static final byte[] NOTHING = {};

    public static long nativeCreateNetFromBuffer(byte[] model) {
        if (isTooOld) {
            throw new UnsatisfiedLinkError("nativeCreateNetFromBuffer");
        }
        open++;
        return call(model, "create_net").getLong();
    }

    public static long nativeReleaseNet(long net) {
        open--;
        return call(NOTHING, "release", net).getLong();
    }

    public static long nativeCreateSession(
            long net, int forwardType, int threads, String[] saveTensors, String[] outputTensors) {
        open++;
        return call(NOTHING, "create_session", net, forwardType, threads).getLong();
    }

    public static void nativeReleaseSession(long net, long session) {
        open--;
        call(NOTHING, "release", session);
    }

    public static int nativeRunSession(long net, long session) {
        return (int) call(NOTHING, "run", net, session).getLong();
    }

    public static long nativeGetSessionInput(long net, long session, String name) {
        return call(name.getBytes(StandardCharsets.UTF_8), "get_input", net, session).getLong();
    }

    public static long nativeGetSessionOutput(long net, long session, String name) {
        return call(name.getBytes(StandardCharsets.UTF_8), "get_output", net, session).getLong();
    }

    public static int[] nativeTensorGetDimensions(long tensor) {
        ByteBuffer answer = call(NOTHING, "dimensions", tensor);
        int[] lengths = new int[answer.remaining() / 4];
        answer.asIntBuffer().get(lengths);
        return lengths;
    }

    public static int nativeTensorGetData(long tensor, float[] values) {
        ByteBuffer answer = call(NOTHING, "data", tensor);
        int count = answer.remaining() / 4;
        if (values.length < count) {
            return 0;
        }
        answer.asFloatBuffer().get(values, 0, count);
        return 1;
    }

    public static boolean nativeConvertBufferToTensor(
            byte[] pixels,
            int width,
            int height,
            long tensor,
            int sourceFormat,
            int tensorFormat,
            int filter,
            int wrap,
            float[] matrix,
            float[] mean,
            float[] normal) {
        Object[] words = {
            "convert", width, height, tensor, sourceFormat, tensorFormat, filter, wrap,
            joined(matrix), joined(mean), joined(normal)
        };
        return call(pixels, words).getLong() != 0;
    }

    private static String joined(float[] values) {
        StringJoiner text = new StringJoiner(",");
        for (float value : values) {
            text.add(Float.toString(value));
        }
        return text.toString();
    }
}
