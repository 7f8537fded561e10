"""Every file that is made from code, made or checked.

python tools/generated.py           write them
python tools/generated.py --check   fail when one is not what would be written
"""

from __future__ import annotations

import pathlib
import sys

from brickyard.accounts import settings as accounts
from brickyard.controllers import settings as controllers
from brickyard.embedded import up
from brickyard.embedded.apiserver import settings as apiserver
from brickyard.embedded.kubelet import settings as kubelet
from brickyard.engines.llamacpp import server as llamacpp
from brickyard.gateway import settings as gateway
from brickyard.gateway import workers
from brickyard.gateway.endpoints import settings as endpoints
from brickyard.gateway.kvevents import settings as kvevents
from brickyard.gateway.limits import settings as gate
from brickyard.gateway.optimizer import settings as optimizer
from brickyard.gateway.queueing import settings as queueing
from brickyard.gateway.sharing import settings as sharing
from brickyard.gateway.waking import settings as waking
from brickyard.kvindex import settings as kvindex
from brickyard.lib import settings
from brickyard.routing.policies import (
    consistent_hash,
    least_tokens,
    prefix_and_load,
    prefix_cache,
    prefix_cache_preble,
    vtc_basic,
)
from brickyard.services import settings as services
from brickyard.sidecar.downloads import cache

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import make_crds, make_openapi, make_protobuf  # noqa: E402 - the project's root is not on the path of a script

SETTINGS = (
    up.UpSettings,
    gateway.GatewaySettings,
    gate.GateSettings,
    queueing.QueueSettings,
    waking.WakingSettings,
    workers.WorkerSettings,
    endpoints.EndpointSettings,
    sharing.SharingSettings,
    kvindex.PrefixSettings,
    kvevents.KvEventSettings,
    optimizer.OptimizerSettings,
    prefix_cache.PrefixCacheParameters,
    prefix_cache_preble.PrebleParameters,
    prefix_and_load.PrefixAndLoadParameters,
    vtc_basic.VtcBasicParameters,
    least_tokens.LeastTokensParameters,
    consistent_hash.ConsistentHashParameters,
    controllers.ControllersSettings,
    services.ServicesSettings,
    accounts.AccountSettings,
    apiserver.ApiServerSettings,
    kubelet.KubeletSettings,
    llamacpp.ServerSettings,
    cache.ModelCacheSettings,
)


def settings_page(*, check: bool) -> int:
    """``docs/settings.md`` from the settings classes."""
    page = ROOT / "docs" / "settings.md"
    text = settings.reference(SETTINGS)
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
