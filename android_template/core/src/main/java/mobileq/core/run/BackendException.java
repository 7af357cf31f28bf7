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
}
