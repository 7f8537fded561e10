"""Hatch's build hook that puts C extensions into the wheel; off unless ``HATCH_BUILD_HOOK_ENABLE_CUSTOM`` is ``true``."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin import interface


class CompiledHook(interface.BuildHookInterface):  # type: ignore[misc]  # hatchling is there at builds only
    """Runs ``compiling`` in a process of its own, since it changes folders, and hands its extensions to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="brickyard-extensions-")
        made = pathlib.Path(self._folder.name)
        subprocess.run([sys.executable, "-m", "tools.compiling", str(made)], check=True, cwd=self.root)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for each in sorted(made.rglob("*.so")):
            build_data["force_include"][str(each)] = str(each.relative_to(made))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()
