"""Compiles what every request passes through, from the same Python files, with mypyc.

    python -m tools.compiling FOLDER    C extensions under FOLDER, laid out as in an installed package

Nothing is written beside the sources: an extension that lies there would hide every later change to its module. ``make compiled`` makes a
wheel of the package with these extensions (``tools/compiled_hook.py``) and installs it into ``.venv-compiled``. Needs a C compiler, and
the package's dependencies with mypy: what is compiled is type-checked first.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import sys
import tempfile
from concurrent import futures
from typing import Any, Final

from tools import staging

SOURCE: Final = pathlib.Path(__file__).parents[1] / "src"

COMPILED: Final = {
    "gateway": "contract distributions metrics traffic",
    "gateway/dialects": "chat completions contract fields judging",
    "gateway/endpoints": "breaker director loads pods prefixes ring table",
    "gateway/limits": "gate",
    "gateway/proxy": "answers attempt budget client endings exchange heads ids incoming ledger plane pool reader response router"
    " understand upstream",
    "gateway/usage": "ask contract reading strip tail",
    "kvindex": "accuracy blocks events learning lineage links prefix residency slots table wordmap",
    "routing": "contract filters noise pickers pipeline router scorers",
    "routing/ledgers": "latencies outputs prefixes work",
    "routing/policies/least_busy_time": "busy",
    "routing/policies/prefix_cache": "__init__",
    "routing/policies/prefix_cache_preble": "window",
    "routing/policies/slo": "objectives",
    "routing/policies/vtc_basic": "usage",
}
"""Modules by folder. Everything else stays as it is:

* what does not run once per request: settings, errors, pages, servers, watches, channels between gateways, command lines;
* ``routing/capabilities``: protocols that are asked for by ``isinstance``, which the compiler cannot make;
* ``routing/ledgers/rates``, ``routing/policies/slo/profiles``: the compiler stumbles over a field of type ``object``, and over msgspec;
* the other policies: interpreted policies work with the compiled parts, as those of third parties do.
"""

FLAGS: Final = ["-fno-plt", "-fno-semantic-interposition"]
"""Calls between our own functions go straight there; with gcc's level 3, a tenth less for a request."""


def modules() -> list[str]:
    """The files to compile, from ``src`` on."""
    return [f"brickyard/{folder}/{name}.py" for folder, names in COMPILED.items() for name in names.split()]


def stage(folder: pathlib.Path) -> None:
    """A copy of the package for the compiler to read."""
    shutil.copytree(SOURCE / "brickyard", folder / "brickyard", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in modules():
        path = folder / name
        path.write_text(staging.staged(path.read_text()))


def build(target: pathlib.Path) -> None:
    """Compile into ``target``. Ends the process where a file has a type error or the C compiler fails."""
    import setuptools  # noqa: PLC0415 - mypyc looks whether it is there
    from mypyc import build as mypyc  # noqa: PLC0415
    from setuptools.command import build_ext  # noqa: PLC0415

    class OnAllCores(build_ext.build_ext):  # type: ignore[misc]  # setuptools is there at builds only
        def build_extension(self, ext: Any) -> None:
            self.compiler.compile = functools.partial(_compile, self.compiler)
            super().build_extension(ext)

    target = target.resolve()
    with tempfile.TemporaryDirectory(prefix="brickyard-compiled-") as name:
        stage(pathlib.Path(name))
        os.chdir(name)
        pathlib.Path("mypy.ini").write_text(
            "[mypy]\nstrict = True\nignore_missing_imports = True\nexplicit_package_bases = True\nnamespace_packages = True\n"
        )
        extensions = mypyc.mypycify(
            ["--config-file", "mypy.ini", *modules()],
            opt_level="3",
            debug_level="0",
            multi_file=True,  # one file for all takes gcc ten times as long
            group_name="brickyard",
        )
        for each in extensions:
            each.extra_compile_args += FLAGS
        setuptools.setup(
            name="brickyard",
            ext_modules=extensions,
            cmdclass={"build_ext": OnAllCores},
            script_args=["--quiet", "build_ext", "--build-lib", str(target)],
        )


def _compile(compiler: Any, sources: list[str], **given: Any) -> list[str]:
    """As distutils' own ``compile``, file by file, but several at once."""
    _, objects, extra, options, made = compiler._setup_compile(
        given["output_dir"], given["macros"], given["include_dirs"], sources, given["depends"], given["extra_postargs"]
    )
    arguments = compiler._get_cc_args(options, given["debug"], given.get("extra_preargs"))

    def one(target: str) -> None:
        source, suffix = made[target]
        compiler._compile(target, source, suffix, arguments, extra, options)

    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, sorted(made, key=lambda target: -pathlib.Path(made[target][0]).stat().st_size)):
            pass
    return list(objects)


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]))
