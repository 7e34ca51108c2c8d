"""Decoders of images, archives and tables, as they run in a child process that cannot hurt the service.

The child sets its limits (`child`) and gives up network and programs (`confinement`) first, then does one task after
another: `raster`, `arrays`, `parquet`, `pickles`, `archives`. It gets open files and no names, and answers in frames
(`wire`) of JSON and plain arrays; pixels it writes into memory that both sides see (`shared`). The other side is
`pipelines.ingestion.isolation`. Nothing here imports `pipelines.ingestion`: the child is small and starts quickly.
"""
