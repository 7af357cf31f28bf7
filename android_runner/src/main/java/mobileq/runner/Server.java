package mobileq.runner;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.run.BackendException;

/**
 * Answers requests one after the other until the stream ends. Nothing that is asked ends it: what
 * can't be done is answered with an {@code error}.
 *
 * <p>Every request has a {@code command} and an {@code id}, which its answer repeats:
 *
 * <ul>
 *   <li>{@code hello}: the version of all this, and what runs it.
 *   <li>{@code open}: loads a file; see {@link LoadedModel}. What was loaded before is closed.
 *   <li>{@code frame}: analyses the array {@code frame} and gives times, outputs and the answer.
 *   <li>{@code tensors}: runs on finished tensors, {@code runs} times; gives times and outputs.
 *   <li>{@code bench}: analyses the array {@code frame} often and gives times.
 *   <li>{@code close}: frees the file.
 * </ul>
 */
final class Server {
    /** Goes up with every change that the other side has to know of. */
    static final int PROTOCOL = 1;

    private static final int MOST_RUNS = 100_000;

    private final BundleFolder bundle;
    private LoadedModel model;

    /**
     * @param bundle Whose files are run.
     */
    Server(BundleFolder bundle) {
        this.bundle = bundle;
    }

    /**
     * Serves.
     *
     * @param in Buffered.
     * @param out Buffered.
     * @throws IOException The other side is gone.
     */
    void serve(InputStream in, OutputStream out) throws IOException {
        try {
            while (true) {
                Message answer;
                try {
                    byte[] payload = Packets.read(in);
                    if (payload == null) {
                        return;
                    }
                    answer = answer(Message.read(payload));
                } catch (DamagedException error) {
                    answer = failed("request", error.getMessage());
                }
                Packets.write(out, answer.parts());
            }
        } finally {
            close();
        }
    }

    private Message answer(Message request) {
        Message answer;
        try {
            answer = done(request, Fields.of(request.fields()));
        } catch (BundleException error) {
            answer = failed("bundle", error.getMessage());
        } catch (BackendException error) {
            answer = failed("backend", error.getMessage());
        } catch (DamagedException error) {
            answer = failed("request", error.getMessage());
        } catch (OutOfMemoryError error) {
            answer = failed("memory", "there is not enough memory (" + error.getMessage() + ")");
        } catch (RuntimeException | LinkageError error) {
            error.printStackTrace();
            answer = failed("internal", error.toString());
        }
        answer.fields().put("id", request.fields().get("id"));
        return answer;
    }

    private static Message failed(String kind, String text) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("kind", kind);
        error.put("message", text == null ? "" : text);
        Message answer = empty();
        answer.fields().put("error", error);
        return answer;
    }

    private static Message empty() {
        return new Message(new LinkedHashMap<>(), new LinkedHashMap<>());
    }

    private Message done(Message request, Fields fields)
            throws BundleException, BackendException, DamagedException {
        Message answer = empty();
        String command = fields.text("command");
        switch (command) {
            case "hello":
                hello(answer.fields());
                break;
            case "open":
                close();
                model = new LoadedModel(bundle, fields);
                answer.fields().putAll(model.described());
                break;
            case "frame":
                opened().analyze(request.array("frame"), fields.integer("rotation", 0));
                answer.arrays().put("times", Values.of(model.latest()));
                if (fields.flag("outputs", true)) {
                    answer.arrays().putAll(model.outputs("output "));
                }
                for (Map.Entry<String, Values> found : model.answer().entrySet()) {
                    answer.arrays().put("answer " + found.getKey(), found.getValue());
                }
                break;
            case "tensors":
                long[] nanos = opened().run(request, count(fields, "runs", 1));
                answer.arrays().put("times", Values.of(nanos));
                answer.arrays().putAll(model.outputs("output "));
                break;
            case "bench":
                answer.arrays()
                        .putAll(
                                opened().bench(
                                                request.array("frame"),
                                                fields.integer("rotation", 0),
                                                count(fields, "warmup", 0),
                                                count(fields, "runs", 1)));
                answer.fields().put("memory", ProcessStatus.memory());
                break;
            case "close":
                close();
                break;
            default:
                throw new DamagedException("there is no command '" + command + "'");
        }
        return answer;
    }

    private static void hello(Map<String, Object> fields) {
        fields.put("protocol", PROTOCOL);
        fields.put("pid", ProcessStatus.pid());
        fields.put("java", said("java.vm.name") + " " + said("java.vm.version"));
        fields.put("system", said("os.name") + " " + said("os.arch"));
        fields.put("processors", Runtime.getRuntime().availableProcessors());
    }

    private static String said(String property) {
        return System.getProperty(property, "");
    }

    private static int count(Fields fields, String name, int least)
            throws BundleException, DamagedException {
        int count = fields.integer(name, least);
        if (count < least || count > MOST_RUNS) {
            throw new DamagedException("`" + name + "` can't be " + count);
        }
        return count;
    }

    private LoadedModel opened() throws DamagedException {
        if (model == null) {
            throw new DamagedException("no model is open");
        }
        return model;
    }

    private void close() {
        if (model != null) {
            LoadedModel closed = model;
            model = null; // a driver that fails while it closes is not closed twice
            closed.close();
        }
    }
}
