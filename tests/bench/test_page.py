import re
from xml.etree import ElementTree

from bench import page


def widths(svg: str) -> list[float]:
    return [float(found) for found in re.findall(r'width="([\d.]+)" height', svg)]


def test_bars_are_in_proportion() -> None:
    drawn = page.bars("Cost", [page.Bar("a", 10, "10"), page.Bar("b", 5, "5"), page.Bar("c", 0, "0")])
    first, second, third = widths(drawn)
    assert first == 2 * second
    assert third == 0


def test_logarithmic_bars_keep_the_order_and_show_the_least() -> None:
    found = widths(page.bars("Cost", [page.Bar(str(n), 10.0**n, "") for n in range(4)], logarithmic=True))
    assert found == sorted(found)
    assert found[0] > 10


def test_what_was_not_measured_is_not_drawn() -> None:
    assert len(widths(page.bars("Cost", [page.Bar("a", float("nan"), ""), page.Bar("b", 1, "1")]))) == 1
    assert widths(page.bars("Nothing", [])) == []


def test_a_page_is_well_formed_and_escapes_what_it_is_told() -> None:
    parts = [page.bars("a < b & c", [page.Bar("<x>", 1, "1")]), page.table(["h"], [["<y>"]], "<y>"), page.note("&")]
    text = page.document("<t>", [("<s>", parts)], "where")
    assert "<x>" not in text
    assert "<y>" not in text
    ElementTree.fromstring(parts[0])
    assert '<tr class="ours">' in text
