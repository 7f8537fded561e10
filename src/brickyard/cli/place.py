"""From a ``--data-dir`` to the home it names, and to what runs there."""

from __future__ import annotations

import os
import pathlib
import shlex

from brickyard.embedded import home
from brickyard.lib import errors


def at(data_dir: pathlib.Path | None) -> home.Home:
    """The home in ``data_dir``, or in the default place."""
    return home.Home(data_dir.absolute() if data_dir else home.default_path(os.environ))


def option(found: home.Home) -> str:
    """What a command needs to find ``found`` again, to be put behind its name: "" in the default place."""
    return "" if found.path == home.default_path(os.environ) else f" --data-dir {shlex.quote(str(found.path))}"


class NotRunning(errors.UsageError):
    """The command needs a running Brickyard."""


def running(data_dir: pathlib.Path | None) -> tuple[home.Home, home.Running]:
    """The home and what runs in it.

    Raises:
        NotRunning: nothing does.
    """
    found = at(data_dir)
    now = found.running()
    if now is None:
        raise NotRunning(
            f"Brickyard does not run in {found.path}", hint=f"start it with `brickyard up --detach{option(found)}`"
        )
    return found, now
