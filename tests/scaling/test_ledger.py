"""Which test proves which row of the tables of autoscaling: each one named here exists, and each row has one.

The rows are AIBrix' behaviour (K, A: formulas; SC: schedules; MW: metrics and windows; PA: validation, settings, conditions, conflicts;
H: the HorizontalPodAutoscaler; W: targets). A test that is renamed or taken away without another in its place is missed here.
"""

import ast
import functools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

ACCEPTANCE = "scaling/test_acceptance.py"
ROWS = "scaling/algorithms/test_rows.py"
DECIDE = "scaling/test_decide.py"
WINDOWS = "scaling/test_windows.py"
SCHEDULE = "scaling/test_schedule.py"
SETTINGS = "scaling/test_settings.py"
RULES = "api/kinds/podautoscaler/test_admission.py"
HOURS = "api/kinds/podautoscaler/test_schedules.py"
RECONCILER = "controllers/podautoscaler/test_reconciler.py"
VALIDITY = "controllers/podautoscaler/test_validity.py"
CONFLICTS = "controllers/podautoscaler/test_conflicts.py"
HPA = "controllers/podautoscaler/test_hpa.py"
TARGETS = "controllers/podautoscaler/test_targets.py"
PAGES = "controllers/podautoscaler/sources/test_podpages.py"
APIS = "controllers/podautoscaler/sources/test_metricsapis.py"

