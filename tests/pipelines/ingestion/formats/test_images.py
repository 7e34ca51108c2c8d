"""Images by window: the same pixels as the whole picture, at every level, in whatever layout the file has."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from models.domain.patch import Patch
from models.domain.tiling import Level, Tiling, Window, pyramid
from pipelines.ingestion import Limits, ReadOptions, ValueRange, cut, open_captures
from pipelines.ingestion.formats.images import ImageReader

RNG = np.random.default_rng(11)


def opened(path: Path, limits: Limits | None = None, values: ValueRange | None = None) -> ImageReader:
    (reader,) = open_captures(path, limits=limits, options=ReadOptions(values=values))
    assert isinstance(reader, ImageReader)
    return reader


def save(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    """Write (bands, height, width) as TIFF."""
    bands, height, width = pixels.shape
    settings = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": pixels.dtype, **profile}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **settings) as target:
            target.write(pixels)
    return path


def assert_shows(patch: Patch, whole: np.ndarray) -> None:
    """A patch equals its place in the whole (height, width, bands), padded with zeros."""
    window = patch.window
    padded = np.pad(whole, ((0, window.height), (0, window.width), (0, 0)))
    expected = padded[window.top : window.bottom, window.left : window.right]
    np.testing.assert_array_equal(patch.pixels, expected)


def halved(whole: np.ndarray, scale: int) -> np.ndarray:
    """Means of blocks of scale x scale pixels, the slow and obvious way."""
    height, width, bands = whole.shape
    out = np.zeros((-(-height // scale), -(-width // scale), bands), np.uint8)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            block = whole[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale].reshape(-1, bands)
            out[row, column] = np.floor(block.mean(axis=0) + 0.5)
    return out


LAYOUTS: dict[str, dict[str, object]] = {
    "tiled": {"tiled": True, "blockxsize": 32, "blockysize": 16, "compress": "deflate"},
    "striped": {"blockysize": 7, "compress": "lzw"},
    "one strip": {"blockysize": 150},
    "planes": {"tiled": True, "blockxsize": 16, "blockysize": 16, "interleave": "band"},
    "big": {"BIGTIFF": "YES", "tiled": True, "blockxsize": 64, "blockysize": 64, "predictor": 2, "compress": "zstd"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_level_of_every_layout(layout: str, tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (3, 150, 201), dtype=np.uint8)
    reader = opened(save(tmp_path / "a.tif", pixels, **LAYOUTS[layout]))
    assert reader.shape == (150, 201, 3)
    whole = np.moveaxis(pixels, 0, -1)
    for level in pyramid(reader.capture, 40):
        shown = halved(whole, 1 << (len(pyramid(reader.capture, 40)) - 1 - level.index))
        # All are kept: what one shows is not overwritten by those after it.
        for patch in list(cut(reader, Tiling(40, 13, (level.index,)))):
            assert_shows(patch, shown)
            # A single window, asked for out of order, shows the same.
            np.testing.assert_array_equal(reader.read(patch.window).pixels, patch.pixels)


@pytest.mark.parametrize("mode", ["PNG", "JPEG", "progressive"])
def test_pictures_from_top_to_bottom_and_back(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.img"
    pixels = np.kron(RNG.integers(0, 256, (15, 20, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    options = {"progressive": True} if mode == "progressive" else {}
    Image.fromarray(pixels).save(path, "PNG" if mode == "PNG" else "JPEG", **options)
    whole = decoded(path)
    reader = opened(path)
    patches = list(cut(reader, Tiling(50, 20, (-1,))))
    for patch in patches:
        assert_shows(patch, whole)
    for patch in reversed(patches):
        np.testing.assert_array_equal(reader.read(patch.window).pixels, patch.pixels)


def decoded(path: Path) -> np.ndarray:
    """The whole picture at once, (height, width, bands)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as image:
            return np.moveaxis(image.read(), 0, -1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (64, 64), (65, 64)])
def test_images_smaller_than_a_tile_are_padded(shape: tuple[int, int], tmp_path: Path) -> None:
    pixels = RNG.integers(1, 256, (1, *shape), dtype=np.uint8)
    reader = opened(save(tmp_path / "a.tif", pixels))
    for patch in cut(reader, Tiling(64, 0, (-1,))):
        assert_shows(patch, np.moveaxis(pixels, 0, -1))
        window = patch.window
        inside = min(window.bottom, shape[0]) - window.top, min(window.right, shape[1]) - window.left
        assert patch.inspected == pytest.approx(inside[0] * inside[1] / 64**2)


