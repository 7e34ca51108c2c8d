"""Aerial end to end: frames and dots → patches → training → one pass over a frame → counts, picture, GeoJSON, pages."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin
from typer.testing import CliRunner

from services.cli.app import app

SIZE, TILE = (420, 560), 32
COLOURS = {"seal": (230, 200, 150), "walrus": (150, 70, 60)}
RECIPE = {
    "name": "beach",
    "kind": "image",
    "channels": 3,
    "tiling": {"tile": TILE, "levels": [-1], "dense": 4},
    "count": {"radius": 14},
    "preprocessing": {"mean": [0.5], "std": [0.25]},
    "network": {"widths": [8, 16], "convolutions": 1, "padding": "none", "pooling": "none", "embedding": 16},
    "open_set": {"scores": ["energy"], "budget": 0.001},
    "training": {"epochs": 5, "samples_per_epoch": 768, "batch": 32, "sampler": "class-balanced", "lr": 5e-3},
}


def beach(path: Path, seed: int) -> list[tuple[int, int, str]]:
    """A GeoTIFF of sand with animals at least 50 pixels apart; their places."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 12, (*SIZE, 1)) + rng.normal(0, 4, (*SIZE, 3))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    places = []
    for row in range(40, SIZE[0] - 39, 68):
        for column in range(40, SIZE[1] - 39, 68):
            if rng.random() < 0.4:
                y, x, label = row + rng.integers(-9, 10), column + rng.integers(-9, 10), rng.choice(list(COLOURS))
                angle = rng.uniform(0, np.pi)
                along = (rows - y) * np.sin(angle) + (columns - x) * np.cos(angle)
                across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
                pixels[(along / 10) ** 2 + (across / 5) ** 2 < 1] = COLOURS[label]
                places.append((int(y), int(x), str(label)))
    profile = {"driver": "GTiff", "height": SIZE[0], "width": SIZE[1], "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32605", transform=from_origin(5e5, 6e6, 0.1, 0.1), **profile) as file:
        file.write(np.clip(pixels, 0, 255).astype(np.uint8).transpose(2, 0, 1))
    return places


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_animals_are_counted(tmp_path: Path) -> None:
    frames = {f"{k}.tif": beach(tmp_path / f"{k}.tif", k) for k in range(6)}
    with (tmp_path / "points.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["frame", "row", "col", "class"])
        table.writerows([name, *place] for name, places in frames.items() for place in places)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    run("dataset", "import", "dots", tmp_path / "points.csv", tmp_path / "data", "--tile", TILE)
    bundle = tmp_path / "bundle"
    run("train", tmp_path / "recipe.yaml", "--data", tmp_path / "data", "--out", bundle, "--threads", 1)

    truth = beach(tmp_path / "new.tif", 99)
    overlay, places = tmp_path / "found.png", tmp_path / "found.json"
    (answer,) = json.loads(
        run("inspect", tmp_path / "new.tif", "--bundle", bundle, "--overlay", overlay, "--geojson", places, "--json")
    )
    for label in COLOURS:
        expected = sum(one == label for *_, one in truth)
        assert abs(answer["counts"].get(label, 0) - expected) <= max(1, 0.15 * expected), answer["counts"]
    assert overlay.read_bytes().startswith(b"\x89PNG")
    features = json.loads(places.read_text())["features"]
    found = np.array([[one["properties"]["row_px"], one["properties"]["column_px"]] for one in features])
    apart = np.hypot(*(found[:, None] - np.array([place[:2] for place in truth])[None]).transpose(2, 0, 1))
    assert (apart.min(0) <= 8).mean() >= 0.9, "nearly every animal has a mark on it"
