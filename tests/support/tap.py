#!/usr/bin/env python3
"""A tap on the engine's socket: passes every byte both ways and writes each request line that a client sends to LOG.
Usage: tap.py LISTEN TARGET LOG. With it a test shows which calls were made, and that none was made. It ends on SIGTERM."""
import os
import re
import socket
import sys
import threading

REQUEST = re.compile(rb"^(?:GET|POST|PUT|DELETE|HEAD) \S+ HTTP/1\.1\r$", re.M)


def pump(source, sink, log):
    """One direction; request lines are looked for per piece: a client writes a request's head in one piece."""
    try:
        while data := source.recv(65536):
            if log is not None:
                for line in REQUEST.findall(data):
                    os.write(log, line.rsplit(b" ", 1)[0] + b"\n")
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client, target, log):
    engine = socket.socket(socket.AF_UNIX)
    try:
        engine.connect(target)
    except OSError:
        client.close()
        return
    threading.Thread(target=pump, args=(engine, client, None), daemon=True).start()
    pump(client, engine, log)


def main():
    listen, target, path = sys.argv[1:]
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen(64)
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client, target, log), daemon=True).start()


main()
