"""How much a KLARF file may ask for."""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class KlarfLimits:
    """Bounds of the reader. Counts that a file declares are compared, never used to reserve memory.

    Attributes:
        file_bytes: of the whole file, unpacked; 10^7 defects need 0.8 GB.
        defects: of the whole file.
        images: references to pictures in the whole file.
        columns: of a defect list.
        word_bytes: of one value.
        row_bytes: of one defect with its images.
        part_bytes: of one statement, field or list other than defects; a plan of 70,000 dies takes 0.6 MB.
        header_bytes: of all parts other than defects together.
        parts: statements, records, fields and lists.
        nesting: of records in each other; real files have four.
        warnings: that are kept one by one.
        block_bytes: read at once; this is no limit but the grain of the work.
    """

    file_bytes: int = 2 * GIB
    defects: int = 20_000_000
    images: int = 10_000_000
    columns: int = 512
    word_bytes: int = 4096
    row_bytes: int = MIB
    part_bytes: int = 16 * MIB
    header_bytes: int = 64 * MIB
    parts: int = 1_000_000
    nesting: int = 8
    warnings: int = 1000
    block_bytes: int = MIB
