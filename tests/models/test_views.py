"""Views: the eight symmetries, merging, and looking more often only where it is needed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cutoff import choose_cutoff, replay
from models.domain.errors import ConfigurationError
from models.network import Outputs
from models.views import SYMMETRIES, Looking, believe, calibrated, margin, merge_views, see, unsee

PICTURE = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


def test_the_eight_views_are_all_different() -> None:
    seen = {tuple(see(PICTURE, view).flatten().tolist()) for view in SYMMETRIES}
    assert len(SYMMETRIES) == len(seen) == 8


def test_names_mean_what_they_say() -> None:
    picture = torch.tensor([[1, 2], [3, 4]])
    assert see(picture, "identity").tolist() == [[1, 2], [3, 4]]
    assert see(picture, "rot90").tolist() == [[2, 4], [1, 3]]
    assert see(picture, "flip").tolist() == [[2, 1], [4, 3]]
    assert see(picture, "flip_rot180").tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("view", SYMMETRIES)
def test_a_map_of_a_view_can_be_laid_back(view: str) -> None:
    oblong = torch.arange(15).reshape(1, 3, 5)
    assert torch.equal(unsee(see(oblong, view), view), oblong)  # type: ignore[arg-type]


def test_views_form_a_group() -> None:
    """One view of another is again one of the eight."""
    all_seen = {tuple(see(PICTURE, view).flatten().tolist()) for view in SYMMETRIES}
    for first in SYMMETRIES:
        for second in SYMMETRIES:
            assert tuple(see(see(PICTURE, first), second).flatten().tolist()) in all_seen


def test_no_such_view() -> None:
    with pytest.raises(ConfigurationError, match="no such view"):
        see(PICTURE, "upside_down")  # type: ignore[arg-type]


LOGITS = torch.tensor([[[4.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]])
"""One sure view for class 0, two lukewarm ones for class 1."""


def test_average_and_vote_may_differ() -> None:
    assert merge_views(LOGITS, "posteriors").argmax().item() == 0
    assert merge_views(LOGITS, "logits").argmax().item() == 0
    assert merge_views(LOGITS, "votes").argmax().item() == 1


def test_a_tied_vote_goes_to_the_likelier_class() -> None:
    merged = merge_views(LOGITS[:2], "votes")
    assert merged.argmax().item() == 0
    assert merged.min() > 0


@pytest.mark.parametrize("merge", ["posteriors", "logits", "votes"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_merging_gives_probabilities_whatever_the_order(merge: str, exclusive: bool) -> None:
    logits = torch.randn(8, 5, 4, generator=torch.Generator().manual_seed(1)) * 5
    merged = merge_views(logits, merge, exclusive=exclusive)  # type: ignore[arg-type]
    assert merged.shape == (5, 4)
    assert ((merged >= 0) & (merged <= 1)).all()
    if exclusive:
        torch.testing.assert_close(merged.sum(-1), torch.ones(5))
    torch.testing.assert_close(merge_views(logits.flip(0), merge, exclusive=exclusive), merged)  # type: ignore[arg-type]


def test_one_view_is_the_plain_belief() -> None:
    logits = torch.randn(1, 5, 4)
    torch.testing.assert_close(merge_views(logits, "posteriors"), logits[0].softmax(-1))
    torch.testing.assert_close(merge_views(logits, "logits", exclusive=False), logits[0].sigmoid())


def test_temperature_divides_logits() -> None:
    logits = torch.randn(6, 4) * 3
    torch.testing.assert_close(calibrated(logits.softmax(-1), 2.5), (logits / 2.5).softmax(-1))
    torch.testing.assert_close(calibrated(logits.sigmoid(), 2.5, exclusive=False), (logits / 2.5).sigmoid())


def test_a_certain_belief_survives_any_temperature() -> None:
    certain = torch.tensor([[1.0, 0.0]])
    assert torch.isfinite(calibrated(certain, 0.01)).all()
    assert torch.isfinite(calibrated(certain, 0.01, exclusive=False)).all()


def test_margin_is_the_lead() -> None:
    torch.testing.assert_close(margin(torch.tensor([[0.2, 0.7, 0.1]])), torch.tensor([0.5]))
    torch.testing.assert_close(margin(torch.tensor([[0.2, 0.9]]), exclusive=False), torch.tensor([0.6]))
    assert margin(torch.tensor([[1.0]])).item() == 1


class Counting:
    """A network that counts what it looks at; its logits are the mean of each quarter of the picture."""

    def __init__(self) -> None:
        self.looked = 0

    def __call__(self, inputs: torch.Tensor) -> Outputs:
        self.looked += len(inputs)
        quarters = torch.nn.functional.adaptive_avg_pool2d(inputs, 2).flatten(1)
        return Outputs(quarters, 2 * quarters)


def pictures(count: int = 20) -> torch.Tensor:
    return torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(3)) * 4


def test_all_views_are_taken_without_a_cutoff() -> None:
    network = Counting()
    belief = believe(network, pictures(), Looking(SYMMETRIES))
    assert network.looked == 20 * 8
    assert belief.views.tolist() == [8] * 20
    # every quarter comes to lie everywhere twice, so their mean is all that is left
    torch.testing.assert_close(belief.logits, pictures().mean((1, 2, 3))[:, None].expand(-1, 4))
    torch.testing.assert_close(belief.embeddings, 2 * belief.logits)


@pytest.mark.parametrize("cutoff", [0.0, 0.3, 0.9, 1.0])
def test_a_cutoff_saves_looks_where_the_first_views_are_sure(cutoff: float) -> None:
    network, inputs = Counting(), pictures()
    belief = believe(network, inputs, Looking(SYMMETRIES, cutoff=cutoff))
    assert network.looked == belief.views.sum().item()
    assert set(belief.views.tolist()) <= {1, 2, 4, 8}
    for row, count in enumerate(belief.views.tolist()):
        alone = believe(Counting(), inputs[row : row + 1], Looking(SYMMETRIES[:count]))
        torch.testing.assert_close(belief.probabilities[row], alone.probabilities[0])
        torch.testing.assert_close(belief.embeddings[row], alone.embeddings[0])
        # the bar is lowered by the variance of the mean of `count` out of eight views
        bar = cutoff * (8 - count) / (count * 7)
        assert margin(alone.probabilities).item() >= bar - 1e-6
    if cutoff == 0:
        assert network.looked == len(inputs)
    elif cutoff < 1:
        assert len(inputs) < network.looked < 8 * len(inputs)


def test_three_views_are_asked_for_in_stages_too() -> None:
    belief = believe(Counting(), pictures(), Looking(SYMMETRIES[:3], cutoff=1.0))
    assert set(belief.views.tolist()) <= {1, 2, 3}
    assert 3 in belief.views.tolist()


def noisy(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of 8 views (8, N, 3) that agree on the truth only on average."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 3, (count,), generator=generator)
    signal = torch.nn.functional.one_hot(truth, 3) * 2.0
    return signal + 1.5 * torch.randn(8, count, 3, generator=generator), truth


def test_the_chosen_cutoff_keeps_the_gain_on_other_data_at_less_cost() -> None:
    choice = choose_cutoff(*noisy(4000, 0))
    assert choice.accuracy_all > choice.accuracy_one + 0.05
    assert choice.recovered >= 0.95
    assert choice.kept >= 0.9
    logits, truth = noisy(4000, 1)
    belief = replay(logits, "posteriors", choice.cutoff)
    one = (logits[0].argmax(-1) == truth).float().mean()
    everything = (merge_views(logits, "posteriors").argmax(-1) == truth).float().mean()
    kept = (belief.probabilities.argmax(-1) == truth).float().mean()
    assert (kept - one) / (everything - one) > 0.9
    assert belief.views.float().mean() < 6


@pytest.mark.parametrize("cutoff", [None, 0.05])
@pytest.mark.parametrize("at_once", [2, 7, 30, 1000])
def test_several_views_in_one_pass_say_the_same(cutoff: float | None, at_once: int) -> None:
    passes = []

    def network(inputs: torch.Tensor) -> Outputs:
        passes.append(len(inputs))
        return Counting()(inputs)

    looking, inputs = Looking(SYMMETRIES, cutoff=cutoff), pictures(3)
    alone, together = believe(Counting(), inputs, looking), believe(network, inputs, looking, at_once)
    for part in ("logits", "probabilities", "embeddings", "views"):
        torch.testing.assert_close(getattr(together, part), getattr(alone, part))
    assert max(passes) <= max(at_once, len(inputs))
    assert sum(passes) == alone.views.sum()
    if cutoff is None:
        assert len(passes) == -(-8 // max(1, at_once // 3))


def test_one_view_is_enough_where_more_do_not_help() -> None:
    logits, truth = noisy(200, 0)
    same = logits[:1].expand(8, -1, -1)
    choice = choose_cutoff(same, truth)
    assert (choice.cutoff, choice.views, choice.kept, choice.recovered) == (0.0, 1.0, 1.0, 1.0)


def test_rare_samples_may_count_more() -> None:
    logits, truth = noisy(500, 0)
    weights = (truth == 0).float()
    choice = choose_cutoff(logits, truth, weights=weights)
    assert choice.accuracy_one == pytest.approx((logits[0].argmax(-1) == truth)[truth == 0].float().mean().item())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 6), st.floats(0, 1))
def test_replay_never_takes_more_views_than_there_are(views: int, count: int, cutoff: float) -> None:
    logits = torch.randn(views, count, 3)
    belief = replay(logits, "posteriors", cutoff)
    assert belief.views.max() <= views
    assert belief.probabilities.shape == (count, 3)
