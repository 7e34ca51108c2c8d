"""The learning rate over the steps."""

import pytest

from models.training_recipe import TrainingRecipe
from pipelines.training.schedule import momentum_at, rate_share


def shares(schedule: str, steps: int = 100, warmup: float = 0.1) -> list[float]:
    recipe = TrainingRecipe.model_validate({"schedule": schedule, "warmup_share": warmup})
    return [rate_share(recipe, step, steps) for step in range(steps)]


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_cycles_rise_to_the_whole_rate_and_fall_to_nothing(schedule: str) -> None:
    rates = shares(schedule)
    peak = rates.index(max(rates))
    assert max(rates) == 1.0
    assert peak in (9, 10)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_constant_stays_after_warming_up() -> None:
    assert set(shares("constant")[10:]) == {1.0}
    assert set(shares("constant", warmup=0)) == {1.0}


def test_plateau_falls_with_every_drop() -> None:
    recipe = TrainingRecipe(schedule="plateau", warmup_share=0)
    assert [rate_share(recipe, 5, 10, drops) for drops in range(3)] == pytest.approx([1, 0.3, 0.09])


def test_momentum_is_low_where_the_rate_is_high() -> None:
    recipe = TrainingRecipe(schedule="one-cycle")
    assert momentum_at(recipe, 1.0) == pytest.approx(0.85)
    assert momentum_at(recipe, 0.0) == pytest.approx(0.95)
    assert momentum_at(TrainingRecipe(schedule="cosine"), 1.0) is None
