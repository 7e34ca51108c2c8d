"""The routing file: what it may hold, whom its rules fit, and which way each capture goes."""

from pathlib import Path
from typing import Any

import pytest

from models.domain.errors import ConfigurationError
from services.routing.lane import Lane, lane_of
from services.routing.routing import Routing, Source
from tests.services.making import capture

CONTENT: dict[str, Any] = {
    "routes": {
        "champion": {"alias": "champion"},
        "memory": {"model": "memory", "alias": "champion"},
        "candidate": {"digest": "c" * 64, "version": "8"},
    },
    "rules": [
        {"name": "memory", "when": {"product": ["DRAM-*", "NAND-*"], "step": "ETCH*"}, "route": "memory"},
        {
            "name": "all",
            "route": "champion",
            "canary": {"route": "candidate", "share": 0.2, "tools": ["SP5-*"]},
            "shadow": {"route": "candidate"},
        },
    ],
}
ROUTING = Routing.parse(CONTENT, "test")


def changed(**parts: Any) -> dict[str, Any]:
    return {**CONTENT, **parts}


@pytest.mark.parametrize(
    ("provenance", "rule"),
    [
        ({"product": "DRAM-7", "step": "ETCH2"}, "memory"),
        ({"product": "NAND-1", "step": "ETCH"}, "memory"),
        ({"product": "DRAM-7", "step": "CMP"}, "all"),
        ({"product": "LOGIC", "step": "ETCH2"}, "all"),
        ({"product": None, "step": "ETCH2"}, "all"),
    ],
)
def test_the_first_rule_that_fits_decides(provenance: dict[str, Any], rule: str) -> None:
    assert ROUTING.rule_for(capture(**provenance)).name == rule


def test_a_canary_gets_its_share_and_its_tools_the_same_ones_every_time() -> None:
    captures = [capture(f"wafer {number}", tool="T1") for number in range(4000)]
    lanes = [lane_of(ROUTING, one) for one in captures]
    chosen = [lane.is_canary for lane in lanes]
    assert 0.17 < sum(chosen) / len(chosen) < 0.23  # four standard deviations
    assert lanes == [lane_of(ROUTING, one) for one in captures]
    assert {lane.route for lane in lanes if lane.is_canary} == {"candidate"}
    assert all(lane_of(ROUTING, capture(f"wafer {n}", tool="SP5-02")).is_canary for n in range(50))


def test_nobody_shadows_itself_and_a_canary_can_be_taken_back() -> None:
    on_trial = lane_of(ROUTING, capture(tool="SP5-02"))
    assert on_trial == Lane("all", "candidate", fallback="champion", shadow=None)
    assert on_trial.taken_back() == Lane("all", "champion")
    plain = lane_of(ROUTING.without_canary("all"), capture(tool="SP5-02"))
    assert plain == Lane("all", "champion", shadow="candidate")


def test_canaries_one_after_the_other_draw_other_captures() -> None:
    other = Routing.parse(
        changed(
            routes={**CONTENT["routes"], "next": {"alias": "next"}},
            rules=[{"name": "all", "route": "champion", "canary": {"route": "next", "share": 0.2}}],
        ),
        "test",
    )
    captures = [capture(f"wafer {number}", tool="T1") for number in range(2000)]
    both = sum(lane_of(ROUTING, one).is_canary and lane_of(other, one).is_canary for one in captures)
    assert both < 0.08 * len(captures)  # 4 % if independent, 20 % if the same


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed(rules=[]), "rules"),
        (changed(rules=[{"name": "all", "route": "champoin"}]), "champoin"),
        (changed(rules=[{"name": "a", "when": {"tool": "T1"}, "route": "memory"}]), "every capture"),
        (changed(rules=[{"name": "all", "route": "memory"}] * 2), "repeat"),
        (changed(rules=[{"name": "all", "route": "memory", "canary": {"route": "candidate"}}]), "share or tools"),
        (changed(rules=[{"name": "all", "route": "memory", "canary": {"route": "memory", "share": 0.1}}]), "own route"),
        (changed(rules=[{"name": "all", "route": "memory", "canary": {"route": "candidate", "share": 5}}]), "share"),
        (changed(rules=[{"name": "all", "route": "memory", "colour": "red"}]), "colour"),
        (changed(routes={"../x": {"alias": "champion"}}), "routes"),
        (changed(routes={"memory": {}}), "one of alias, folder or digest"),
        (changed(format=2), "format"),
        ("champion", "routing"),
    ],
    ids=str,
)
def test_a_wrong_file_says_which_key(content: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Routing.parse(content, "routing.yaml")
    assert says in str(caught.value)
    assert "route schema" in str(caught.value)


def test_it_survives_its_way_through_the_database() -> None:
    assert Routing.parse(ROUTING.model_dump(mode="json", exclude_defaults=True), "test") == ROUTING


def test_the_example_in_deploy_is_one() -> None:
    routing = Routing.load(Path(__file__).parents[3] / "deploy" / "routing.yaml")
    assert routing.rules[-1].canary is not None


def test_without_a_file_everything_goes_one_way() -> None:
    lane = lane_of(Routing.plain("champion", Source(alias="champion")), capture())
    assert lane == Lane("all", "champion")
