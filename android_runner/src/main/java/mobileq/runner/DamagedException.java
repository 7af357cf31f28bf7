package mobileq.runner;

import java.io.IOException;

/** What came is not what was sent, or nothing that this runner knows. The message says why. */
final class DamagedException extends IOException {
    private static final long serialVersionUID = 1L;

    DamagedException(String message) {
        super(message);
    }
}
