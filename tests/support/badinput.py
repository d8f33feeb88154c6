#!/usr/bin/env python3
"""Bad input for the host API. Usage: badinput.py SOCKET bodies COUNT SEED | badinput.py SOCKET http

bodies: COUNT requests with random bodies and mutated valid ones, spread over all endpoints. Each must get an error that is
JSON with a text and a known code, or one of the harmless successes named below; nothing that is sent can create anything as
long as it is refused. http: the level below. Ends with 0, or prints what was wrong, with the seed that repeats it."""
import http.client
import json
import random
import socket
import struct
import sys
import time

SOCKET = sys.argv[1]
CODES = {
    400: {"invalid_request", "mount_invalid"},
    403: {"mount_denied", "not_managed"},
    404: {"container_not_found", "network_not_found", "image_not_found", "not_found"},
    409: {"conflict"},
    413: {"too_large"},
    502: {"docker_error"},
}
BAD_NAME = "A /B\u00e9"  # several mutations away from a name
CREATE = {
    "image": "no-such-image/at all:1", "name": BAD_NAME, "network": "default", "user": "1:1", "memory_limit": 6291456,
    "tmp_size": 4096, "cpu_shares": 2, "pids_limit": 1, "cpus": 0.5, "env": ["A=1"], "cmd": ["x"], "entrypoint": ["y"],
    "working_dir": "/", "volumes": ["/proc:/x:ro"], "labels": {"a": "b"}, "interactive": True, "tty": False,
}
# An image that does not exist ends each create at the latest; a name that is none, each change of networks.
POSTS = [
    ("/api/v1/container/create", CREATE),
    ("/api/v1/container/create", {k: v for k, v in CREATE.items() if k not in ("name", "volumes")}),
    ("/api/v1/container/stop", {"name": "nobody-here", "timeout": 1}),
    ("/api/v1/container/remove", {"name": "nobody-here", "force": False}),
    ("/api/v1/container/pull", {"image": "UPPER CASE!!"}),
    ("/api/v1/network/create", {"name": BAD_NAME, "subnet": "10.9.0.0/24", "gateway": "10.9.0.1"}),
    ("/api/v1/network/create", {"name": "never-made", "subnet": "1.2.3.4.5.6/99/9"}),
    ("/api/v1/network/destroy", {"name": "never-made"}),
]
GETS = ["/api/v1/container", "/api/v1/container/wait", "/api/v1/container/logs", "/api/v1/network", "/api/v1/events",
        "/api/v1/containers", "/api/v1/networks", "/api/v1/status", "/metrics", "/api/v1/nowhere"]
SPICE = ["null", "true", "-1", "0", "1e400", "99999999999999999999", "\"\\u0000\"", "\"\\ud800\"", "[]", "{}", "[[[[", "\"" + "a" * 5000 + "\"",
         "\u00e9", "\x00", "\xff", "\\", "\"", ":", ",", "}", "]", " ", "\n", "NaN", "..", "/", "%00"]


def connect():
    """A connection; waits at most 20 s for room in the backlog."""
    s = socket.socket(socket.AF_UNIX)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 20, 0))
    s.connect(SOCKET)
    s.settimeout(20)
    return s


class Unix(http.client.HTTPConnection):
    def __init__(self):
        super().__init__("outcalld", timeout=20)

    def connect(self):
        self.sock = connect()


def fail(text):
    print(text[:4000], file=sys.stderr)
    sys.exit(1)


def random_value(r, depth=0):
    kind = r.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return r.choice([None, True, False])
    if kind == 1:
        return r.choice([0, -1, 1, 2**31, 2**63 - 1, -2**63, r.randrange(-1000, 1000)])
    if kind == 2:
        return r.choice([0.5, -1e308, 1e-300, 3.25])
    if kind in (3, 4, 5):
        return "".join(r.choice("aZ0_-./:=\n\t\u00e9\u20ac\U0001f600\\\" ") for _ in range(r.randrange(20)))
    if kind in (6, 7):
        return [random_value(r, depth + 1) for _ in range(r.randrange(5))]
    return {r.choice(list(CREATE) + ["x", "", "name", "timeout"]): random_value(r, depth + 1) for _ in range(r.randrange(6))}


