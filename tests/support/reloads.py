"""reloads.py SOCKET RULES_DIR PID RELOADS CLIENTS - reloads a set of rules again and again while clients ask what they
say. Each set has its own number in the ids of its rules, spread over two files. Every answer must belong to the one set
whose generation it names, and the daemon's memory must not grow with the sets that are gone. Prints one JSON line."""
import http.client
import json
import pathlib
import socket
import sys
import threading

RULES = 100  # of each file: a set that is not freed shows
FILES = ("a", "b")
GROWTH_KIB = 4096  # allowed between the reloads at a fifth and at the end; the sets would be ten times that
WORKED = 20  # answers that each client must have got, or this proves nothing


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("outcalld", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, target, body=None):
        self.request(method, target, json.dumps(body) if body is not None else None)
        response = self.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{method} {target}: {response.status} {answer}")
        return answer["data"]


def write_set(folder, number):
    for name in FILES:
        rules = "".join(f"  - id: {name}{i}-{number}\n    condition: run.tool == \"{name}{i}\"\n    action: allow\n"
                        for i in range(RULES))
        fresh = folder / f".{name}.new"
        fresh.write_text(f"version: \"1\"\nrules:\n{rules}")
        fresh.rename(folder / f"{name}.yaml")


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


class Client(threading.Thread):
    def __init__(self, path, number):
        super().__init__()
        self.path, self.number = path, number
        self.answers, self.stop, self.failure = [], False, None

    def ask(self, connection, i):
        file, rule = FILES[i % 2], (self.number + i) % RULES
        data = connection.call("POST", "/api/v1/rule/evaluate", {"context": {"run": {"tool": f"{file}{rule}"}},
                                                                 "explain": i % 7 == 0})
        name, _, number = data["matched_rule"].partition("-")
        if name != f"{file}{rule}" or data["decision"] != "allow" or data["file"] != f"{file}.yaml":
            raise RuntimeError(f"asked for {file}{rule}, got {data}")
        if data.get("explanation", data)["matched_rule"] != data["matched_rule"]:
            raise RuntimeError(f"the explanation is of another set: {data}")
        return data["generation"], int(number)

    def run(self):
        try:
            connection, i = Connection(self.path), 0
            while not self.stop:
                self.answers.append(self.ask(connection, i))
                i += 1
        except Exception as why:  # noqa: BLE001: whatever it is, the main thread reports it
            self.failure = why


def check(client, sets):
    if client.failure:
        raise RuntimeError(f"a client failed: {client.failure}")
    if len(client.answers) < WORKED:
        raise RuntimeError(f"a client got {len(client.answers)} answers only")
    last = 0
    for generation, number in client.answers:
        if sets.get(generation) != number:
            raise RuntimeError(f"generation {generation} is set {sets.get(generation)}, the answer is of set {number}")
        if generation < last:
            raise RuntimeError(f"generation {generation} came after {last}")
        last = generation


def main():
    path, folder, pid = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    reloads, clients_n = int(sys.argv[4]), int(sys.argv[5])
    connection, sets, early = Connection(path), {}, 0

    def reload(number):
        write_set(folder, number)
        data = connection.call("POST", "/api/v1/rules/reload")
        sets[data["generation"]] = number

    reload(0)
    clients = [Client(path, i) for i in range(clients_n)]
    for client in clients:
        client.start()
    try:
        for number in range(1, reloads + 1):
            reload(number)
            if number == reloads // 5:
                early = resident_kib(pid)
    finally:
        for client in clients:
            client.stop = True
        for client in clients:
            client.join()
    late = resident_kib(pid)
    for client in clients:
        check(client, sets)
    if len(sets) != reloads + 1 or max(sets) - min(sets) != reloads:
        raise RuntimeError(f"{reloads} reloads made {len(sets)} generations")
    print(json.dumps({"reloads": reloads, "answers": sum(len(c.answers) for c in clients), "early_kib": early,
                      "late_kib": late}))
    if late - early > GROWTH_KIB:
        raise RuntimeError(f"memory grew from {early} to {late} KiB")


main()
