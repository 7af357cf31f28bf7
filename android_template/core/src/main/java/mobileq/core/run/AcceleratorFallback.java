package mobileq.core.run;

/**
 * Decides what a model is started on, and remembers what did not work.
 *
 * <pre>
 *   IDLE --starting--> STARTING --ran--> RUNNING
 *   STARTING or RUNNING --failed--> IDLE: the CPU from now on
 *   STARTING --the process dies--> at the next start: the CPU, until someone asks again
 * </pre>
 *
 * <p>A crash of a native driver can't be caught. So before anything but the CPU is started, a note
 * is written that outlives the process; it is taken away once the first picture came through.
 */
public final class AcceleratorFallback {
    /** A few texts that outlive the process. */
    public interface Notes {
        /**
         * Reads the note.
         *
         * @return What was written last; null where nothing was.
         */
        String read();

        /**
         * Writes through to the disk before it returns.
         *
         * @param text Null takes the note away.
         */
        void write(String text);
    }

    private enum State {
        IDLE,
        STARTING,
        RUNNING
    }

    private final Notes notes;
    private State state = State.IDLE;
    private Accelerator wanted = Accelerator.CPU;
    private Accelerator actual = Accelerator.CPU;
    private String crashed;
    private String key;
    private String reason = "";

    /**
     * @param notes Where a start is noted down. A note that is there already is that of a process
     *     which died while starting.
     */
    public AcceleratorFallback(Notes notes) {
        this.notes = notes;
        this.crashed = notes.read();
    }

    /** Whether a start of anything but the CPU ended the process the last time. */
    public boolean isAfterCrash() {
        return crashed != null;
    }

    /**
     * Before a model is started.
     *
     * @param choice What the person wants.
     * @param model Which file: a model that killed the driver says nothing about others.
     * @return What to start it on.
     */
    public Accelerator starting(Accelerator choice, String model) {
        wanted = choice;
        actual = choice;
        reason = "";
        key = choice + " " + model;
        state = State.STARTING;
        if (choice == Accelerator.CPU) {
            return actual;
        }
        if (key.equals(crashed)) {
            actual = Accelerator.CPU;
            reason = choice + " ended the app when it was last started; running on the CPU";
        } else {
            notes.write(key);
        }
        return actual;
    }

    /** The first picture came through. Later calls do nothing. */
    public void ran() {
        if (state == State.STARTING) {
            forget();
            state = State.RUNNING;
        }
    }

    /**
     * Starting or running failed in a way that could be caught.
     *
     * @param cause A few words for the screen.
     * @return Whether there is something to fall back to: {@link #actual()} is the CPU then, and
     *     the model is to be started on it.
     */
    public boolean failed(String cause) {
        forget();
        if (actual == Accelerator.CPU) {
            state = State.IDLE;
            return false;
        }
        reason = actual + " failed (" + cause + "); running on the CPU";
        actual = Accelerator.CPU;
        state = State.STARTING;
        return true;
    }

    /** The model was closed before its first picture: that is no crash. */
    public void closed() {
        if (state == State.STARTING) {
            forget();
        }
        state = State.IDLE;
    }

    /** The person asks for an accelerator by hand: it is tried again, whatever happened. */
    public void forgive() {
        crashed = null;
        notes.write(null);
    }

    private void forget() {
        if (actual != Accelerator.CPU) {
            notes.write(null);
        }
    }

    /** What the person wants. */
    public Accelerator wanted() {
        return wanted;
    }

    /** What the model runs on. */
    public Accelerator actual() {
        return actual;
    }

    /** Why it is not what was wanted, for the screen; empty where it is. */
    public String reason() {
        return reason;
    }
}
