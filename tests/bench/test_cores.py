import os
import subprocess
import sys

from bench import cores


def test_what_is_measured_shares_its_core_with_nobody() -> None:
    assert cores.measured(frozenset({3, 5, 7})) == {3}
    assert cores.others(frozenset({3, 5, 7})) == {5, 7}


def test_a_machine_of_one_core_has_nothing_to_set_apart() -> None:
    assert cores.measured(frozenset({2})) == cores.others(frozenset({2})) == {2}


def test_what_is_started_within_stays_there_and_we_do_not() -> None:
    before, nice, one = os.sched_getaffinity(0), os.nice(0), cores.measured()
    with cores.on(one):
        command = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.strip() == str(sorted(one))
    assert (os.sched_getaffinity(0), os.nice(0)) == (before, nice)


def test_what_goes_first_does_so_for_the_block_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with cores.first():
            within = {os.sched_getscheduler(pid) for pid in (0, child.pid)}
        after = {os.sched_getscheduler(pid) for pid in (0, child.pid)}
        child.communicate(b"\n")
    assert within in ({os.SCHED_RR}, {os.SCHED_OTHER})  # as the system lets us
    assert after == {os.SCHED_OTHER}
