"""Prints NAME=PORT for each name given, with ports that are free on loopback now and differ from each other."""

import socket
import sys

sockets = [socket.socket() for _ in sys.argv[1:]]
for name, free in zip(sys.argv[1:], sockets):
    free.bind(("127.0.0.1", 0))
    print(f"{name}={free.getsockname()[1]}")
