"""Stand-ins for the package index: wheels made on the spot, and a source of them with plain knobs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import pathlib
import shutil
import zipfile
from collections.abc import Mapping

from brickyard.sidecar.downloads import errors, pypi, references


def build_wheel(folder: pathlib.Path, name: str, version: str, files: Mapping[str, bytes]) -> pathlib.Path:
    """A wheel that pip accepts, holding ``files`` by path, with a RECORD of their checksums."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: brickyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in content.items())
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return wheel


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class WheelSource:
    """Fills ``pypi.Source`` from a wheel at hand.

    Attributes:
        calls: requirements asked for, in order.
        gate: while clear, callers wait; set at first.
        failure: raised instead of an answer.
        bytes_first: what lies in the folder, as if arriving, while the gate is clear.
    """

    def __init__(self, wheel: pathlib.Path) -> None:
        self.wheel_path = wheel
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: errors.DownloadError | None = None
        self.bytes_first = b""

    async def wheel(self, file: references.PackageFile, folder: pathlib.Path, progress: pypi.Progress) -> pathlib.Path:
        """As the protocol says."""
        self.calls.append(file.requirement)
        await asyncio.to_thread(self._begin, folder)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return await asyncio.to_thread(self._finish, folder, progress)

    def _begin(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "partial").write_bytes(self.bytes_first)

    def _finish(self, folder: pathlib.Path, progress: pypi.Progress) -> pathlib.Path:
        size = self.wheel_path.stat().st_size
        progress(size, size)
        return pathlib.Path(shutil.copy(self.wheel_path, folder))
