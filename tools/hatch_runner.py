"""Puts the phones' runner into the wheel, where somebody made one:

    mobileq runner build --fetch -o kit && MOBILEQ_RUNNER=$PWD/kit/runner.jar python -m build

Who installs such a wheel needs no Java. Without the variable the wheel has the sources alone.
"""

from __future__ import annotations

import os
import zipfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "MOBILEQ_RUNNER"


class RunnerHook(BuildHookInterface):
    """Found by hatchling, by the path in pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is written."""
        jar = os.environ.get(VARIABLE)
        if not jar or self.target_name != "wheel":
            return
        with zipfile.ZipFile(jar) as archive:
            if archive.namelist() != ["classes.dex"]:
                raise ValueError(f"{VARIABLE}: {jar} is no runner")
        build_data["force_include"][jar] = "mobileq/assets/runner.jar"
