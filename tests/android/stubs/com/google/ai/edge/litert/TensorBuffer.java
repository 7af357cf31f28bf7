package com.google.ai.edge.litert;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

public final class TensorBuffer extends JniHandle {
    final ByteBuffer memory;

    TensorBuffer(int bytes) {
        memory = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    private ByteBuffer whole() {
        memory.rewind();
        return memory;
    }

    public void writeFloat(float[] data) throws LiteRtException {
        whole().asFloatBuffer().put(data);
    }

    public void writeInt8(byte[] data) throws LiteRtException {
        whole().put(data);
    }

    public float[] readFloat() throws LiteRtException {
        float[] values = new float[memory.capacity() / 4];
        whole().asFloatBuffer().get(values);
        return values;
    }

    public byte[] readInt8() throws LiteRtException {
        byte[] values = new byte[memory.capacity()];
        whole().get(values);
        return values;
    }

    public int[] readInt() throws LiteRtException {
        int[] values = new int[memory.capacity() / 4];
        whole().asIntBuffer().get(values);
        return values;
    }

    public long[] readLong() throws LiteRtException {
        long[] values = new long[memory.capacity() / 8];
        whole().asLongBuffer().get(values);
        return values;
    }

    @Override
    protected void destroy() {}
}
