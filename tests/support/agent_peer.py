"""Who may ask on a container's socket, tried from the host: agent_peer.py ATTACK SOCKET INIT_PID [MORE]

Each attack prints one line per answer: "STATUS CODE-OR-DATA", or "closed". The attacks:
    host                    a process of the host
    inside                  one that has entered the container's cgroups, as `docker exec` does
    lookalike               one in a cgroup of the same name in another place
    inherited               a connection whose maker has ended, used by its child
    reused                  the same, by a process that got the maker's pid (ns_last_pid)
    passed OTHER_PID        a connection sent with SCM_RIGHTS to a process of another container, its maker alive
    token OTHER_SOCKET OTHER_PID    one container's token on another's socket
"""
import json
import os
import socket
import sys


def cgroups(pid):
    """[(directory of the hierarchy, path in it)] of a process."""
    mounts = {}
    for line in open("/proc/self/mountinfo"):
        head, tail = line.rstrip("\n").split(" - ")
        kind, _, options = tail.split(" ")[:3]
        if kind == "cgroup2":
            mounts[""] = head.split(" ")[4]
        elif kind == "cgroup":
            for word in options.split(","):
                mounts[word] = head.split(" ")[4]
    found = []
    for line in open(f"/proc/{pid}/cgroup"):
        _, controllers, path = line.rstrip("\n").split(":", 2)
        where = mounts.get(controllers.split(",")[0])
        if where:
            found.append((where, path))
    return found


def enter(pid):
    for where, path in cgroups(pid):
        with open(f"{where}{path}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))


class Connection:
    def __init__(self, path, sock=None):
        self.sock = sock or socket.socket(socket.AF_UNIX)
        if not sock:
            self.sock.connect(path)
        self.sock.settimeout(10)
        self.token = None

    def ask(self, path, body=None):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        body = b"" if body is None else json.dumps(body).encode()
        try:
            self.sock.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            return self.answer()
        except (BrokenPipeError, ConnectionResetError):
            return None, None

    def answer(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return None, None
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")][0]
        while len(data) < length:
            data += self.sock.recv(65536)
        return int(head.split(b" ")[1]), json.loads(data)

    def check_in(self):
        status, body = self.ask("/v1/checkin", {})
        if status == 200:
            self.token = body["data"]["session_token"]
        return status, body

    def check(self):
        return self.ask("/v1/permissions/check", {"action_type": "tool_exec", "target": "true"})


def tell(answer):
    status, body = answer
    if status is None:
        print("closed", flush=True)
    else:
        print(status, body.get("code") or json.dumps(body["data"].get("allowed", "session")), flush=True)


def host(path, pid):
    tell(Connection(path).check_in())


def inside(path, pid):
    enter(pid)
    c = Connection(path)
    tell(c.check_in())
    tell(c.check())


def lookalike(path, pid):
    made = []
    for where, name in cgroups(pid):
        fake = f"{where}/oc-lookalike"
        try:
            os.makedirs(f"{fake}{name}", exist_ok=True)
            with open(f"{fake}{name}/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))
            made.append((fake, name))
        except OSError:  # a hierarchy that wants to be set up first (cpuset)
            continue
    child = os.fork()
    if child == 0:
        tell(Connection(path).check_in())
        os._exit(0)
    os.waitpid(child, 0)
    for where, name in made:
        with open(f"{where}/../cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        for depth in range(name.count("/"), -1, -1):
            os.rmdir(where + "/".join(name.split("/")[: depth + 1]))


def connect_in_child(path, pid):
    """A connection and its session, made by a child that is gone now; and the child's pid."""
    parent, side = socket.socketpair()
    child = os.fork()
    if child == 0:
        enter(pid)
        c = Connection(path)
        c.check_in()
        socket.send_fds(side, [c.token.encode()], [c.sock.fileno()])
        parent.close()
        side.recv(1)
        os._exit(0)
    token, fds, _, _ = socket.recv_fds(parent, 64, 1)
    c = Connection(path, socket.socket(fileno=fds[0]))
    c.token = token.decode()
    return c, child, parent


def inherited(path, pid):
    c, child, parent = connect_in_child(path, pid)
    tell(c.check())
    parent.send(b"x")
    os.waitpid(child, 0)
    enter(pid)
    tell(c.check())


def reused(path, pid):
    c, child, parent = connect_in_child(path, pid)
    parent.send(b"x")
    os.waitpid(child, 0)
    for _ in range(1000):
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(child - 1))
        again = os.fork()
        if again == 0:
            if os.getpid() == child:
                enter(pid)
                tell(c.check())
            os._exit(0)
        os.waitpid(again, 0)
        if again == child:
            return
    print("the pid could not be had again")


def passed(path, pid, other):
    c, child, parent = connect_in_child(path, pid)
    enter(int(other))
    tell(c.check())  # its maker lives and gave it away: what is asked is its own container's doing
    c.token = None
    tell(c.check_in())
    parent.send(b"x")
    os.waitpid(child, 0)
    tell(c.check())


def token(path, pid, other_path, other):
    child = os.fork()
    if child == 0:
        enter(pid)
        c = Connection(path)
        c.check_in()
        enter(int(other))
        d = Connection(other_path)
        d.token = c.token
        tell(d.check())
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    name, sock_path, init = sys.argv[1:4]
    globals()[name](sock_path, int(init), *sys.argv[4:])
