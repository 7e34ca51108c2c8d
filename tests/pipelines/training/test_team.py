"""Several processes take the step that one would take with the whole batch."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import nn

from models.domain.errors import ConfigurationError
from pipelines.training.team import ALONE, Team
from pipelines.training.train import Trained, train


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def gradients(made: nn.Module, rows: torch.Tensor) -> list[torch.Tensor]:
    made.zero_grad()
    made(rows).square().sum(1).mean().backward()
    return [weight.grad for weight in made.parameters() if weight.grad is not None]


def batch() -> torch.Tensor:
    return torch.arange(24, dtype=torch.float32).reshape(8, 3) / 24


def member(rank: int, port: int, check: Callable[[Team], None]) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        check(Team(rank, 2))
    finally:
        dist.destroy_process_group()


def averages(team: Team) -> None:
    made = network()
    gradients(made, team.share(batch()))
    team.average_gradients(made)
    found = [weight.grad for weight in made.parameters()]
    for mine, whole in zip(found, gradients(network(), batch()), strict=True):
        torch.testing.assert_close(mine, whole)


def agrees(team: Team) -> None:
    assert team.agree(("epoch", team.rank)) == ("epoch", 0)
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(float(team.rank))
    team.share_statistics(norm)
    assert norm.running_mean.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("check", [averages, agrees])
def test_two_members(check: Callable[[Team], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    multiprocessing.spawn(member, (port, check), nprocs=2)


def test_alone_nothing_is_sent() -> None:
    made = network()
    before = [gradient.clone() for gradient in gradients(made, batch())]
    ALONE.average_gradients(made)
    ALONE.share_statistics(made)
    assert all(torch.equal(one, weight.grad) for one, weight in zip(before, made.parameters(), strict=True))
    assert ALONE.agree(3) == 3
    assert torch.equal(ALONE.share(batch()), batch())


def test_shares_are_the_batch_and_must_be_even() -> None:
    rows = torch.arange(6)
    assert sorted(torch.cat([Team(rank, 3).share(rows) for rank in range(3)]).tolist()) == rows.tolist()
    Team(0, 3).check(6)
    with pytest.raises(ConfigurationError, match="multiple of 4 workers"):
        Team(0, 4).check(6)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_two_workers_of_ray_train_make_a_bundle_as_good(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    together = train(trained.manifest.recipe, dataset, tmp_path / "out", workers=2)
    assert together.report.forced_macro_f1 > trained.report.forced_macro_f1 - 0.1
    assert not (tmp_path / "out" / "checkpoint.pt").exists()
