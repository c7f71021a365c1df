"""What several suites need: a server of S3 that runs here, and how often a drill is done."""

import socket
import subprocess
import sys
import time
import urllib.request
import uuid

import pytest

OPTIONS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}


def pytest_addoption(parser):
    parser.addoption("--drills", type=int, default=1, help="how often each thing that can happen to a cluster does (1)")


@pytest.fixture(scope="session")
def drills(request):
    return range(request.config.getoption("drills"))


@pytest.fixture(scope="session")
def server():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        assert running.poll() is None
        try:
            urllib.request.urlopen(address)
            break
        except OSError:
            time.sleep(0.1)
    yield address
    running.kill()
    running.wait()


def environment(server):
    """What makes it reachable."""
    return {"AWS_ENDPOINT_URL": server, "AWS_ALLOW_HTTP": "true", **{f"AWS_{name.upper()}": value for name, value in OPTIONS.items()}}


@pytest.fixture
def place(server, monkeypatch, tmp_path):
    """The address of an empty place, with the environment that makes it reachable."""
    bucket = f"bucket-{uuid.uuid4()}"
    urllib.request.urlopen(urllib.request.Request(f"{server}/{bucket}", method="PUT"))
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home-cache"))
    return f"s3://{bucket}/some/place"
