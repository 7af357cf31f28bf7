package mobileq.runner;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * Byte sequences over a stream that others may write into: a phone's shell, a driver that prints.
 *
 * <pre>
 *   magic, 8 bytes | length, 4 | CRC-32 of the payload, 4 | CRC-32 of these 16 bytes, 4 | payload
 * </pre>
 *
 * <p>Numbers are little-endian. What lies between packets is passed over. The magic has both kinds
 * of line ends, so that a terminal which changes them is noticed.
 */
final class Packets {
    /** A frame of 64 million pixels. */
    static final int MOST_BYTES = 1 << 28;

    private static final byte[] MAGIC = {(byte) 0x89, 'M', 'Q', 'R', '\r', '\n', 0x1A, '\n'};
    private static final int CHECKED_BYTES = MAGIC.length + 8;
    private static final int HEADER_BYTES = CHECKED_BYTES + 4;

    /** No more is set aside before it has come. */
    private static final int PIECE = 1 << 24;

    private Packets() {}

    /**
     * Writes one packet.
     *
     * @param stream Where to.
     * @param parts Make the payload together.
     * @throws IOException Nobody reads any more.
     */
    static void write(OutputStream stream, byte[]... parts) throws IOException {
        CRC32 crc = new CRC32();
        long length = 0;
        for (byte[] part : parts) {
            crc.update(part, 0, part.length);
            length += part.length;
        }
        if (length > MOST_BYTES) {
            throw new DamagedException("an answer of " + length + " bytes is too long");
        }
        byte[] header = new byte[HEADER_BYTES];
        ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
        fields.put(MAGIC).putInt((int) length).putInt((int) crc.getValue());
        fields.putInt(crcOf(header, CHECKED_BYTES));
        stream.write(header);
        for (byte[] part : parts) {
            stream.write(part);
        }
        stream.flush();
    }

    /**
     * Reads the next packet.
     *
     * @param stream Buffered.
     * @return Its payload; null at the end of the stream.
     * @throws DamagedException The payload is not what was sent; the stream is behind it.
     * @throws IOException The stream can't be read, or ends inside a payload.
     */
    static byte[] read(InputStream stream) throws IOException {
        byte[] header = new byte[HEADER_BYTES];
        int filled = 0;
        while (true) {
            while (filled < HEADER_BYTES) {
                int count = stream.read(header, filled, HEADER_BYTES - filled);
                if (count < 0) {
                    return null;
                }
                filled += count;
            }
            ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
            int length = fields.getInt(MAGIC.length);
            if (startsWithMagic(header)
                    && fields.getInt(CHECKED_BYTES) == crcOf(header, CHECKED_BYTES)
                    && length >= 0
                    && length <= MOST_BYTES) {
                return payload(stream, length, fields.getInt(MAGIC.length + 4));
            }
            filled--;
            System.arraycopy(header, 1, header, 0, filled);
        }
    }

    private static boolean startsWithMagic(byte[] header) {
        for (int i = 0; i < MAGIC.length; i++) {
            if (header[i] != MAGIC[i]) {
                return false;
            }
        }
        return true;
    }

    private static byte[] payload(InputStream stream, int length, int crc) throws IOException {
        byte[] payload = new byte[Math.min(length, PIECE)];
        int filled = 0;
        while (filled < length) {
            if (filled == payload.length) {
                payload = Arrays.copyOf(payload, (int) Math.min(length, 2L * filled));
            }
            int count = stream.read(payload, filled, payload.length - filled);
            if (count < 0) {
                throw new EOFException("the stream ends inside a packet");
            }
            filled += count;
        }
        if (crcOf(payload, length) != crc) {
            throw new DamagedException("the packet was damaged on its way");
        }
        return payload;
    }

    private static int crcOf(byte[] bytes, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }
}
