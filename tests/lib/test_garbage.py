"""What is there at the start is not looked through again, and what comes later still is."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = textwrap.dedent(
    """
    import gc, weakref
    from brickyard.lib import garbage

    class Node: pass
    def ring():
        one, two = Node(), Node()
        one.other, two.other = two, one
        return weakref.ref(one)

    before = ring()
    garbage.settle()
    assert before() is None, "a cycle of the start was put aside with the rest"
    assert len(gc.get_objects()) < gc.get_freeze_count() / 100
    assert gc.get_threshold() == garbage.THRESHOLDS and gc.isenabled()
    later = ring()
    kept = [[] for _ in range(garbage.THRESHOLDS[0] * 2)]
    assert later() is None, "a cycle that came later was never freed"
    """
)


def test_the_start_is_put_aside_and_later_cycles_are_freed() -> None:
    """In a process of its own: what is put aside stays there."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
