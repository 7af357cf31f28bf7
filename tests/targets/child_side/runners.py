"""Runners that do to their process what wrong files make interpreters do."""

from __future__ import annotations

import os
from pathlib import Path


class Doubling:
    """Gives each input twice as large."""

    interpreter = "doubling 1.0"

    def __init__(self, path, inputs, outputs, factor=2):
        if not Path(path).exists():
            raise ValueError(f"{path} is missing")
        self.inputs, self.outputs, self._factor = inputs, outputs, factor

    def run(self, feeds):
        return {name: array * self._factor for name, array in feeds.items()}

    def latency(self, feeds, runs, warmup):
        return [0.5] * runs

    def close(self):
        pass


class Crashing(Doubling):
    """Dies of the second inference."""

    _runs = 0

    def run(self, feeds):
        self._runs += 1
        if self._runs == 2:
            os.abort()
        return super().run(feeds)


class Telling(Doubling):
    """Says what it was made with."""

    def __init__(self, path, inputs, outputs):
        super().__init__(path, inputs, outputs)
        self.interpreter = repr((inputs, outputs))


class Environmental(Doubling):
    """Gives what depends on the process's environment, as a wrong file may."""

    def run(self, feeds):
        length = sum(map(len, os.environ.values()))
        return {name: array * length for name, array in feeds.items()}


class Process(Crashing):
    """Says which process it is in; fails where it is fed nothing."""

    interpreter = str(os.getpid())

    def run(self, feeds):
        if not feeds:
            raise ValueError("no such number")
        return super().run(feeds)
