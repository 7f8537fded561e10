"""Reviews: questions that are posted and answered at once."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, reviews
from brickyard.embedded.apiserver.admission import kind


def _review(found: resources.ResourceType, answer: contract.Reviewer) -> contract.Resource:
    admission = kind.KindAdmission(found, judge=reviews.judge, name_rule=None)
    return contract.Resource(found, found.kind.lower(), admission, review=answer)


ALL: tuple[contract.Resource, ...] = (
    _review(resources.SELF_SUBJECT_REVIEW, reviews.who_am_i),
    _review(resources.TOKEN_REVIEW, reviews.token),
    _review(resources.LOCAL_SUBJECT_ACCESS_REVIEW, reviews.access),
    _review(resources.SELF_SUBJECT_ACCESS_REVIEW, reviews.access),
    _review(resources.SELF_SUBJECT_RULES_REVIEW, reviews.rules),
    _review(resources.SUBJECT_ACCESS_REVIEW, reviews.access),
)
