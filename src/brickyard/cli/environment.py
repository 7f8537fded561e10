"""``brickyard env``: what a shell needs to talk to this machine's Brickyard."""

from __future__ import annotations

import shlex

from brickyard.cli import options


def env(data_dir: options.DataDir = None) -> None:
    """Print exports for a shell: eval "$(brickyard env)"."""
    from brickyard.cli import place

    home, running = place.running(data_dir)
    print(f"export KUBECONFIG={shlex.quote(str(home.kubeconfig))}")
    print(f"export OPENAI_BASE_URL={shlex.quote(running.gateway_url + '/v1')}")
    print("export OPENAI_API_KEY=unused")
