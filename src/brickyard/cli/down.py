"""``brickyard down``."""

from __future__ import annotations

from brickyard.cli import options


def down(data_dir: options.DataDir = None) -> None:
    """Stop everything that `up` started; state is kept."""
    from brickyard.cli import place
    from brickyard.embedded import up as life

    at = place.at(data_dir)
    if life.stop(at):
        print("Brickyard is down; its state is kept in", at.path)
    else:
        print("Brickyard does not run in", at.path)
