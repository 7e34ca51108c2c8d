"""Figures against definitions, brute force, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from pipelines.evaluation import metrics


def drawn(seed: int, n: int = 200, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=[0.7, 0.2, 0.08, 0.02])
    stated = np.where(rng.random(n) < 0.7, truth, rng.integers(-1, k, n))
    return truth, stated


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_per_class_figures_are_scikit_learns(seed: int) -> None:
    truth, stated = drawn(seed)
    figures = metrics.per_class(metrics.confusion(truth, stated, 4))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, stated, labels=range(4), zero_division=np.nan
    )
    tested = support > 0
    assert figures.precision == pytest.approx(precision, nan_ok=True)
    assert figures.recall[tested] == pytest.approx(recall[tested])
    assert figures.f1[tested] == pytest.approx(np.nan_to_num(f1[tested]))
    assert (figures.support == support).all()
    # as flags, the same statements give the same figures
    flags = metrics.per_class_of_flags(np.eye(4, dtype=np.uint8)[truth], np.eye(5, dtype=np.uint8)[stated][:, :4])
    assert flags.f1 == pytest.approx(figures.f1, nan_ok=True)


def test_a_refused_patch_is_missed_and_accuses_no_class() -> None:
    matrix = metrics.confusion(np.array([0, 0, 1]), np.array([0, -1, 1]), 2)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0]]
    figures = metrics.per_class(matrix)
    assert figures.recall.tolist() == [0.5, 1]
    assert figures.precision.tolist() == [1, 1]


def test_macro_f1_leaves_untested_classes_out_but_not_unfound_ones() -> None:
    truth, stated = np.array([0, 0, 1]), np.array([0, 0, 0])
    assert metrics.macro_f1(metrics.confusion(truth, stated, 3)) == pytest.approx(
        f1_score(truth, stated, average="macro")
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_auroc_is_scikit_learns_with_ties(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    known, strange = rng.normal(0, 1, 60), rng.normal(0.7, 1, 25)
    if ties:
        known, strange = known.round(), strange.round()
    expected = roc_auc_score([0] * 60 + [1] * 25, np.concatenate([known, strange]))
    assert metrics.auroc(known, strange) == pytest.approx(expected)


def test_fpr_at_95_counts_strangers_below_the_95_percent_line() -> None:
    known = np.arange(100.0)
    assert metrics.fpr_at_95(known, np.array([0.0, 50, 94, 95, 200])) == pytest.approx(0.6)


def test_oscr_is_auroc_where_all_labels_are_right_and_falls_with_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    known, strange = rng.normal(0, 1, 300), rng.normal(1, 1, 200)
    right = np.ones(300, bool)
    assert metrics.oscr(known, right, strange) == pytest.approx(metrics.auroc(known, strange), abs=0.01)
    right[:150] = False
    assert metrics.oscr(known, right, strange) == pytest.approx(metrics.auroc(known, strange) / 2, abs=0.03)


def test_calibration_error_of_an_honest_and_of_a_boasting_model() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 20_000)
    right = rng.random(20_000) < confidence
    assert metrics.calibration_error(confidence, right) < 0.02
    assert metrics.calibration_error(np.full(1000, 0.99), np.arange(1000) < 600) == pytest.approx(0.39)


def test_intervals_over_lots_are_wider_than_over_wafers() -> None:
    rng = np.random.default_rng(0)
    lots = np.repeat(np.arange(20), 50).astype(str)
    good = rng.random(20) < 0.7  # a lot is understood or it is not
    truth = np.eye(2, dtype=np.uint8)[np.tile([0, 1], 500)]
    stated = np.where(good[np.repeat(np.arange(20), 50), None], truth, 1 - truth).astype(np.uint8)
    by_lot = metrics.bootstrap_over_groups(truth, stated, lots, draws=300)
    by_wafer = metrics.bootstrap_over_groups(truth, stated, np.arange(1000).astype(str), draws=300)
    assert by_lot.macro_f1.value == by_wafer.macro_f1.value
    assert by_lot.macro_f1.low < by_lot.macro_f1.value < by_lot.macro_f1.high
    width = by_lot.macro_f1.high - by_lot.macro_f1.low
    assert width > 4 * (by_wafer.macro_f1.high - by_wafer.macro_f1.low)
    for edges in (by_lot.precision, by_lot.recall, by_lot.f1):
        assert (edges[0] < edges[1]).all()


def test_empty_sides_have_no_figure() -> None:
    nothing = np.empty(0)
    assert np.isnan(metrics.auroc(nothing, np.ones(3)))
    assert np.isnan(metrics.fpr_at_95(np.ones(3), nothing))
    assert np.isnan(metrics.mean_of(nothing))


def test_average_precision_as_scikit_learn_has_it() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    known, strange = np.round(rng.normal(size=300), 1), np.round(rng.normal(0.7, 1, 80), 1)  # with ties
    truth = np.repeat([0, 1], [300, 80])
    expected = average_precision_score(truth, np.concatenate([known, strange]))
    assert metrics.aupr(known, strange) == pytest.approx(expected)
    assert np.isnan(metrics.aupr(known, strange[:0]))
