"""``/v1/responses``."""

from __future__ import annotations

from brickyard.gateway.dialects import contract, fields


class Responses:
    """A text or a list of items to answer. Its stream tells what it used by itself."""

    path = "/v1/responses"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.meaning(document, body, b'"input"')
        given = document.get("input")
        if type(given) is not str and type(given) is not list:
            raise fields.refused(f"input {fields.problem(given, 'a string or a list')}: send what to answer", "input")
        if given == []:
            raise fields.refused("input is an empty list: send at least one item", "input")
        if type(given) is list:
            _check_items(given)
        meaning.tells_usage = True
        meaning.generates = True
        return meaning


def _check_items(items: list[object]) -> None:
    for index, item in enumerate(items):
        if type(item) is not dict:
            raise fields.refused(f"input[{index}] must be an object, not {fields.kind(item)}", f"input[{index}]")
