"""The decoding child: whatever happens in it, this process goes on."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError, RetryableError, UnsafeInputError
from pipelines.decoding import child as child_side
from pipelines.decoding.wire import Reply
from pipelines.ingestion import isolation
from pipelines.ingestion.isolation import Decoder, close_all, decode
from pipelines.ingestion.limits import MIB, Limits


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    one = Decoder(Limits())
    yield one
    one.close()


@pytest.fixture
def packed(samples: dict[str, bytes], tmp_path: Path) -> Path:
    path = tmp_path / "points.csv.gz"
    path.write_bytes(samples["gzip"])
    return path


def ask(decoder: Decoder, file: Path, task: str = "gunzip", seconds: float = 60, **arguments: Any) -> list[Reply]:
    return list(decoder.ask(task, file, {"limit": 1 << 20, **arguments}, where="the file", seconds=seconds))


def test_a_child_answers_again_and_again(decoder: Decoder, packed: Path) -> None:
    first = ask(decoder, packed)
    assert b"x_um" in first[0].arrays["bytes"].tobytes()
    assert ask(decoder, packed)[0].arrays["bytes"].tobytes() == first[0].arrays["bytes"].tobytes()
    assert decoder.usable


def test_errors_of_the_child_name_the_file_and_leave_it_usable(decoder: Decoder, packed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(RetryableError, match="the file") as caught:
        ask(decoder, broken)
    assert caught.value.code == "truncated"
    with pytest.raises(UnsafeInputError):
        ask(decoder, packed, limit=10)
    with pytest.raises(InputError, match="no such task"):
        ask(decoder, packed, task="rm")
    assert ask(decoder, packed)


def test_a_crash_is_the_files_fault_and_not_ours(decoder: Decoder, packed: Path) -> None:
    ask(decoder, packed)
    os.kill(decoder._process.pid, signal.SIGSEGV)
    with pytest.raises(InputError, match="SIGSEGV") as caught:
        ask(decoder, packed)
    assert caught.value.code == "decoder-crashed"
    assert not decoder.usable


def test_a_child_that_gets_no_processor_is_not_the_files_fault(decoder: Decoder, packed: Path) -> None:
    ask(decoder, packed)
    os.kill(decoder._process.pid, signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(RetryableError, match="no processor") as caught:
        ask(decoder, packed, seconds=0.3)
    assert caught.value.code == "decoder-starved"
    assert time.monotonic() - begin < 5
    assert not decoder.usable


def test_a_file_that_burns_its_time_is_refused(decoder: Decoder, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(decoder, packed)
    used = iter([1.0, 1.2])  # before the request, and when it came to nothing
    monkeypatch.setattr(decoder, "_processor_seconds", lambda: next(used))
    os.kill(decoder._process.pid, signal.SIGSTOP)
    with pytest.raises(InputError, match="did not answer") as caught:
        ask(decoder, packed, seconds=0.3)
    assert caught.value.code == "decoder-crashed"
    assert not decoder.usable


def test_a_broken_installation_is_not_the_files_fault(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_BOOT", "raise SystemExit(3)")
    with pytest.raises(ConfigurationError, match="exit status 3"):
        ask(Decoder(Limits()), packed)
    monkeypatch.setattr(isolation, "_BOOT", "import time; time.sleep(60)")
    monkeypatch.setattr(isolation, "_START_SECONDS", 0.2)
    with pytest.raises(RetryableError, match="did not start"):
        ask(Decoder(Limits()), packed)


def test_the_processor_time_of_a_child_is_known(decoder: Decoder, packed: Path) -> None:
    ask(decoder, packed)
    assert 0 < decoder._processor_seconds() < 60


def test_after_a_crash_the_next_file_gets_a_new_child(packed: Path) -> None:
    close_all()
    limits = Limits()
    first = list(decode("gunzip", packed, {"limit": 1 << 20}, where="a", limits=limits))
    (idle,) = isolation._idle
    idle._process.kill()
    idle._process.wait()
    assert len(list(decode("gunzip", packed, {"limit": 1 << 20}, where="a", limits=limits))) == len(first)


def test_a_caller_that_stops_early_leaves_no_half_read_answer(packed: Path) -> None:
    replies = decode("gunzip", packed, {"limit": 1 << 20}, where="a", limits=Limits())
    next(replies)
    replies.close()
    (reply,) = decode("gunzip", packed, {"limit": 1 << 20}, where="a", limits=Limits())
    assert len(reply.arrays["bytes"]) > 100


def test_memory_is_limited(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1, 300 * MIB)})
    with zipfile.ZipFile(tmp_path / "big.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(300 * MIB))
    with pytest.raises(InputError) as caught:
        list(
            decode(
                "npz",
                tmp_path / "big.npz",
                {"limit": 1 << 40, "members": 5},
                where="big.npz",
                limits=Limits(decoder_memory_bytes=600 * MIB),
            )
        )
    assert caught.value.code in ("decoder-memory", "decoder-crashed")


def test_a_file_that_is_gone_is_said_to_be(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"):
        ask(decoder, tmp_path / "nothing")


def test_the_child_gets_no_secrets_and_writes_no_files(decoder: Decoder, packed: Path) -> None:
    ask(decoder, packed)
    environment = Path(f"/proc/{decoder._process.pid}/environ").read_bytes()
    assert b"HOME" not in environment
    assert b"AWS" not in environment
    limits = Path(f"/proc/{decoder._process.pid}/limits").read_text()
    assert [line.split()[-3] for line in limits.splitlines() if line.startswith("Max file size")] == ["0"]
    assert "Max core file size        0" in limits


def test_a_child_can_reach_no_network_and_start_no_program(decoder: Decoder, packed: Path) -> None:
    ask(decoder, packed)
    status = Path(f"/proc/{decoder._process.pid}/status").read_text().split("\n")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    attempts = """
import os, socket, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
from pipelines.decoding.confinement import confine
assert confine()
def refused(attempt):
    try:
        attempt()
    except PermissionError:
        return True
tried = [
    lambda: socket.socket(),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: subprocess.run(["/bin/true"], check=True),
    lambda: os.kill(os.getppid(), 0),
]
answers = [refused(attempt) for attempt in tried]
thread = threading.Thread(target=lambda: answers.append(refused(tried[0])))
thread.start()
thread.join()
print(answers)
"""
    root = str(Path(child_side.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", attempts, root], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str([True] * 6), done.stderr


def test_a_system_without_such_a_filter_is_said_once(
    packed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    isolation._say_unconfined.cache_clear()
    plain = "import pipelines.decoding.child as child\nchild.confine = lambda: False\n"
    monkeypatch.setattr(isolation, "_BOOT", isolation._BOOT.replace("from pipelines", plain + "from pipelines"))
    for _ in range(2):
        one = Decoder(Limits())
        ask(one, packed)
        one.close()
    assert sum("could reach the network" in record.message for record in caplog.records) == 1


def test_several_threads_have_their_own_children(packed: Path) -> None:
    close_all()
    found: list[int] = []

    def work() -> None:
        arguments = {"limit": 1 << 20}
        found.extend(len(list(decode("gunzip", packed, arguments, where="a", limits=Limits()))) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 15
    assert len(isolation._idle) <= 2


def test_the_child_starts_without_our_heavy_parts() -> None:
    """What the child imports before its first task decides how soon it answers."""
    source = Path(child_side.__file__).read_text()
    top = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert not [line for line in top if "pipelines.ingestion" in line or "rasterio" in line or "pyarrow" in line]
