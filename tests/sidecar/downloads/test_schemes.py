"""What engines' launchers name as a reference is what the cache can read, and the other way round."""

import pytest

from brickyard.engines import rewriting
from brickyard.sidecar.downloads import references

EXAMPLES = {
    "pypi://": "pypi://a==1/b",
    "file://": "file:///a",
    "/": "/a",
    **{scheme: f"{scheme}bucket/key" for scheme in rewriting.REMOTE},
}


@pytest.mark.parametrize("scheme", [*rewriting.LOCAL, *rewriting.REMOTE])
def test_every_scheme_is_understood(scheme: str) -> None:
    found = references.parse(EXAMPLES[scheme])
    assert isinstance(found, references.Remote) == (scheme in rewriting.REMOTE)
