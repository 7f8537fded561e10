import os

import pytest

from brickyard.sidecar.downloads import identity

OWN = {
    "HF_TOKEN": "ours", "HF_HOME": "/home", "HF_HUB_OFFLINE": "1", "AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "ours",
    "AWS_PROFILE": "ours", "TOS_ACCESS_KEY": "ours", "GOOGLE_APPLICATION_CREDENTIALS": "/ours", "PATH": "/bin",
}  # fmt: skip


@pytest.mark.parametrize(
    ("brought", "changed"),
    [
        ({}, {}),
        ({"HF_HOME": "/theirs", "HF_HUB_OFFLINE": "1", "PATH": "/x"}, {}),
        ({"HF_TOKEN": ""}, {}),
        ({"AWS_REGION": "eu"}, {}),
        (
            {"HF_TOKEN": "theirs"},
            {"HF_TOKEN": "theirs", "HF_HOME": None, "HF_HUB_OFFLINE": None, "HF_TOKEN_PATH": os.devnull},
        ),
        (
            {"HF_ENDPOINT": "http://x", "HF_HOME": "/theirs"},
            {"HF_ENDPOINT": "http://x", "HF_TOKEN": None, "HF_HOME": "/theirs", "HF_HUB_OFFLINE": None, "HF_TOKEN_PATH": os.devnull},
        ),
        (
            {"AWS_ENDPOINT_URL": "http://x", "AWS_REGION": "eu"},
            {
                "AWS_ENDPOINT_URL": "http://x", "AWS_REGION": "eu", "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
                "AWS_PROFILE": None, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
        ),
        ({"TOS_ENDPOINT": "x"}, {"TOS_ENDPOINT": "x", "TOS_ACCESS_KEY": None}),
        ({"GOOGLE_SKIP_SIGNATURE": "1"}, {"GOOGLE_SKIP_SIGNATURE": "1", "GOOGLE_APPLICATION_CREDENTIALS": None}),
    ],
)  # fmt: skip
def test_who_brings_something_brings_all(brought: dict[str, str], changed: dict[str, str | None]) -> None:
    expected = {**OWN, **changed}
    assert identity.merged(OWN, brought) == {name: value for name, value in expected.items() if value is not None}
