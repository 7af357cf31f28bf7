"""MNN for the desktop stand-in of `MNNNetNative`: one call a line, its bytes behind it.

Runs by itself. Objects are numbers, 0 is none; answers are 64-bit numbers, or arrays.
"""

from __future__ import annotations

import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


class Server:
    def __init__(self) -> None:
        import MNN

        self.mnn = MNN
        self.objects: dict[int, Any] = {0: None}

    def add(self, thing: Any) -> bytes:
        number = max(self.objects) + 1 if thing is not None else 0
        self.objects[number] = thing
        return struct.pack(">q", number)

    def create_net(self, model: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.mnn"
            path.write_bytes(model)
            return self.add(self.mnn.Interpreter(str(path)))

    def create_session(self, _: bytes, net: str, forward_type: str, threads: str) -> bytes:
        config = {"backend": int(forward_type), "numThread": int(threads)}
        return self.add(self.objects[int(net)].createSession(config))

    def release(self, _: bytes, number: str) -> bytes:
        del self.objects[int(number)]
        return struct.pack(">q", 0)

    def run(self, _: bytes, net: str, session: str) -> bytes:
        return struct.pack(">q", self.objects[int(net)].runSession(self.objects[int(session)]))

    def get_input(self, name: bytes, net: str, session: str) -> bytes:
        tensors = self.objects[int(net)].getSessionInputAll(self.objects[int(session)])
        return self.add(tensors.get(name.decode()))

    def get_output(self, name: bytes, net: str, session: str) -> bytes:
        tensors = self.objects[int(net)].getSessionOutputAll(self.objects[int(session)])
        return self.add(tensors.get(name.decode()))

    def dimensions(self, _: bytes, tensor: str) -> bytes:
        return np.array(self.objects[int(tensor)].getShape(), ">i4").tobytes()

    def data(self, _: bytes, tensor: str) -> bytes:
        source = self.objects[int(tensor)]
        shape = source.getShape()
        order = source.getDimensionType()
        values = np.empty(shape, np.float32)
        host = self.mnn.Tensor(shape, self.mnn.Halide_Type_Float, values, order)
        source.copyToHostTensor(host)
        return np.array(host.getNumpyData(), ">f4").tobytes()

    def convert(self, pixels: bytes, width: str, height: str, tensor: str, *options: str) -> bytes:
        source, target, filter_type, wrap = map(int, options[:4])
        matrix, mean, normal = ([float(x) for x in text.split(",")] for text in options[4:])
        process = self.mnn.CVImageProcess(
            {
                **{"sourceFormat": source, "destFormat": target},
                **{"filterType": filter_type, "wrap": wrap},
                **{"mean": (*mean, 0.0), "normal": (*normal, 1.0)},
            }
        )
        placed = self.mnn.CVMatrix()
        placed.write(matrix)
        process.setMatrix(placed)
        image = np.frombuffer(pixels, np.uint8).copy()
        process.convert(image, int(width), int(height), 0, self.objects[int(tensor)])
        return struct.pack(">q", 1)


def main() -> None:
    # MNN writes to the standard output, already when it is imported.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    server = Server()
    while line := sys.stdin.buffer.readline():
        name, *words, length = line.decode().split()
        payload = sys.stdin.buffer.read(int(length))
        answer = getattr(server, name)(payload, *words)
        answers.write(struct.pack(">i", len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    main()
