"""Exact duplicates and conflicting labels."""

from pipelines.dataset.duplicates import find_duplicates


def test_first_of_equal_content_is_kept() -> None:
    found = find_duplicates(["a", "b", "a", "c"], [("x",), ("x",), ("x",), ("y",)])
    assert found.kept == (0, 1, 3)
    assert found.repeated == 1
    assert found.conflicts == ()


def test_content_with_two_labels_is_left_out_and_named() -> None:
    found = find_duplicates(["a", "b", "a"], [("x",), ("x",), ("y",)])
    assert found.kept == (1,)
    assert found.conflicts == ((0, 2),)


def test_order_of_several_labels_is_no_conflict() -> None:
    assert find_duplicates(["a", "a"], [("x", "y"), ("y", "x")]).conflicts == ()
