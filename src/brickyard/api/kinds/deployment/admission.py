"""A Deployment that asks for the runtime sidecar gets it."""

from __future__ import annotations

from brickyard.api import names
from brickyard.api.kinds import contract, resources, shapes, sidecar


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def default(self, obj: resources.Object) -> resources.Object:
        if shapes.annotation(obj, names.SIDECAR_INJECTION) != "true":
            return obj
        template = shapes.at(obj, "spec", "template")
        image, engine = shapes.annotation(obj, names.SIDECAR_RUNTIME_IMAGE), shapes.annotation(obj, names.MODEL_ENGINE)
        shaped = sidecar.injected(template, image, engine)
        return obj if shaped is template else shapes.placed(obj, ("spec", "template"), shaped)
