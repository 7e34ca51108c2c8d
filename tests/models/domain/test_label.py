"""Two people who agree are believed; one alone, or two who differ, are not yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.label import Agreement, Word, opinion


def words(said: str) -> list[Word]:
    return [Word(*one.split(":")[::-1]) for one in said.split()]


@pytest.mark.parametrize(
    ("said", "name", "supporters", "agreement"),
    [
        ("ada:Ring", "Ring", 1, Agreement.WAITING),
        ("ada:Ring ada:Ring", "Ring", 1, Agreement.WAITING),
        ("ada:Ring bob:Ring", "Ring", 2, Agreement.AGREED),
        ("ada:Ring bob:Donut", "Donut", 1, Agreement.DISPUTED),
        ("ada:Ring bob:Donut cid:Ring", "Ring", 2, Agreement.AGREED),
        ("ada:Ring bob:Donut bob:Ring", "Ring", 2, Agreement.AGREED),
        ("ada:Ring bob:Ring cid:Donut eve:Donut", "Donut", 2, Agreement.DISPUTED),
    ],
)
def test_who_said_what_decides(said: str, name: str, supporters: int, agreement: Agreement) -> None:
    found = opinion(words(said))
    assert found is not None
    assert (found.name, found.supporters, found.agreement) == (name, supporters, agreement)


def test_nobody_said_anything() -> None:
    assert opinion([]) is None


def test_where_one_person_suffices_one_is_enough() -> None:
    found = opinion(words("ada:Ring"), needed=1)
    assert found is not None
    assert found.agreement is Agreement.AGREED


@given(st.lists(st.builds(Word, st.sampled_from("abc"), st.sampled_from(["ada", "bob", "cid", "eve"])), min_size=1))
def test_agreement_needs_two_people_and_more_than_half(said: list[Word]) -> None:
    newest = {word.author: word.name for word in said}
    found = opinion(said)
    assert found is not None
    assert found.people == len(newest)
    assert found.supporters == sum(name == found.name for name in newest.values())
    assert found.supporters == max(sum(name == other for other in newest.values()) for name in newest.values())
    agreed = found.supporters >= 2 and found.supporters > len(newest) / 2
    assert (found.agreement is Agreement.AGREED) == agreed
