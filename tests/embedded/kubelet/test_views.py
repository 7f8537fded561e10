"""Containers that see their volumes where the manifest says; with mounts where this machine allows them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from concurrent import futures

import pytest

from brickyard.embedded.kubelet import errors, views, volumes

GROUND = views.survey([])
mounting = pytest.mark.skipif(not GROUND.mounts, reason="this machine allows no mount namespaces")


def wanted(
    tmp_path: pathlib.Path, *mounts: volumes.Mount, hosts: pathlib.Path | None = None, cwd: str = ""
) -> views.Wanted:
    return views.Wanted(mounts, {"/dev/termination-log": tmp_path / "said"}, hosts, cwd, tmp_path / "views/main.json")


def run(view: views.View, *words: str, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(view.command(words), capture_output=True, text=True, timeout=20, check=False, cwd=cwd)


@pytest.fixture
def volume(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "volume"
    made.mkdir()
    (made / "file").write_text("content")
    return made


@mounting
@pytest.mark.parametrize("path", ["/models", "/models/deep/er", "/etc/conf.brickyard", "/srv", "/dev/shm"])
def test_a_volume_is_where_the_manifest_says(tmp_path: pathlib.Path, volume: pathlib.Path, path: str) -> None:
    before = os.path.lexists(path)
    view = views.make(wanted(tmp_path, volumes.Mount(path, volume)), GROUND)
    told = run(view, "sh", "-c", f"cat {path}/file && echo new > {path}/made && ls / | wc -l")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("content")
    assert (volume / "made").read_text() == "new\n"
    assert os.path.lexists(path) is before
    assert view.local(f"{path}/file") == str(volume / "file")
    assert view.text(f"--model={path}/file") == f"--model={path}/file"


@mounting
def test_read_only_is_read_only(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path, volumes.Mount("/models", volume, read_only=True)), GROUND)
    told = run(view, "touch", "/models/new")
    assert told.returncode != 0
    assert "Read-only" in told.stderr
    assert not (volume / "new").exists()


@mounting
def test_a_file_is_mounted_as_a_file(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path, volumes.Mount("/opt/app/app.conf", volume / "file")), GROUND)
    assert run(view, "cat", "/opt/app/app.conf").stdout == "content"


@mounting
def test_mounts_within_mounts(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "deep").write_text("deeper")
    (volume / "in").mkdir()
    found = (volumes.Mount("/data/in", inner), volumes.Mount("/data", volume))
    view = views.make(wanted(tmp_path, *found), GROUND)
    assert run(view, "cat", "/data/file", "/data/in/deep").stdout == "contentdeeper"
    assert view.local("/data/in/deep") == str(inner / "deep")


@mounting
def test_names_are_found_by_every_resolver(tmp_path: pathlib.Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.128.0.9 web web.shop.svc.cluster.local\n")
    view = views.make(wanted(tmp_path, hosts=hosts), GROUND)
    assert run(view, "getent", "hosts", "web.shop.svc.cluster.local").stdout.split()[0] == "127.128.0.9"
    python = "import socket; print(socket.gethostbyname('web'))"
    assert run(view, "python3", "-c", python).stdout == "127.128.0.9\n"
    # Written over, it is seen by those who run already; here, by the next.
    hosts.write_text("127.128.0.10 web\n")
    assert run(view, "getent", "hosts", "web").stdout.split()[0] == "127.128.0.10"


@mounting
def test_the_working_directory_is_the_containers(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    there = views.make(wanted(tmp_path, volumes.Mount("/models", volume), cwd="/models"), GROUND)
    assert run(there, "pwd").stdout == "/models\n"
    here = views.make(wanted(tmp_path, volumes.Mount("/models", volume)), GROUND)
    assert run(here, "pwd", cwd=tmp_path).stdout == f"{tmp_path}\n"


@mounting
def test_a_program_in_a_volume(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    script = volume / "run.sh"
    script.write_text("#!/bin/sh\necho ran $0\n")
    view = views.make(wanted(tmp_path, volumes.Mount("/scripts", volume)), GROUND)
    with pytest.raises(errors.NoProgram, match="permission denied"):
        view.program(["/scripts/run.sh"], {}, tmp_path)
    script.chmod(0o755)
    argv = view.program(["/scripts/run.sh"], {}, tmp_path)
    told = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert told.stdout == "ran /scripts/run.sh\n"
    with pytest.raises(errors.NoProgram, match="no such file"):
        view.program(["/scripts/none"], {}, tmp_path)


@mounting
def test_the_exit_code_and_the_pid_are_the_programs_own(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path, volumes.Mount("/models", volume)), GROUND)
    with subprocess.Popen(view.command(["sh", "-c", "echo $$; exit 7"]), stdout=subprocess.PIPE, text=True) as child:
        out, _ = child.communicate(timeout=20)
    assert (child.returncode, out) == (7, f"{child.pid}\n")
    missing = run(view, "no-such-program")
    assert missing.returncode == 127
    assert "no such file" in missing.stderr


@mounting
def test_what_cannot_be_mounted_is_said(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path, volumes.Mount("/models", volume)), GROUND)
    (volume / "file").unlink()
    volume.rmdir()
    told = run(view, "true")
    assert told.returncode == 125
    assert "volumes cannot be mounted" in told.stderr


def test_a_volume_that_is_not_there_is_said_before(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.NotStarted, match="there is no /no/such"):
        views.make(wanted(tmp_path, volumes.Mount("/models", pathlib.Path("/no/such"))), views.Ground(mounts=True))


# The other way.


def test_without_mounts_words_are_mapped(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path, volumes.Mount("/models", volume), hosts=tmp_path), views.UNMOUNTED)
    assert view.entrance == ()
    assert view.command(["cat", "/models/file"]) == ("cat", f"{volume}/file")
    assert view.program(["cat", "x"], {}, tmp_path)[1:] == ["x"]
    assert view.local("/models/file") == "/models/file"
    assert not (tmp_path / "views").exists()


def test_the_termination_log_is_mapped_always(tmp_path: pathlib.Path) -> None:
    view = views.make(wanted(tmp_path), views.Ground(mounts=True))
    assert view.texts(["echo x > /dev/termination-log"]) == (f"echo x > {tmp_path}/said",)


# path, whether a volume can be mounted there
PLACES = [
    ("/models", True),
    ("/dev/shm", True),
    ("/usr/local/share/x", True),
    ("/usr", False),
    ("/", False),
    ("/etc", False),
    ("/proc/x", False),
    ("/home", False),
    ("/home/me", False),
    ("/home/me/data", False),
    ("/home/me/data/x", True),
    ("/home/me/dat", True),
]


@pytest.mark.parametrize(("path", "answer"), PLACES)
def test_nothing_that_is_needed_is_hidden(path: str, answer: bool) -> None:
    ground = views.Ground(mounts=True, needed=("/home/me/data",))
    assert ground.can_mount(path) is answer
    assert not views.Ground(mounts=False).can_mount(path)


def test_a_folder_of_very_many_is_not_covered(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_COVERABLE", 3)
    ground = views.Ground(mounts=True)
    for number in range(3):
        (tmp_path / str(number)).touch()
    assert ground.can_mount(f"{tmp_path}/new/place")
    (tmp_path / "one-more").touch()
    assert not ground.can_mount(f"{tmp_path}/new/place")
    assert ground.can_mount(f"{tmp_path}/one-more")
    assert not ground.can_mount(f"{tmp_path}/one-more/below-a-file")


def test_a_view_can_be_made_by_several_at_a_time(tmp_path: pathlib.Path, volume: pathlib.Path) -> None:
    ground = views.Ground(mounts=True)
    asked = wanted(tmp_path, volumes.Mount("/models", volume))
    with futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: views.make(asked, ground), range(400)))
    assert len({each.entrance for each in made}) == 1
    assert json.loads(asked.file.read_bytes())["binds"][0]["path"] == "/models"
    assert {each.name for each in asked.file.parent.iterdir()} == {"main.json", "staging"}


def test_a_survey_keeps_our_own_programs_visible(tmp_path: pathlib.Path) -> None:
    found = views.survey([tmp_path])
    assert str(tmp_path) in found.needed
    assert not found.can_mount(str(tmp_path.parent))
    assert not found.can_mount(str(pathlib.Path(views.__file__).parent))
