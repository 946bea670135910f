"""A request as it went over the wire: a TCP proxy in front of a gRPC server, and what a client sent through it.

Other load generators send the recorded message, so that all of them send the same bytes. Frames are cut by RFC 9113, section
4.1; header blocks are not decoded, so a call is told by the size of its message.
"""

import collections
import contextlib
import socket
import threading

PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
FRAME_HEADER = 9
DATA, END_STREAM, PADDED = 0x0, 0x1, 0x8


class Recorder:
    """Passes connections on to a server and keeps what the clients said."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.said = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed: no more connections are wanted
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server_port))
                kept = bytearray()
                self.said.append(kept)
                threading.Thread(target=_pass_on, args=(client, server, kept), daemon=True).start()
                threading.Thread(target=_pass_on, args=(server, client, None), daemon=True).start()

    def close(self):
        self.listener.close()

    def commonest_message(self):
        """The last message of the size that was sent most often, with gRPC's five-byte prefix."""
        messages = [message for said in self.said for message in whole_messages(bytes(said))]
        if not messages:
            raise ValueError("no whole gRPC message went through the proxy")
        size, _ = collections.Counter(map(len, messages)).most_common(1)[0]
        return [message for message in messages if len(message) == size][-1]


def _pass_on(source, sink, kept):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            if kept is not None:
                kept += chunk
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def whole_messages(said):
    """The bodies of all requests that ended on one connection."""
    open_bodies, at = collections.defaultdict(bytes), PREFACE
    while at + FRAME_HEADER <= len(said):
        length = int.from_bytes(said[at : at + 3], "big")
        kind, flags = said[at + 3], said[at + 4]
        stream = int.from_bytes(said[at + 5 : at + 9], "big") & 0x7FFF_FFFF
        payload = said[at + FRAME_HEADER : at + FRAME_HEADER + length]
        at += FRAME_HEADER + length
        if kind != DATA or len(payload) < length:
            continue
        if flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        open_bodies[stream] += payload
        if flags & END_STREAM and open_bodies[stream]:
            yield open_bodies.pop(stream)