def test_sixteen_bits_are_scaled_from_the_bits_in_use(tmp_path: Path) -> None:
    pixels = np.array([[[0, 1000, 4095, 65535]]], np.uint16)
    full = opened(save(tmp_path / "full.tif", pixels))
    assert full.read(pyramid_window(full, 4)).pixels[0, :, 0].tolist() == [0, 4, 16, 255]
    twelve = opened(save(tmp_path / "twelve.tif", pixels.clip(0, 4095), NBITS=12))
    assert twelve.read(pyramid_window(twelve, 4)).pixels[0, :, 0].tolist() == [0, 62, 255, 255]
    chosen = opened(tmp_path / "full.tif", values=ValueRange(1000, 2000))
    assert chosen.read(pyramid_window(chosen, 4)).pixels[0, :, 0].tolist() == [0, 0, 255, 255]


def pyramid_window(reader: ImageReader, tile: int) -> Window:
    return Window(pyramid(reader.capture, tile)[-1], 0, 0, tile, tile)


def test_floats_need_a_range_and_no_number_is_not_inspected(tmp_path: Path) -> None:
    path = save(tmp_path / "f.tif", np.array([[[0.0, 0.5, np.nan, 2.0]]], np.float32))
    with pytest.raises(InputError) as caught:
        opened(path)
    assert caught.value.code == "no-value-range"
    reader = opened(path, values=ValueRange(0, 1))
    patch = reader.read(Window(Level(2, 1, 4), 0, 0, 1, 4))
    assert patch.pixels[0, :, 0].tolist() == [0, 128, 0, 255]
    assert patch.inspected == 0.75


def test_many_bands_and_georeference_are_kept(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (7, 20, 30), dtype=np.uint8)
    transform = from_origin(500_000.0, 4_600_000.0, 0.25, 0.25)
    reader = opened(save(tmp_path / "geo.tif", pixels, crs="EPSG:32633", transform=transform))
    assert reader.shape == (20, 30, 7)
    place = reader.capture.georeference
    assert place is not None
    assert "UTM zone 33N" in place.crs_wkt
    assert place.transform == (0.25, 0.0, 500_000.0, 0.0, -0.25, 4_600_000.0)
    (patch,) = cut(reader, Tiling(32, 0, (-1,)))
    assert_shows(patch, np.moveaxis(pixels, 0, -1))


def test_nodata_and_transparency_do_not_count_as_inspected(tmp_path: Path) -> None:
    pixels = np.full((1, 8, 8), 50, np.uint8)
    pixels[:, :, :4] = 7
    reader = opened(save(tmp_path / "n.tif", pixels, nodata=7))
    assert reader.read(Window(Level(0, 8, 8), 0, 0, 8, 8)).inspected == 0.5
    coarse = reader.read(Window(Level(0, 2, 2), 0, 0, 2, 2))
    assert (coarse.inspected, coarse.pixels[0, 1, 0], coarse.pixels[0, 0, 0]) == (0.5, 50, 0)
    rgba = np.dstack([np.full((8, 8, 3), 90, np.uint8), np.r_[np.zeros((2, 8)), np.full((6, 8), 255)].astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "t.png")
    transparent = opened(tmp_path / "t.png")
    assert transparent.shape == (8, 8, 3)
    assert transparent.read(Window(Level(0, 8, 8), 0, 0, 8, 8)).inspected == 0.75


def test_palettes_become_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "p.png")
    reader = opened(tmp_path / "p.png")
    pixels = reader.read(Window(Level(1, 2, 2), 0, 0, 2, 2)).pixels
    assert pixels.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 255, 0], [0, 0, 255]]]


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1").save(tmp_path / "b.png")
    pixels = opened(tmp_path / "b.png").read(Window(Level(1, 2, 2), 0, 0, 2, 2)).pixels
    assert pixels[..., 0].tolist() == [[0, 255], [255, 0]]


def test_every_page_is_a_capture(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((5, 6 + i), 10 * i, np.uint8)) for i in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    readers = list(open_captures(tmp_path / "pages.tif"))
    assert [reader.capture.width for reader in readers] == [6, 7, 8]
    assert len({reader.capture.id for reader in readers}) == 3
    for i, reader in enumerate(readers):
        assert (next(cut(reader, Tiling(5, 0, (-1,)))).pixels == 10 * i).all()


def test_windows_of_another_capture_are_refused(tmp_path: Path) -> None:
    reader = opened(save(tmp_path / "a.tif", np.zeros((1, 30, 30), np.uint8)))
    with pytest.raises(InputError, match="another capture"):
        reader.read(Window(Level(0, 31, 30), 0, 0, 8, 8))


