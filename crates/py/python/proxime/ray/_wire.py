"""Requests to servers and their answers, over TCP: a fifth of what a call of an actor takes.

A message is its length, eight bytes little-endian, and as many bytes. On a new line the client first says the key of the server, which it has
from Ray; the server hangs up on whoever says another, and has read nothing else of theirs. A line has one request under way at a time. The
client never waits for a line: `answers` moves all of them as far as they go, so one that hangs holds up no other.
"""

import hmac
import secrets
import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct("<Q")
_CHUNK = 1 << 18
#: Lines that wait until the server takes them.
_BACKLOG = 128


class Listener:
    """Answers the requests that come in on a port of its own, each line in a thread, as long as its process lives."""

    def __init__(self, host: str, answer: Callable[[bytes], bytes]) -> None:
        self.key = secrets.token_bytes(32)
        self._answer = answer
        requests: Any = self._line
        self._server = _Server((host, 0), requests)
        self.address = (host, int(self._server.server_address[1]))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _line(self, *arguments: Any) -> None:
        _Requests(self.key, self._answer, *arguments)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = _BACKLOG

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error, and nobody is there to read of one."""


class _Requests(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def __init__(self, key: bytes, answer: Callable[[bytes], bytes], *arguments: Any) -> None:
        self._key, self._answer = key, answer
        super().__init__(*arguments)

    def handle(self) -> None:
        # The end of a client whose machine has died is noticed, too.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not hmac.compare_digest(self.rfile.read(len(self._key)), self._key):
            return
        while len(head := self.rfile.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            request = self.rfile.read(length)
            if len(request) < length:
                return
            found = self._answer(request)
            self.wfile.write(_LENGTH.pack(len(found)) + found)


class Line:
    """A client's connection to a server."""

    def __init__(self, address: tuple[str, int], key: bytes) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out = memoryview(key)
        self._in = bytearray()
        self._socket.connect_ex(address)  # goes on by itself; what comes of it, `move` meets

    def ask(self, request: bytes) -> None:
        """Begins to send a request, and `answers` goes on. The answer to the one before is here already."""
        self._out = memoryview(b"".join([self._out, _LENGTH.pack(len(request)), request]))
        self._in = bytearray()
        with suppress(OSError):  # `move` meets the same
            self._send()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    @property
    def events(self) -> int:
        """What it waits for."""
        return selectors.EVENT_WRITE if self._out else selectors.EVENT_READ

    def move(self) -> bytes | None:
        """Sends and receives what goes at once; the answer, if it is whole. Errors: OSError, and the line is of no use any more."""
        try:
            self._send()
            while chunk := self._socket.recv(_CHUNK):
                self._in += chunk
                if len(self._in) >= _LENGTH.size:
                    (length,) = _LENGTH.unpack_from(self._in)
                    if len(self._in) == _LENGTH.size + length:
                        return bytes(memoryview(self._in)[_LENGTH.size :])
            raise ConnectionResetError("the server has hung up")
        except BlockingIOError:
            return None

    def _send(self) -> None:
        while self._out:
            self._out = self._out[self._socket.send(self._out) :]

    def close(self) -> None:
        """Whatever is under way is lost."""
        self._socket.close()

    __del__ = close


def answers(lines: Collection[Line], timeout: float) -> list[tuple[Line, bytes | None]]:
    """Lines whose answers are here, None for one that is broken; an empty list if there is none within `timeout` seconds, and maybe
    sooner."""
    found: list[tuple[Line, bytes | None]] = []
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, line.events)
        for key, _ in selector.select(timeout):
            ready: Any = key.fileobj
            try:
                answer = ready.move()
            except OSError:
                found.append((ready, None))
            else:
                if answer is not None:
                    found.append((ready, answer))
    return found
