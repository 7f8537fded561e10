import pytest

from bench import gateway, systems


def sample(cpu: float | None, p50: float = 1.0, resident: float = 10.0, errors: int = 0) -> gateway.Sample:
    return gateway.Sample(cpu, 100.0, p50, 2 * p50, resident, errors)


FOUND = {systems.DIRECT: sample(None, 0.5), systems.OURS: sample(50.0, 0.8), "smg": sample(100.0, 1.5)}


def test_the_median_of_rounds_hides_no_error_and_no_memory() -> None:
    made = gateway.median([sample(10.0, errors=1), sample(90.0, resident=99.0, errors=2), sample(20.0)])
    assert (made.cpu, made.errors, made.resident) == (20.0, 3, 99.0)
    assert gateway.median([sample(None)]).cpu is None


@pytest.mark.parametrize("case", gateway.CASES)
def test_rows_have_a_cell_for_each_column(case: gateway.Case) -> None:
    drawn = gateway.rows(case, FOUND)
    assert {len(row) for row in drawn} == {len(gateway.heads(case))}
    assert drawn[0][1] == ""
    assert [row[2] for row in drawn] == ["", "1.00", "0.50"]


def test_what_a_proxy_adds_is_shown_at_a_fixed_rate_alone() -> None:
    (paced,) = [case for case in gateway.CASES if case.rate]
    column = gateway.heads(paced).index("added p50 ms")
    assert [row[column] for row in gateway.rows(paced, FOUND)] == ["0.00", "0.30", "1.00"]
    assert all("added p50 ms" not in gateway.heads(case) for case in gateway.CASES if not case.rate)


def test_a_section_draws_proxies_costs_and_everybodys_waits() -> None:
    _, parts = gateway.section(gateway.CASES[0], FOUND)
    assert [part.count("<rect") for part in parts[:3]] == [2, 2, 3]