def png_claiming(width: int, height: int, interlace: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlace)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff_claiming(**tags: int) -> bytes:
    """A TIFF of one page with nothing but a header."""
    numbers = {"width": 256, "height": 257, "bits": 258, "compression": 259, "bands": 277, "rows": 278}
    numbers |= {"tile_width": 322, "tile_height": 323, "offsets": 273, "counts": 279}
    entries = sorted((numbers[name], value) for name, value in tags.items())
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + struct.pack("<I", 0)


def jpeg_claiming(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(target, "JPEG")
    raw = target.getvalue()
    frame = raw.index(b"\xff\xc0")
    return raw[: frame + 5] + struct.pack(">HH", height, width) + raw[frame + 9 :]


@pytest.mark.parametrize(
    "bomb",
    [
        png_claiming(65_500, 65_500),
        png_claiming(2_000_000_000, 2_000_000_000),
        png_claiming(20_000, 20_000, interlace=1),
        jpeg_claiming(65_500, 65_500),
        tiff_claiming(width=200_000, height=200_000, bits=8, bands=1, rows=1, offsets=8, counts=1),
        tiff_claiming(width=500, height=500, bits=8, bands=1, tile_width=16_384, tile_height=32_768),
        tiff_claiming(width=500, height=500, bits=8, bands=60_000, rows=1),
        tiff_claiming(width=20_000, height=20_000, bits=8, bands=1, rows=20_000),
    ],
    ids=["png", "png-huge", "png-interlaced", "jpeg", "tiff", "tiff-tile", "tiff-bands", "tiff-strip"],
)
def test_pixel_bombs_are_refused_before_anything_is_decoded(bomb: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(bomb)
    with pytest.raises(UnsafeInputError) as caught:
        opened(path)
    assert caught.value.code == "pixel-bomb"


def test_limits_can_be_lowered(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.zeros((1, 100, 100), np.uint8))
    with pytest.raises(UnsafeInputError, match="pixels"):
        opened(path, Limits(pixels=9_999))


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bigtiff"])
def test_truncated_images_are_tried_again(kind: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    whole = samples[kind]
    path = tmp_path / "cut"
    for length in (len(whole) // 2, len(whole) // 4, 20):
        path.write_bytes(whole[:length])
        with pytest.raises((RetryableError, InputError)):
            list(cut(opened(path), Tiling(16, 0, (-1,))))


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_garbled_pixels_are_an_error_and_not_grey(kind: str, tmp_path: Path) -> None:
    """PNG and deflate have checksums; what JPEG and LZW decode from garbage, nobody can tell from pixels."""
    path = tmp_path / "garbled"
    pixels = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if kind == "png":
        Image.fromarray(pixels).save(path, "PNG")
    else:
        save(path, np.moveaxis(pixels, -1, 0), compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 60] = bytes(60)
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        list(cut(opened(path), Tiling(16, 0, (-1,))))
    assert caught.value.code == "broken-image"
    assert str(path) in str(caught.value) or path.name in str(caught.value)
    assert "/proc/" not in str(caught.value)


def test_pages_in_a_circle_are_refused(tmp_path: Path) -> None:
    raw = tiff_claiming(width=5, height=5, bits=8, bands=1, rows=5, offsets=8, counts=1)
    path = tmp_path / "circle.tif"
    path.write_bytes(raw[:-4] + struct.pack("<I", 8))
    with pytest.raises(InputError, match="without end"):
        opened(path)


@pytest.mark.parametrize("place", [1 << 41, 1 << 50, (1 << 63) - 1, (1 << 64) - 1])
def test_pages_far_beyond_the_file_are_refused(place: int, tmp_path: Path) -> None:
    path = tmp_path / "far.tif"
    path.write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, place))
    with pytest.raises(InputError, match="into the file"):
        opened(path)


def test_virtual_datasets_and_addresses_are_no_images(tmp_path: Path) -> None:
    vrt = tmp_path / "a.vrt"
    vrt.write_text('<VRTDataset rasterXSize="1"><SourceFilename>/etc/passwd</SourceFilename></VRTDataset>')
    for place in (vrt, "/vsicurl/http://127.0.0.1/a.tif", "/vsimem/a.tif"):
        with pytest.raises(InputError):
            list(open_captures(place))
    for uri in ("http://127.0.0.1/a.tif", "zip://a::s3://b/c", "github://a/b"):
        with pytest.raises(UnsafeInputError, match="cannot read from there"):
            list(open_captures(uri))


def test_real_frames(real_data: Path) -> None:
    path = real_data / "sealions" / "frames" / "42.jpg"
    reader = opened(path)
    assert reader.shape == (3328, 4992, 3)
    whole = decoded(path)
    for patch in cut(reader, Tiling(512, 64, (-1,))):
        assert_shows(patch, whole)
