"""Every pod its own loopback address, out of 127.64.0.0/10.

Linux accepts binds to all of 127/8 without configuration, so each pod can keep the ports its manifest names. The address follows
from the pod's uid, so that it is the same after a restart even where nothing was written down; a collision moves on to the next
free one. The owner keeps an address for as long as anything may still run on it.
"""

from __future__ import annotations

import hashlib
import ipaddress

from brickyard.embedded.kubelet import errors

NETWORK = ipaddress.IPv4Network("127.64.0.0/10")
HOST = "127.0.0.1"
"""The node's address, and that of pods with ``hostNetwork``."""

_SIZE = NETWORK.num_addresses
_FIRST = int(NETWORK.network_address)


class Addresses:
    """Who has which address. ``limit`` bounds the search, and so the number of addresses in use."""

    def __init__(self, limit: int = 65536) -> None:
        self._limit = limit
        self._owners: dict[str, str] = {}

    def claim(self, uid: str, wanted: str = "") -> str:
        """The address of the pod ``uid``: the one it has, else ``wanted`` if that is free and ours, else one that follows from ``uid``.

        Raises:
            NoAddress: too many are in use.
        """
        held = next((address for address, owner in self._owners.items() if owner == uid), None)
        if held is not None:
            return held
        address = wanted if self._free(wanted) else self._search(uid)
        self._owners[address] = uid
        return address

    def release(self, uid: str) -> None:
        """Nothing runs on the pod's address any more."""
        self._owners = {address: owner for address, owner in self._owners.items() if owner != uid}

    def _free(self, address: str) -> bool:
        try:
            return ipaddress.IPv4Address(address) in NETWORK and address not in self._owners
        except ValueError:
            return False

    def _search(self, uid: str) -> str:
        start = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8])
        for step in range(self._limit):
            number = _FIRST + (start + step) % _SIZE
            # Addresses that end in 0 or 255 look like networks and broadcasts; some software refuses them.
            if number & 0xFF not in (0, 0xFF) and (address := str(ipaddress.IPv4Address(number))) not in self._owners:
                return address
        raise errors.NoAddress(f"no free address for a pod: {len(self._owners)} of {NETWORK} are in use")
