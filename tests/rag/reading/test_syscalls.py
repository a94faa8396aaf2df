"""The filter of system calls, run here by hand for every machine: only one of them is at hand."""

from __future__ import annotations

import pytest

from rag.reading.syscalls import ARCHITECTURES, Architecture

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
PID = 4711
MACHINES = pytest.mark.parametrize("machine", ARCHITECTURES.values(), ids=list(ARCHITECTURES))


def verdict(machine: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would answer, by the few instructions of classic BPF that the filter is made of."""
    program = machine.filter(PID)
    words = {0: number, 4: machine.audit if audit is None else audit}
    words |= {16 + 8 * place: value for place, value in enumerate([*arguments, 0, 0, 0, 0, 0, 0])}
    at = value = 0
    while True:
        code, then, otherwise, operand = program[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            value = words[operand]
            continue
        holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
        at += then if holds else otherwise


@MACHINES
def test_what_reading_needs_passes(machine: Architecture) -> None:
    names = {"x86_64": {"read": 0, "write": 1, "mmap": 9, "futex": 202, "statx": 332, "getrandom": 318}}
    names["aarch64"] = {"read": 63, "write": 64, "mmap": 222, "futex": 98, "statx": 291, "getrandom": 278}
    (name,) = [name for name, one in ARCHITECTURES.items() if one is machine]
    assert {verdict(machine, number) for number in names[name].values()} == {ALLOW}


@MACHINES
def test_what_it_has_no_use_for_is_refused(machine: Architecture) -> None:
    assert {verdict(machine, number) for number in machine.denied.values()} == {EPERM}
    assert len(set(machine.denied.values())) == len(machine.denied)
    assert {"execve", "socket", "connect", "ptrace", "process_vm_readv", "truncate", "renameat2"} <= set(machine.denied)


@MACHINES
def test_calls_that_are_newer_or_of_another_convention_do_not_exist(machine: Architecture) -> None:
    io_uring, clone3, openat2, of_tomorrow, x32 = 425, 435, 437, 999, 0x40000000 + 59
    assert {verdict(machine, one) for one in (io_uring, clone3, openat2, of_tomorrow, x32)} == {ENOSYS}
    assert verdict(machine, 0, audit=0x40000003) == KILL


@MACHINES
def test_threads_but_no_processes(machine: Architecture) -> None:
    thread, process = 0x3D0F00, 0x01200011
    assert (verdict(machine, machine.clone, thread), verdict(machine, machine.clone, process)) == (ALLOW, EPERM)


@MACHINES
def test_signals_and_limits_reach_this_process_only(machine: Architecture) -> None:
    assert (verdict(machine, machine.tgkill, PID), verdict(machine, machine.tgkill, PID + 1)) == (ALLOW, EPERM)
    assert (verdict(machine, machine.prlimit, 0), verdict(machine, machine.prlimit, PID + 1)) == (ALLOW, EPERM)


@MACHINES
def test_files_are_opened_for_reading(machine: Architecture) -> None:
    reading, folder = 0o2000000, 0o2200000
    for number, place in machine.opening:
        before = [0] * place
        assert {verdict(machine, number, *before, flags) for flags in (0, reading, folder)} == {ALLOW}
        assert {verdict(machine, number, *before, flags) for flags in (1, 2, 0o100, 0o1000, 0o1101)} == {EPERM}
