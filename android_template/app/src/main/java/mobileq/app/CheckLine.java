package mobileq.app;

import android.content.res.Resources;
import mobileq.core.check.Difference;
import mobileq.core.check.Verdict;
import mobileq.core.run.Accelerator;

/** The line that says what the self-check found, where that is anything. Of the main thread. */
final class CheckLine {
    private final Screen screen;
    private final Runnable useCpu;

    /**
     * @param screen Where it stands.
     * @param useCpu Runs the model on the CPU.
     */
    CheckLine(Screen screen, Runnable useCpu) {
        this.screen = screen;
        this.useCpu = useCpu;
    }

    /** Says what is wrong; nothing where nothing is, or nobody knows: null. */
    void show(Verdict verdict) {
        if (verdict == null || verdict.isGood()) {
            screen.warn(null, null);
        } else {
            boolean isCpu = verdict.accelerator() == Accelerator.CPU;
            screen.warn(sentence(verdict, isCpu), isCpu ? null : useCpu);
        }
    }

    private String sentence(Verdict verdict, boolean isCpu) {
        Resources resources = screen.warning.getResources();
        Accelerator on = verdict.accelerator();
        Difference found = verdict.difference();
        if (found == null) {
            return resources.getString(R.string.check_ended, on);
        }
        return resources.getString(
                isCpu ? R.string.check_cpu_differs : R.string.check_differs,
                on,
                found.missing(),
                found.added(),
                Math.round(100 * found.score()));
    }
}
