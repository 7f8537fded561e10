"""Where it was measured, and where the figures go."""

from __future__ import annotations

import datetime
import json
import pathlib
import platform
import sys

import psutil

FOLDER = pathlib.Path(__file__).parent / "results"


def machine() -> dict[str, object]:
    """Where it was measured. Which interpreter matters: one built without profile-guided optimisation is a fifth slower."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": psutil.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "interpreter": str(pathlib.Path(sys.executable).resolve()),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load_before": psutil.getloadavg()[0],
    }


def told(where: dict[str, object]) -> str:
    """``machine()`` in one line."""
    return (
        f"{where['cores']} cores, {where['cpu']}, Python {where['python']} ({where['interpreter']}), {where['when']}, "
        f"load average before: {where['load_before']:.1f}"
    )


def write(part: str, document: dict[str, object], page: str) -> tuple[pathlib.Path, pathlib.Path]:
    """``<part>-<date>.json`` and ``.html``. ``document["machine"]`` says when."""
    where = document["machine"]
    when = str(where["when"] if isinstance(where, dict) else "")[:19].replace(":", "")
    FOLDER.mkdir(exist_ok=True)
    figures, picture = FOLDER / f"{part}-{when}.json", FOLDER / f"{part}-{when}.html"
    figures.write_text(json.dumps(document, indent=1))
    picture.write_text(page)
    return figures, picture
