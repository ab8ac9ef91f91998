"""Requests over many kept-alive connections, from one process that does not block.

Everything that is sent is made before the clock starts. The client shares the machine with the
server, so it says what of a core it took: a figure is the server's as long as that is small.
"""

import selectors
import socket
import time


class Connection:
    """One kept-alive connection with one request under way."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.sent_at = 0.0
        self.what = None
        self.unsent = b""

    def send(self, what, request):
        self.what = what
        self.sent_at = time.perf_counter()
        self.unsent = request
        self.push()

    def push(self):
        """Sends what fits; a request is smaller than the socket's buffer, or nearly so."""
        while self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            except BlockingIOError:
                return

    def answer(self):
        """`(status, body)` once it is whole."""
        self.push()
        try:
            read = self.socket.recv(1 << 18)
        except BlockingIOError:
            return None
        if not read:
            raise ConnectionError("the server closed a connection under load")
        self.received += read
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        head = self.received[:head_end].lower()
        if b"transfer-encoding: chunked" in head:
            # of Buildbot: short, and only its end matters
            last = self.received.find(b"\r\n0\r\n\r\n", head_end)
            if last < 0:
                return None
            self.received = self.received[last + 7:]
            return int(head.split(b" ", 2)[1]), b""
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        end = head_end + 4 + length
        if len(self.received) < end:
            return None
        body = self.received[head_end + 4:end]
        self.received = self.received[end:]
        return int(head.split(b" ", 2)[1]), body


class Outcome:
    """What came of a run."""

    def __init__(self):
        self.statuses = {}
        self.seconds = []
        self.elapsed = 0.0
        self.client_cpu = 0.0

    @property
    def rate(self):
        return len(self.seconds) / self.elapsed if self.elapsed else 0.0

    @property
    def client_share(self):
        return self.client_cpu / self.elapsed if self.elapsed else 0.0


def drive(address, connections, next_request, until=None):
    """Keeps `connections` requests under way until `next_request(connection, answer)` says None.

    It is called with no answer first, then with `(what, status, body)` of the request before; it
    returns `(what, bytes)`. `until` is the latest `time.monotonic()`.
    """
    outcome = Outcome()
    selector = selectors.DefaultSelector()
    open_connections = [Connection(address) for _ in range(connections)]
    cpu, began = time.process_time(), time.perf_counter()
    busy = 0
    for connection in open_connections:
        request = next_request(connection, None)
        if request is not None:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(*request)
            busy += 1
    while busy and (until is None or time.monotonic() < until):
        for key, _ in selector.select(timeout=1.0):
            connection = key.data
            answer = connection.answer()
            if answer is None:
                continue
            outcome.seconds.append(time.perf_counter() - connection.sent_at)
            status, body = answer
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
            request = next_request(connection, (connection.what, status, body))
            if request is None:
                selector.unregister(connection.socket)
                busy -= 1
            else:
                connection.send(*request)
    outcome.elapsed = time.perf_counter() - began
    outcome.client_cpu = time.process_time() - cpu
    for connection in open_connections:
        connection.socket.close()
    return outcome


def send_all(address, connections, requests, until=None):
    """Sends prepared requests, each once."""
    waiting = iter(requests)

    def following(_connection, _answer):
        request = next(waiting, None)
        return None if request is None else ("", request)

    return drive(address, connections, following, until)