LEDGER: dict[str, tuple[str, ...]] = {
    **{f"K{n}": (f"{ROWS}::TestKpa::test_rows", f"{ACCEPTANCE}::TestKpa::test_row") for n in (1, 2, 4, 5, 6, 7)},
    "K3": (f"{ACCEPTANCE}::TestKpa::test_k3_a_peak_of_five_is_kept", f"{DECIDE}::TestRows::test_k3_the_peak_is_kept"),
    **{f"A{n}": (f"{ROWS}::TestApa::test_rows", f"{ACCEPTANCE}::TestApa::test_row") for n in range(1, 11)},
    "A11": (
        f"{ROWS}::TestApa::test_rows",
        f"{ACCEPTANCE}::TestApa::test_a11_without_a_usable_target_nothing_moves",
    ),
    "A12": (f"{ACCEPTANCE}::TestApa::test_a12_the_largest_wins",),
    "A13": (f"{ACCEPTANCE}::TestApa::test_a13_a_value_that_never_changes",),
    "SC1": (f"{ACCEPTANCE}::TestSchedules::test_bounds_that_hold", f"{SCHEDULE}::TestActive::test_sc1_days_and_zone"),
    "SC2": (f"{ACCEPTANCE}::TestSchedules::test_bounds_that_hold", f"{SCHEDULE}::TestActive::test_sc2_half_open"),
    "SC3": (
        f"{HOURS}::TestFaults::test_row",
        f"{ACCEPTANCE}::TestSchedules::test_sc3_what_is_invalid_leaves_the_spec_s_bounds",
        f"{ACCEPTANCE}::TestSchedules::test_sc3_touching_and_absent_ones_are_fine",
    ),
    "SC4": (f"{SCHEDULE}::TestTransition::test_sc4", f"{ACCEPTANCE}::TestSchedules::test_sc4_the_next_edge_is_told"),
    "SC5": (
        f"{ACCEPTANCE}::TestSchedules::test_sc5_from_nothing",
        f"{RECONCILER}::test_sc5_schedules_change_bounds_at_their_edges",
    ),
    "SC6": (f"{HPA}::test_sc6_the_bounds_that_hold_are_its_bounds", f"{ACCEPTANCE}::TestSchedules::test_sc6_all_day"),
    "MW1": (f"{WINDOWS}::TestBuckets::test_mw1_buckets_of_a_minute",),
    "MW2": (f"{WINDOWS}::TestBuckets::test_mw2_mean_and_extremes",),
    # Of its statistics nobody makes use; what is dropped when is of the recommendations.
    "MW3": ("scaling/test_stabilisation.py::TestWindow::test_mw3_exactly_as_old_as_the_window_is_out",),
    "MW4": (
        f"{DECIDE}::TestRows::test_mw4_one_value_of_several_pods",
        f"{ACCEPTANCE}::TestWindows::test_mw4_two_pods_are_one_value",
    ),
    "MW5": (
        f"{WINDOWS}::TestBuckets::test_mw5_two_windows_over_one_series",
        f"{ACCEPTANCE}::TestWindows::test_mw5_windows_of_the_spec",
    ),
    # AIBrix keeps ten windows and reads one; what is kept here is what is read, and no more.
    "MW6": (f"{WINDOWS}::TestMemoryOfIt::test_a_bucket_for_each_second_and_no_more",),
    "MW7": (
        f"{PAGES}::test_the_published_manifests_targets_of_cache_usage",
        f"{APIS}::TestResource::test_cpu_is_in_thousandths_of_a_core_over_all_containers",
        f"{APIS}::TestExternal::test_items_are_added_up_in_the_autoscalers_namespace",
        f"{APIS}::TestExternal::test_what_is_missing",
    ),
    "MW8": (f"{APIS}::TestExternal::test_items_are_added_up_in_the_autoscalers_namespace",),
    "MW9": (
        f"{TARGETS}::test_workloads_are_as_large_as_their_spec_says",
        f"{TARGETS}::test_mw9_of_a_fleet_heads_are_measured",
        f"{TARGETS}::test_mw9_of_groups_of_pods_the_first_is_measured",
        f"{TARGETS}::test_without_a_role_pods_of_single_roles_count_beside_the_first_of_groups",
    ),
    "PA1": (f"{RULES}::TestValid::test_is_accepted", f"{ACCEPTANCE}::TestValidation::test_accepted_and_readable"),
    "PA2": (f"{ACCEPTANCE}::TestValidation::test_accepted_and_readable", f"{VALIDITY}::test_reasons"),
    "PA3": (
        f"{ACCEPTANCE}::TestValidation::test_accepted_and_readable",
        f"{ACCEPTANCE}::TestValidation::test_refused_and_harmless",
        f"{VALIDITY}::test_reasons",
    ),
    "PA4": (f"{ACCEPTANCE}::TestValidation::test_refused_and_harmless", f"{RULES}::TestSources::test_row"),
    "PA5": (f"{ACCEPTANCE}::TestValidation::test_refused_and_harmless", f"{VALIDITY}::test_reasons"),
    "PA6": (f"{VALIDITY}::test_reasons", f"{ACCEPTANCE}::TestValidation::test_accepted_and_readable"),
    "PA7": (
        f"{VALIDITY}::test_reasons",
        f"{RECONCILER}::test_pa7_a_spec_that_cannot_be_worked_with_is_told_and_nothing_done",
    ),
    "PA8": (f"{RECONCILER}::test_pa8_a_target_that_is_not_there_is_told_and_met_when_it_comes",),
    "PA9": (
        f"{SETTINGS}::TestMetrics::test_pa9_a_bad_target_leaves_its_metric_out",
        f"{ACCEPTANCE}::TestValidation::test_pa9_three_sources",
    ),
    "PA10": (
        f"{SETTINGS}::TestAnnotations::test_pa10_all_at_once",
        f"{ACCEPTANCE}::TestValidation::test_pa10_every_annotation",
    ),
    "PA11": (f"{RECONCILER}::test_pa11_a_quiet_autoscaler_has_its_conditions",),
    "PA12": (f"{RECONCILER}::test_pa12_the_second_on_one_target_waits_for_the_first_to_go",),
    "PA13": (f"{CONFLICTS}::test_parts_of_one_service",),
    "PA14": (
        f"{RECONCILER}::test_pa14_a_changed_spec_is_looked_at_at_once_and_history_has_five_entries",
        f"{RECONCILER}::test_a_burst_of_edits_ends_with_the_last",
        f"{HPA}::test_h2_it_is_made_kept_and_follows",
    ),
    "H1": (f"{HPA}::test_h1_metrics_in_order_behaviour_and_owner",),
    "H2": (f"{HPA}::test_h2_it_is_made_kept_and_follows", "embedded/apiserver/test_background.py::"),
    "H3": (f"{HPA}::test_h3_the_least_is_one",),
    "H4": (f"{HPA}::test_h4_a_stormservice_as_a_whole",),
    "H5": (f"{HPA}::test_h5_cooldowns_and_rates_are_its_behaviour",),
    "W1": (
        f"{TARGETS}::test_workloads_are_as_large_as_their_spec_says",
        f"{TARGETS}::test_w1_a_role_is_as_large_as_the_template_says",
        f"{TARGETS}::test_w1_in_mode_replica_the_service_is_measured_by_its_role",
    ),
    "W2": (
        f"{RECONCILER}::test_w2_a_role_alone_is_scaled_in_the_template",
        f"{RECONCILER}::test_w2_in_mode_replica_the_service_is_scaled",
        "controllers/podautoscaler/test_actuator.py::test_a_scale_is_replaced_and_nothing_else",
    ),
    "W3": (f"{RECONCILER}::test_what_is_gone_leaves_nothing_behind",),
}

COUNTS = {"K": 7, "A": 13, "SC": 6, "MW": 9, "PA": 14, "H": 5, "W": 3}


@functools.cache
def names(path: str) -> frozenset[str]:
    """Of a file: ``function`` and ``Class::function``; "" stands for the file."""
    found = {""}
    for node in ast.parse((ROOT / path).read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in inside:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(f"{node.name}::{each.name}" if isinstance(node, ast.ClassDef) else each.name)
    return frozenset(found)


@pytest.mark.parametrize("row", LEDGER)
def test_its_tests_are_there(row: str) -> None:
    for each in LEDGER[row]:
        path, _, name = each.partition("::")
        assert name in names(path), f"{row} is to be proved by {each}, which is not there"


def test_every_row_has_one() -> None:
    assert set(LEDGER) == {f"{kind}{n}" for kind, count in COUNTS.items() for n in range(1, count + 1)}
    assert all(LEDGER.values())