def mutate(r, text):
    data = bytearray(text.encode())
    for _ in range(r.randrange(1, 4)):
        at = r.randrange(len(data) + 1)
        kind = r.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] = r.randrange(256)
        elif kind == 1:
            del data[at:at + r.randrange(1, 8)]
        elif kind == 2:
            data[at:at] = r.choice(SPICE).encode("latin-1", "replace")
        elif kind == 3:
            data[at:at] = data[at // 2:at]
        elif kind == 4:
            del data[at:]
        else:
            end = data.find(b",", at)
            data[at:end if end > at else at + 1] = r.choice(SPICE).encode("latin-1", "replace")
    return bytes(data)


def body(r, valid):
    kind = r.randrange(10)
    if kind == 0:
        return r.randbytes(r.randrange(200))
    if kind == 1:
        return json.dumps(random_value(r), ensure_ascii=r.random() < 0.5).encode()
    if kind == 2:  # a valid one with a value of any type
        changed = dict(valid)
        changed[r.choice(list(valid))] = random_value(r)
        if "name" in changed and valid.get("name") == BAD_NAME:
            changed["name"] = BAD_NAME
        if "subnet" in valid and valid["name"] != BAD_NAME:
            changed["subnet"] = "1.2.3.4.5.6/99/9"
        return json.dumps(changed).encode()
    return mutate(r, json.dumps(valid, ensure_ascii=r.random() < 0.5))


def query(r):
    text = r.choice(["name=", "name=nobody-here", "tail=", "follow=0&name=x", "name=x&name=y", ""])
    data = bytearray(text.encode() + r.randbytes(r.randrange(12)))
    return "".join(chr(b) if b < 128 and chr(b).isalnum() or chr(b) in "=&-." else "%%%02x" % b for b in data) + r.choice(["", "", "%", "%4", "%zz", "&", "&&="])


def check(method, target, sent, status, answer):
    where = "%s %s %r -> %d %r" % (method, target[:300], sent, status, answer[:300])
    if status == 200:
        if target.startswith(("/metrics", "/api/v1/events", "/api/v1/container/logs")):
            return 0
        data = json.loads(answer)["data"]
        harmless = isinstance(data, list) or "uptime_s" in data or data.get("destroyed") is False or data.get("exists") is not None \
            or data.get("created") is False or data.get("removed") is False
        return 0 if harmless else fail("something was done: " + where)
    try:
        j = json.loads(answer)
    except ValueError:
        fail("no JSON: " + where)
    if j.get("success") is not False or not j.get("error") or j.get("code") not in CODES.get(status, ()):
        fail("no clear error: " + where)
    return 1


def bodies(count, seed):
    r = random.Random(seed)
    connection = Unix()
    refused = 0
    for i in range(count):
        if i % 5 == 4:
            method, target, sent = "GET", r.choice(GETS) + "?" + query(r), None
        else:
            method, (target, valid) = "POST", r.choice(POSTS)
            sent = body(r, valid)
        try:
            connection.request(method, target, sent, {"Content-Type": "application/json"} if sent else {})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as e:
            fail("request %d of seed %d: %r: %s %s %r" % (i, seed, e, method, target, sent))
        refused += check(method, target, sent, answer.status, text)
    print("%d requests, %d refused" % (count, refused))
    if refused < count * 0.7:
        fail("too few of them were refused")


def raw(data, half=False):
    """Sends these bytes, returns all that comes back."""
    with connect() as s:
        try:
            s.sendall(data)
            if half:
                s.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def expect(what, answer, *statuses):
    status = answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "none"
    if status not in statuses:
        fail("%s: got %s, expected %s: %r" % (what, status, statuses, answer[:300]))


HEAD = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def large_bodies():
    connection = Unix()
    for size in (1024 * 1024 + 1, 1500000):
        connection.request("POST", "/api/v1/container/stop", b" " * size)
        answer = connection.getresponse()
        check("POST", "stop", size, answer.status, answer.read())
        if answer.status != 413:
            fail("a body of %d bytes: %d" % (size, answer.status))
    sock = connection.sock
    connection.request("GET", "/api/v1/status")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200 or connection.sock is not sock:
        fail("after a body that was too large the connection is not usable")
    connection.request("POST", "/api/v1/container/stop", b"{" + b" " * (1024 * 1024 - 2) + b"}")
    answer = connection.getresponse()
    check("POST", "stop", "1 MiB", answer.status, answer.read())
    if answer.status != 400:
        fail("the largest body: %d" % answer.status)
    connection.close()


def malformed():
    post = b"POST /api/v1/container/stop" + HEAD
    # What libmicrohttpd 0.9.75 says by itself of a chunk size that fills its buffer is 500.
    for what, data in {
        "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "a chunk size that is negative": b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "a chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
        "an endless chunk size": b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 100000 + b"\r\n\r\n",
        "a chunk of 2^64 bytes": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{}\r\n0\r\n\r\n",
        "a negative length": b"Content-Length: -1\r\n\r\n",
        "a length that is none": b"Content-Length: x\r\n\r\n",
        "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "both framings": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "a body that ends early": b"Content-Length: 50\r\n\r\n{}",
        "a header of 64 KiB": b"X: " + b"a" * 65536 + b"\r\nContent-Length: 2\r\n\r\n{}",
        "3000 headers": b"".join(b"X%d: y\r\n" % i for i in range(3000)) + b"Content-Length: 2\r\n\r\n{}",
    }.items():
        answer = raw(post + data, half=True)
        if answer:
            expect(what, answer, "400", "413", "431", "501", *(["500"] if "endless" in what else []))
    # A raw NUL ends libmicrohttpd's target: what is served is what is seen.
    for what, line in {
        "NUL in the path": b"GET /api/v1/status\x00x", "%00 in the path": b"GET /api/v1/status%00", "%00 in a value": b"GET /api/v1/container?name=a%00",
        "a path of 64 KiB": b"GET /" + b"a" * 65536, "no path": b"GET", "a space in the path": b"GET /api/v1/ status",
    }.items():
        answer = raw(line + HEAD + b"\r\n", half=True)
        if answer:
            expect(what, answer, "400", "404", "414", "431", *(["200"] if "NUL" in what else []))
    for data in (b"\x00" * 100, b"\xff" * 100000, b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        answer = raw(data, half=True)
        if answer:
            expect(repr(data[:20]), answer, "400", "404", "414", "431", "505")


def pipelined():
    answer = raw(b"GET /api/v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"GET /api/v1/status" + HEAD + b"\r\n")
    if answer.count(b"HTTP/1.1 404 ") != 20 or answer.count(b"HTTP/1.1 200 ") != 1 or b"uptime_s" not in answer[-2000:]:
        fail("pipelined requests: %r" % answer[:500])


def status_ms():
    begin = time.monotonic()
    connection = Unix()
    connection.request("GET", "/api/v1/status")
    if connection.getresponse().status != 200:
        fail("the status does not come")
    connection.close()
    return (time.monotonic() - begin) * 1000


def many(count, data):
    """So many connections that say this much and no more."""
    held = []
    for _ in range(count):
        held.append(connect())
        held[-1].sendall(data)
    return held


def crowds():
    for data in (b"", b"GET /api/v1/sta", b"POST /api/v1/container/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"):
        held = many(200, data)  # below the limit of 256: the others do not notice
        if status_ms() > 5000:
            fail("beside 200 silent connections the daemon is slow")
        held += many(100, data)  # above it: they wait in the backlog, and those that leave make room
        for s in held:
            s.close()
        if status_ms() > 10000:
            fail("after 300 silent connections the daemon is slow")


if sys.argv[2] == "bodies":
    bodies(int(sys.argv[3]), int(sys.argv[4]))
else:
    for part in (large_bodies, malformed, pipelined, crowds):
        part()
        status_ms()
