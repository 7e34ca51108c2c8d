"""How much an input may ask for; whatever asks for more is refused with `UnsafeInputError`."""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one input file and on the child process that decodes it.

    Attributes:
        file_bytes: of any file, as it lies there; a 40,000 x 40,000 RGB image without compression has 4.8 GB.
        text_bytes: of KLARF, CSV and STDF, which are parsed in this process; 10^7 defects need 0.8 GB.
        map_bytes: of SINF and XML.
        members: files in an archive, and captures in a file.
        expansion: bytes decoded per byte of the file. Deflate can reach 1032; real wafers and images stay below 100.
        free_bytes: what may be decoded from a file whatever its expansion: small bombs do no harm.
        pixels: width x height of an image; 141,000 x 141,000.
        bands: of an image.
        block_bytes: of one tile or strip of an image, which a decoder must hold whole.
        dies: rows x columns of a die map, and parts tested in a file.
        defects: of a file.
        columns: of a table.
        decoder_memory_bytes: address space of the decoding child.
        decoder_seconds: per request to the child, both by its CPU and by the clock.
    """

    file_bytes: int = 16 * GIB
    text_bytes: int = 2 * GIB
    map_bytes: int = 128 * MIB
    members: int = 100_000
    expansion: int = 200
    free_bytes: int = 64 * MIB
    pixels: int = 20_000_000_000
    bands: int = 64
    block_bytes: int = 256 * MIB
    dies: int = 4_000_000
    defects: int = 20_000_000
    columns: int = 512
    decoder_memory_bytes: int = 3 * GIB
    decoder_seconds: float = 60.0

    def expanded_bytes(self, file_bytes: int) -> int:
        """How many bytes a compressed file of this size may become."""
        return max(self.free_bytes, self.expansion * file_bytes)
