package mobileq.core;

/** A bundle cannot be used as it is. The message is one sentence for the screen. */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1L;

    /**
     * @param message One sentence that names what is wrong.
     */
    public BundleException(String message) {
        super(message);
    }

    /**
     * @param message One sentence that names what is wrong.
     * @param cause What it was found by.
     */
    public BundleException(String message, Throwable cause) {
        super(message, cause);
    }
}
