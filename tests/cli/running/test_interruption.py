"""Signals that ask a process to stop, sent to real processes."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from logan_tf.cli.running.interruption import Interruption

PROGRAM = textwrap.dedent(
    """
    import hashlib, signal, sys, time
    from logan_tf.cli.running.interruption import Interruption
    # As a terminal has it: under nohup the tests hand on that it is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with Interruption() as interruption:
        print("waiting", flush=True)
        if sys.argv[1] == "before":
            time.sleep(60)
        with interruption.finishing():
            print("working", flush=True)
            while not interruption.requested:
                time.sleep(.01)
            print("requested", flush=True)
            if sys.argv[1] == "stuck":
                # Minutes in C, which no signal cuts short.
                hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
        print("saved", flush=True)
    """
)


@pytest.fixture
def start():
    """Mode → a process that runs the program."""
    processes = []

    def run(mode: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "waiting\n"
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "number",
    [
        *(signal.SIGTERM, signal.SIGINT),  # What follows would end a process.
        *(signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU),
    ],
)
def test_a_first_signal_is_a_request(number, start):
    process = start("work")
    assert process.stdout.readline() == "working\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert out == "requested\nsaved\n"
    assert process.returncode == 0
    assert f"{number.name}: saving and stopping; a second one stops at once" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once_even_inside_a_call(number, start):
    process = start("stuck")
    assert process.stdout.readline() == "working\n"
    process.send_signal(number)
    assert process.stdout.readline() == "requested\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == ("", 42)
    assert f"{number.name}: stopped" in err


def test_where_there_is_nothing_to_save_the_first_one_stops(start):
    process = start("before")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == ("", 42)
    assert "SIGTERM: stopped" in err


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGTERM) is not before[0]
        assert not interruption.requested
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_in_another_thread_it_watches_nothing():
    failed = []

    def work():
        try:
            with Interruption() as interruption, interruption.finishing():
                assert not interruption.requested
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
