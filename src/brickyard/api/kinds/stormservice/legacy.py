"""StormServices as earlier releases wrote them: those forms of RoleSets, in the template, and one of their own.

found                      taken for
updateStrategy.type: ""    none: RollingUpdate
"""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, conversion, resources
from brickyard.api.kinds.roleset import legacy as roleset

_TYPE: Final = ("spec", "updateStrategy", "type")


def convert(obj: resources.Object) -> contract.Converted:
    """``obj`` in today's form."""
    draft = conversion.Draft(obj)
    if draft.at(*_TYPE) == "":
        draft.drop(_TYPE)
        draft.warn("spec.updateStrategy.type is empty and taken for RollingUpdate; write that or leave it out")
    draft.drop_empty_annotations(("spec", "template", "metadata"))
    roleset.convert_spec(draft, ("spec", "template", "spec"))
    return draft.done()
