"""A program that becomes another one, which sees volumes at their mount paths: ``python -I -S enter.py VIEW -- PROGRAM ARGUMENT…``

VIEW is a file of JSON as ``views`` writes it: ``{"staging": …, "cwd": …, "binds": [{"path": …, "target": …, "read_only": …}]}``. The
process moves into a mount namespace of its own (as an ordinary user into a user namespace, too), mounts, and replaces itself: pid,
session and descriptors stay. What does not exist at a mount path is made without touching the disk: the nearest folder that there is
gets covered by one in memory that shows everything the folder has; where that folder is the root, the process gets a new root.

Nothing of ours is imported, and little else: this stands before every start of a container. That is why paths are plain texts here.
"""

import ctypes
import json
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 1, 32, 4096, 8192, 16384, 1 << 19
MNT_DETACH = 2
# Flags of a mount that a remount must repeat: an ordinary user may not take them away. statvfs → mount.
KEPT = ((2, 2), (4, 4), (8, 8), (1024, 1024), (2048, 2048), (4096, 1 << 21))
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CHILDREN = 4096
"""Entries of a folder that is covered, at most: each costs a mount."""
IGNORED = (13, 25)
"""SIGPIPE and SIGXFSZ, by number: the module that names them costs a millisecond."""
REFUSED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise what the system refused."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, flags: int, kind: str = "none", options: str = "") -> None:
    """mount(2)."""
    arguments = [each.encode() for each in (source, target, kind)]
    checked(libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"cannot mount {target}")


def bind(source: str, target: str) -> None:
    """Show ``source`` and all that is mounted below it at ``target``."""
    mount(source, target, MS_BIND | MS_REC)


def separate() -> None:
    """Move this process into namespaces of its own."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER
    checked(libc.unshare(flags), "cannot make a mount namespace")
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    # What the machine mounts later is seen here; nothing of ours is seen there.
    mount("none", "/", MS_REC | MS_SLAVE)


def show(source: str, target: str) -> None:
    """Make one entry of a covering folder."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    make(target, os.path.isdir(source))
    bind(source, target)


def make(path: str, folder: bool) -> None:
    """An empty folder or file to mount on."""
    if folder:
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def cover(folder: str, staging: str) -> None:
    """Put a folder in memory over ``folder`` that shows all it has."""
    names = os.listdir(folder)
    if len(names) > CHILDREN:
        raise OSError(0, f"{folder} has more than {CHILDREN} entries: mount the volume at a path that exists")
    mode = os.stat(folder).st_mode & 0o7777
    mount("tmpfs", staging, 0, "tmpfs", f"mode={mode:o}")
    for name in names:
        show(os.path.join(folder, name), os.path.join(staging, name))
    if folder == "/":
        pivot(staging)
    else:
        mount(staging, folder, MS_MOVE)


def pivot(root: str) -> None:
    """Make ``root`` the root."""
    # The binds of the new root hold a copy of itself, below the folder that it was made in.
    libc.umount2((root + root).encode(), MNT_DETACH)
    os.chdir(root)
    number = PIVOT_ROOT.get(os.uname().machine, 0)
    if number and libc.syscall(number, b".", b".") == 0:
        checked(libc.umount2(b".", MNT_DETACH), "cannot leave the old root")
    else:
        os.chroot(".")  # the first root of a machine cannot be left otherwise
    os.chdir("/")


def nearest(path: str) -> str:
    """The longest part of ``path`` that exists."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def place(wanted: list[dict[str, str]], staging: str) -> None:
    """Mount everything, outer paths first."""
    covered: set[str] = set()
    paths = [os.path.realpath(each["path"]) for each in wanted]
    # The root first: it changes what every other path means.
    for path in sorted(paths, key=lambda each: nearest(each) != "/"):
        there = nearest(path)
        if there != path and there not in covered:
            covered.add(there)
            cover(there, staging)
    for path, each in sorted(zip(paths, wanted, strict=True), key=lambda pair: pair[0].count("/")):
        folder = os.path.isdir(each["target"])
        if not os.path.lexists(path):
            make(path, folder)
        bind(each["target"], path)
        if each["read_only"]:
            held = os.statvfs(path).f_flag
            flags = sum(ours for theirs, ours in KEPT if held & theirs)
            mount("none", path, MS_BIND | MS_REMOUNT | MS_RDONLY | flags)


def tell(text: str) -> None:
    """Into the container's log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def become(words: list[str]) -> int:
    """Replace this process by ``words``; the exit code of what could not be started."""
    # Python ignores them, and what is ignored stays so in the next program: a shell's broken pipe would become an error.
    for number in IGNORED:
        libc.signal(number, None)
    try:
        os.execvp(words[0], words)
    except FileNotFoundError:
        tell(f"exec: {words[0]!r}: no such file or directory")
        return NOT_FOUND
    except OSError as error:
        tell(f"exec: {words[0]!r}: {error.strerror}")
        return NOT_EXECUTABLE


def main(arguments: list[str]) -> int:
    """Do it; returns only when it cannot be done."""
    try:
        with open(arguments[0]) as file:
            view = json.load(file)
        here = os.getcwd()
        separate()
        place(view["binds"], view["staging"])
        os.chdir(view["cwd"] or here)
    except OSError as error:
        tell(f"volumes cannot be mounted: {error.strerror or error}")
        return REFUSED
    return become(arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
