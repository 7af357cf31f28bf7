package mobileq.core.run;

/** A runtime could not start or run a model. */
public final class BackendException extends Exception {
    private static final long serialVersionUID = 1L;

    /**
     * @param message A few words for the screen.
     * @param cause What the runtime threw.
     */
    public BackendException(String message, Throwable cause) {
        super(message, cause);
    }

    /**
     * Of what a runtime threw, with the first line of what that says.
     *
     * @param thrown By the runtime.
     * @return The same for the screen.
     */
    public static BackendException of(Throwable thrown) {
        String message = thrown.getMessage();
        String text = message == null ? thrown.getClass().getSimpleName() : message;
        int end = text.indexOf('\n');
        return new BackendException(end < 0 ? text : text.substring(0, end), thrown);
    }
}
