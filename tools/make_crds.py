"""Write the CustomResourceDefinitions that a cluster needs, one file each.

    python tools/make_crds.py           write deploy/crds/<group>_<plural>.yaml
    python tools/make_crds.py --check   fail when a file there is not what would be written

Source: ``brickyard.api.kinds.crds``.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import yaml

from brickyard.api.kinds import crds

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy/crds"
# Client-side apply keeps the whole file in one annotation, which may not grow beyond 256 KiB; a quarter leaves room.
LIMIT = 64 * 1024


def documents() -> dict[str, str]:
    """File name to content."""
    found = {}
    for definition in crds.definitions():
        spec = definition["spec"]
        text = yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)
        found[f"{spec['group']}_{spec['names']['plural']}.yaml"] = text
    return found


def faults(wanted: dict[str, str]) -> list[str]:
    """What is out of date, too large, or there without a reason."""
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
    found = [f"{name} is out of date" for name, text in wanted.items() if present.get(name) != text]
    return found + [f"{name} is not one of ours" for name in sorted(present.keys() - wanted.keys())]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when a file is out of date")
    options = parser.parse_args(arguments)
    wanted = documents()
    large = [f"{name} is over {LIMIT} bytes" for name, text in wanted.items() if len(text.encode()) > LIMIT]
    if not options.check and not large:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    wrong = large + faults(wanted)
    for each in wrong:
        print(f"deploy/crds: {each}: run python tools/make_crds.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
