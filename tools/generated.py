"""Every file that is made from code, made or checked.

python tools/generated.py           write them
python tools/generated.py --check   fail when one is not what would be written
"""

from __future__ import annotations

import pathlib
import sys

from brickyard.cli import variables
from brickyard.lib import settings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import make_crds, make_openapi, make_protobuf  # noqa: E402 - the project's root is not on the path of a script


def settings_page(*, check: bool) -> int:
    """``docs/settings.md`` from the settings classes."""
    page = ROOT / "docs" / "settings.md"
    text = settings.reference(variables.SETTINGS)
    if not check:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        print("docs/settings.md is out of date: run `make generated`", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Exit code 0 when every file is what it should be."""
    codes = [settings_page(check="--check" in arguments)]
    codes += [make_crds.main(arguments), make_openapi.main(arguments), make_protobuf.main(arguments)]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
