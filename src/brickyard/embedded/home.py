"""The folder that one machine's Brickyard lives in, and the lock that says who runs it.

<data-dir>/kubeconfig        how to reach the API server (0600)
<data-dir>/store.db          the API server's store
<data-dir>/accounts.db       users, API keys and counts of their use; accounts.secret: what keys are hashed with
<data-dir>/pods/             containers: logs, volumes, records
<data-dir>/volumes/          what persistent volume claims hold
<data-dir>/logs/<part>.log   what each of our own processes says
<data-dir>/run/lock          held while `brickyard up` runs
<data-dir>/run/state.json    who holds it and where it serves
<data-dir>/run/controllers   URL of the controllers' pages
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
from collections.abc import Iterator

import orjson

from brickyard.lib import errors, process


class AlreadyRunning(errors.UsageError):
    """Another `brickyard up` holds this data directory."""


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A running Brickyard: its supervisor and where it serves."""

    supervisor: process.Identity
    api_url: str
    gateway_url: str
    services_url: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """The data directory and what lies where in it."""

    path: pathlib.Path

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.path / "kubeconfig"

    @property
    def logs(self) -> pathlib.Path:
        return self.path / "logs"

    @property
    def volumes(self) -> pathlib.Path:
        return self.path / "volumes"

    @property
    def accounts(self) -> str:
        """Where users and their limits are kept, as an address for services and gateway."""
        return f"sqlite://{self.path}/accounts.db"

    @property
    def _lock(self) -> pathlib.Path:
        return self.path / "run" / "lock"

    @property
    def _state(self) -> pathlib.Path:
        return self.path / "run" / "state.json"

    def prepare(self) -> None:
        """Make the folders, readable by their owner only.

        Raises:
            UsageError: the folder cannot be made or written to.
        """
        try:
            for folder in (self.path, self.logs, self._lock.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise PermissionError(13, "not writable")
        except OSError as error:
            hint = "choose another one with --data-dir, or mend its owner and mode"
            raise errors.UsageError(f"cannot use data directory {self.path}: {error.strerror}", hint=hint) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock for the length of the block; the kernel lets go of it however the holder ends.

        Raises:
            AlreadyRunning: somebody else holds it.
        """
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = self.running()
                who = f" (process {running.supervisor.pid}, gateway {running.gateway_url})" if running else ""
                hint = (
                    "see it with `brickyard status`, stop it with `brickyard down`, or give --data-dir for a second one"
                )
                raise AlreadyRunning(f"Brickyard already runs in {self.path}{who}", hint=hint) from None
            try:
                yield
            finally:
                self._state.unlink(missing_ok=True)

    @property
    def _controllers(self) -> pathlib.Path:
        return self.path / "run" / "controllers"

    def write_controllers(self, url: str) -> None:
        """Say where the controllers' pages are."""
        self._controllers.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._controllers.with_suffix(".new")
        draft.write_text(url, encoding="utf-8")
        draft.replace(self._controllers)

    def controllers_url(self) -> str:
        """Where the controllers' pages were when they last began; "" where they never did."""
        try:
            return self._controllers.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def write_state(self, running: Running) -> None:
        """Say who runs and where; whole or not at all."""
        draft = self._state.with_suffix(".new")
        draft.write_bytes(orjson.dumps(dataclasses.asdict(running)))
        draft.replace(self._state)

    def running(self) -> Running | None:
        """Who runs here now; None when nobody does."""
        try:
            state = orjson.loads(self._state.read_bytes())
        except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
            return None
        supervisor = process.Identity(**state["supervisor"])
        return _running(supervisor, state) if supervisor.alive() else None


def _running(supervisor: process.Identity, state: dict[str, str]) -> Running:
    # An earlier version's state has no services.
    return Running(supervisor, state["api_url"], state["gateway_url"], state.get("services_url", ""))


def default_path(environ: dict[str, str] | os._Environ[str]) -> pathlib.Path:
    """``$BRICKYARD_DATA_DIR``, else ``$XDG_DATA_HOME/brickyard``, else ``~/.local/share/brickyard``."""
    if environ.get("BRICKYARD_DATA_DIR"):
        return pathlib.Path(environ["BRICKYARD_DATA_DIR"]).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return pathlib.Path(base).expanduser().absolute() / "brickyard"
