package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import mobileq.core.run.Accelerator;
import mobileq.core.run.AcceleratorFallback;
import org.junit.jupiter.api.Test;

class AcceleratorFallbackTest {
    /** Outlives the "process", which is one AcceleratorFallback. */
    private static final class Disk implements AcceleratorFallback.Notes {
        private String note;

        @Override
        public String read() {
            return note;
        }

        @Override
        public void write(String text) {
            note = text;
        }
    }

    private final Disk disk = new Disk();

    @Test
    void runsOnWhatWasWanted() {
        AcceleratorFallback fallback = new AcceleratorFallback(disk);
        assertEquals(Accelerator.GPU, fallback.starting(Accelerator.GPU, "m"));
        assertEquals("GPU m", disk.note);
        fallback.ran();
        assertNull(disk.note);
        assertEquals("", fallback.reason());
    }

    @Test
    void aFailureThatIsCaughtGoesToTheCpuAndSaysSo() {
        AcceleratorFallback fallback = new AcceleratorFallback(disk);
        fallback.starting(Accelerator.GPU, "m");
        assertTrue(fallback.failed("no OpenCL"));
        assertEquals(Accelerator.CPU, fallback.actual());
        assertEquals("GPU failed (no OpenCL); running on the CPU", fallback.reason());
        assertNull(disk.note);
        assertFalse(fallback.failed("out of memory"));
    }

    @Test
    void aFailureWhileRunningGoesToTheCpuToo() {
        AcceleratorFallback fallback = new AcceleratorFallback(disk);
        fallback.starting(Accelerator.NNAPI, "m");
        fallback.ran();
        assertTrue(fallback.failed("device lost"));
        assertEquals(Accelerator.CPU, fallback.actual());
        assertEquals(Accelerator.NNAPI, fallback.wanted());
    }

    @Test
    void aStartThatKilledTheProcessIsNotTriedAgain() {
        new AcceleratorFallback(disk).starting(Accelerator.GPU, "m"); // and the process dies
        AcceleratorFallback next = new AcceleratorFallback(disk);
        assertEquals(Accelerator.CPU, next.starting(Accelerator.GPU, "m"));
        assertTrue(next.reason().contains("ended the app"), next.reason());
        next.ran();
        AcceleratorFallback third = new AcceleratorFallback(disk);
        assertEquals(Accelerator.CPU, third.starting(Accelerator.GPU, "m"));
    }

    @Test
    void anotherModelOrAnotherAcceleratorIsTried() {
        new AcceleratorFallback(disk).starting(Accelerator.GPU, "m");
        AcceleratorFallback next = new AcceleratorFallback(disk);
        assertEquals(Accelerator.GPU, next.starting(Accelerator.GPU, "other"));
        next.ran();
        assertEquals(Accelerator.NNAPI, next.starting(Accelerator.NNAPI, "m"));
        next.ran();
        assertEquals(Accelerator.CPU, next.starting(Accelerator.GPU, "m"));
    }

    @Test
    void askedForByHandItIsTriedAgain() {
        new AcceleratorFallback(disk).starting(Accelerator.GPU, "m");
        AcceleratorFallback next = new AcceleratorFallback(disk);
        next.forgive();
        assertEquals(Accelerator.GPU, next.starting(Accelerator.GPU, "m"));
    }

    @Test
    void closingBeforeTheFirstPictureIsNoCrash() {
        AcceleratorFallback fallback = new AcceleratorFallback(disk);
        fallback.starting(Accelerator.GPU, "m");
        fallback.closed();
        assertEquals(
                Accelerator.GPU,
                new AcceleratorFallback(disk).starting(Accelerator.GPU, "m"));
    }
}
