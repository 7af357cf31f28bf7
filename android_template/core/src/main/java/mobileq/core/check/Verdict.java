package mobileq.core.check;

import mobileq.core.run.Accelerator;

/**
 * What the self-check says of an accelerator.
 *
 * @param accelerator What was checked.
 * @param difference How its answer differs from the CPU's; that of the CPU, from the float model's.
 *     Null where the app ended while it was checked.
 */
public record Verdict(Accelerator accelerator, Difference difference) {
    /** Whether there is nothing to tell. */
    public boolean isGood() {
        return difference != null && difference.isNone();
    }
}
