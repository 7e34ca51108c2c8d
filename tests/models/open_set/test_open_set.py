"""Novelty scores: formulas against plain ones, higher is stranger, and the way through a bundle and back."""

from typing import get_args

import numpy as np
import pytest
import safetensors.numpy
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.neighbors import NearestNeighbors

from models.conformal import tail_p_values
from models.domain.errors import ConfigurationError
from models.open_set import Contrast, Head, Known, NoveltyScore, Seen, arrays_of, fit, restore, some_of_each
from models.open_set.fitting import fit_drawn_strangers, fit_mahalanobis, fit_mixture, fit_vim
from models.open_set.of_logits import energy, max_logit, max_probability
from models.recipe import OpenSetRecipe, ScoreName

CLASSES, DIMENSIONS = 4, 12
FEATURE_SCORES = ("mahalanobis", "relative_mahalanobis", "gaussian_mixture", "neighbours", "vim")


def head() -> Head:
    generator = torch.Generator().manual_seed(0)
    return Head(torch.randn(CLASSES, DIMENSIONS, generator=generator), torch.randn(CLASSES, generator=generator))


def known(count: int = 400, seed: int = 1) -> Known:
    """Clouds around four corners of a low-dimensional space."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    corners = torch.randn(CLASSES, DIMENSIONS, generator=torch.Generator().manual_seed(0)) * 4
    embeddings = corners[labels] + torch.randn(count, DIMENSIONS, generator=generator) * 0.7
    return Known(embeddings @ head().weight.T + head().bias, embeddings, labels, traits=embeddings)


def strangers(count: int = 200) -> Known:
    generator = torch.Generator().manual_seed(9)
    embeddings = torch.randn(count, DIMENSIONS, generator=generator) * 4 + 3
    labels = torch.zeros(count, dtype=torch.int64)
    return Known(embeddings @ head().weight.T + head().bias, embeddings, labels, traits=embeddings)


def contrast() -> Contrast:
    """Known ones, and strangers that are not those of the tests."""
    return Contrast(known().embeddings, known().embeddings.flip(0) + 3)


def recipe(*scores: str, **options: object) -> OpenSetRecipe:
    return OpenSetRecipe.model_validate({"scores": scores, "components": 4, "latent": 8, **options})


def auroc(usual: torch.Tensor, strange: torch.Tensor) -> float:
    return float((strange[:, None] > usual[None, :]).double().mean())


def test_scores_of_logits_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    assert max_probability(logits)[1].item() == pytest.approx(0.5)
    assert energy(logits)[1].item() == pytest.approx(-np.log(2))
    assert max_logit(logits).tolist() == [-2.0, 0.0]


@pytest.mark.parametrize("score", [max_probability, energy, max_logit])
def test_an_unsure_belief_is_stranger(score: object) -> None:
    sure, unsure = score(torch.tensor([[5.0, 0.0, 0.0], [0.1, 0.0, 0.0]]))  # type: ignore[operator]
    assert unsure > sure


@pytest.mark.parametrize("name", FEATURE_SCORES)
def test_strangers_score_higher_than_known_ones(name: str) -> None:
    score = fit(recipe(name), known(), head=head())
    other = known(seed=2)
    usual = score.score(other.seen)
    strange = score.score(strangers().seen)
    assert usual.shape == (400,)
    assert usual.dtype == torch.float32
    assert auroc(usual, strange) > 0.95


def test_mahalanobis_against_scipy() -> None:
    train = known()
    score = fit_mahalanobis(train, relative=False)
    means = np.stack([train.embeddings[train.labels == label].numpy().mean(0) for label in range(CLASSES)])
    within = train.embeddings.numpy() - means[train.labels.numpy()]
    covariance = within.T @ within / len(within)
    covariance += np.eye(DIMENSIONS) * 1e-3 * np.trace(covariance) / DIMENSIONS
    inverse = np.linalg.inv(covariance)
    asked = strangers().embeddings[:20]
    expected = [min(mahalanobis(row, mean, inverse) ** 2 for mean in means) for row in asked.numpy()]
    torch.testing.assert_close(
        score.score(Seen(asked, asked)), torch.tensor(expected, dtype=torch.float32), rtol=1e-3, atol=1e-3
    )
    everything = train.embeddings.numpy() - train.embeddings.numpy().mean(0)
    spread = everything.T @ everything / len(everything)
    spread += np.eye(DIMENSIONS) * 1e-3 * np.trace(spread) / DIMENSIONS
    away = [mahalanobis(row, train.embeddings.numpy().mean(0), np.linalg.inv(spread)) ** 2 for row in asked.numpy()]
    relative = fit_mahalanobis(train, relative=True).score(Seen(asked, asked))
    torch.testing.assert_close(
        relative, torch.tensor(np.array(expected) - np.array(away), dtype=torch.float32), rtol=1e-3, atol=1e-2
    )


def test_mixture_against_sklearn() -> None:
    train, asked = known().embeddings, strangers().embeddings[:20]
    score = fit_mixture(train, components=4, latent=8, seed=0)
    latent = ((train - score.centre) @ score.components).double().numpy()
    np.testing.assert_allclose(latent.std(0), 1, atol=1e-3)
    reference = SklearnMixture(4, reg_covar=1e-3, random_state=0).fit(latent)
    expected = -reference.score_samples(((asked - score.centre) @ score.components).double().numpy())
    np.testing.assert_allclose(score.score(Seen(asked, asked)).numpy(), expected, rtol=1e-3, atol=1e-2)


def test_neighbours_against_sklearn() -> None:
    train, asked = known().embeddings, strangers(3000).embeddings
    score = fit(recipe("neighbours", neighbours=7), known())
    unit = torch.nn.functional.normalize
    search = NearestNeighbors(n_neighbors=7).fit(unit(train, dim=-1).numpy())
    expected = search.kneighbors(unit(asked, dim=-1).numpy())[0][:, -1]
    np.testing.assert_allclose(score.score(Seen(asked, asked)).numpy(), expected, atol=1e-3)


def test_few_examples_have_few_neighbours() -> None:
    few = known(3)
    score = fit(recipe("neighbours", neighbours=10), few)
    assert torch.isfinite(score.score(few.seen)).all()
    assert score.score(Seen(few.logits[:0], few.embeddings[:0])).shape == (0,)


def test_vim_by_its_definition() -> None:
    train = known()
    score = fit_vim(train, head(), latent=5)
    torch.testing.assert_close(head().weight @ score.origin + head().bias, torch.zeros(CLASSES), atol=1e-3, rtol=0)
    assert score.residual.shape == (DIMENSIONS, DIMENSIONS - 5)
    torch.testing.assert_close(score.residual.T @ score.residual, torch.eye(DIMENSIONS - 5), atol=1e-4, rtol=0)
    # the scale makes the mean virtual logit as large as the mean largest logit
    virtual = score.score(train.seen) + train.logits.logsumexp(-1)
    torch.testing.assert_close(virtual.mean(), train.logits.amax(-1).mean(), rtol=1e-3, atol=1e-3)


def test_vim_always_leaves_a_residual() -> None:
    assert fit_vim(known(), head(), latent=1000).residual.shape[1] == DIMENSIONS // 2


def test_vim_needs_the_head() -> None:
    with pytest.raises(ConfigurationError, match="head"):
        fit(recipe("vim"), known())


def test_fusion_is_fishers_sum_of_p_values() -> None:
    held_out = known(seed=5)
    names = ("neighbours", "energy")
    fused = fit(recipe(*names), known(), held_out)
    asked = strangers(7)
    expected = np.zeros(7)
    for name in names:
        single = fit(recipe(name), known())
        calibration = single.score(held_out.seen)
        expected -= 2 * np.log(tail_p_values(single.score(asked.seen).numpy(), calibration.numpy()))
    np.testing.assert_allclose(fused.score(asked.seen).numpy(), expected, rtol=1e-5)


def test_fusion_needs_held_out_windows() -> None:
    with pytest.raises(ConfigurationError, match="held-out"):
        fit(recipe("neighbours", "energy"), known())


@pytest.mark.parametrize("names", [*((name,) for name in get_args(ScoreName)), get_args(ScoreName)])
def test_every_score_survives_a_file(names: tuple[str, ...]) -> None:
    chosen = recipe(*names)
    score: NoveltyScore = fit(chosen, known(), known(seed=5), head(), contrast=contrast())
    arrays = safetensors.numpy.load(safetensors.numpy.save(dict(arrays_of(score))))
    restored = restore(chosen, arrays).to(torch.device("cpu"))
    asked = strangers(50)
    torch.testing.assert_close(restored.score(asked.seen), score.score(asked.seen))


def test_shapes_speak_for_what_lies_where_strangers_were_drawn() -> None:
    score = fit(recipe("traits"), known(), contrast=contrast())
    usual, drawn = (
        score.score(known(seed=2).seen),
        score.score(Seen(known().logits, known().embeddings, contrast().strange)),
    )
    assert auroc(usual, drawn) > 0.9
    assert float(usual.mean()) < 0 < float(drawn.mean())  # log odds


def test_logistic_regression_as_scikit_learn_does_it() -> None:
    from sklearn.linear_model import LogisticRegression

    made = fit_drawn_strangers(contrast(), strength=2.0)
    both = torch.cat([contrast().known, contrast().strange]).double()
    numbers = ((both - both.mean(0)) / (both.std(0) + 1e-3)).clamp(-4, 4).numpy()
    side = np.repeat([0, 1], 400)
    # scikit-learn weighs the ridge against sums, we against means over each side
    plain = LogisticRegression(C=800 / 400 / 2.0, tol=1e-8, max_iter=2000).fit(numbers, side)
    np.testing.assert_allclose(made.weights.numpy(), plain.coef_[0], atol=2e-3)
    np.testing.assert_allclose(made.bias.numpy(), plain.intercept_, atol=2e-3)


def test_shapes_need_strangers_and_whole_wafers() -> None:
    with pytest.raises(ConfigurationError, match="drawn strangers"):
        fit(recipe("traits"), known())
    with pytest.raises(ConfigurationError, match="no traits"):
        fit(recipe("traits"), known(), contrast=contrast()).score(Seen(known().logits, known().embeddings))


def test_arrays_of_another_score_are_refused() -> None:
    arrays = arrays_of(fit(recipe("neighbours"), known()))
    for other in (("vim",), ("mahalanobis", "neighbours"), ("energy", "max_logit")):
        with pytest.raises(ConfigurationError, match="does not fit the recipe"):
            restore(recipe(*other), arrays)


def test_windows_without_a_single_class_suit_only_some_scores() -> None:
    several = Known(known().logits, known().embeddings, torch.full((400,), -1))
    fit(recipe("gaussian_mixture"), several)
    fit(recipe("neighbours"), several)
    with pytest.raises(ConfigurationError, match="one class per window"):
        fit(recipe("relative_mahalanobis"), several)


@pytest.mark.parametrize("name", FEATURE_SCORES)
def test_features_that_never_vary_do_no_harm(name: str) -> None:
    """ReLU networks have dead features; a covariance with zeros must not break or blow up a score."""
    plain = known()
    dead = plain.embeddings.clone()
    dead[:, 6:] = 0
    train = Known(plain.logits, dead, plain.labels)
    score = fit(recipe(name), train, head=head())
    assert torch.isfinite(score.score(train.seen)).all()


def test_what_is_not_finite_is_refused() -> None:
    broken = known().embeddings.clone()
    broken[3, 3] = float("nan")
    with pytest.raises(ConfigurationError, match="finite"):
        Known(known().logits, broken, known().labels)
    with pytest.raises(ConfigurationError, match="at least one"):
        Known(torch.empty(0, 2), torch.empty(0, 2), torch.empty(0))


def test_some_of_each_class() -> None:
    labels = torch.tensor([0] * 100 + [1] * 3 + [2] * 50)
    rows = some_of_each(labels, 10)
    assert torch.bincount(labels[rows]).tolist() == [10, 3, 10]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert not torch.equal(rows, some_of_each(labels, 10, seed=1))


def test_classifying_needs_neither_scikit_learn_nor_torchvision() -> None:
    import subprocess
    import sys
    from pathlib import Path

    code = "import sys, models.classifier; sys.exit(bool({'sklearn', 'torchvision'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
