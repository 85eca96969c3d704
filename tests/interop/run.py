"""Puts other people's MQTT clients through the same exchange with our broker and makes the table of docs/interop.md.

run.py --martlet PROGRAM --drivers FOLDER [--client NAME]... [--version V]... [--transport T]... [--table FILE]
       [--fault RULE]...

A client whose driver says that it is missing is skipped, aloud. With --fault all goes through `martlet proxy` with these
rules. Exit code 1 if anything fails.
"""
import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = {"3": "3.1", "4": "3.1.1", "5": "5.0"}
# What each client speaks.
ALL, NATIVE, WEB = ("tcp", "tls", "ws", "wss"), ("tcp", "tls"), ("ws", "wss")
CLIENTS = {
    "mosquitto-clients": (("3", "4", "5"), NATIVE),
    "libmosquitto": (("3", "4", "5"), NATIVE),
    "paho-c": (("3", "4", "5"), ALL),
    "paho-cpp": (("3", "4", "5"), ALL),
    "paho-python": (("3", "4", "5"), ALL),
    "paho-go": (("3", "4"), ALL),
    "mqtt-js": (("3", "4", "5"), ALL),
    "mqtt-js-chromium": (("3", "4", "5"), WEB),
}
# mosquitto_sub says "disconnect with will message" (0x04) in MQTT 5 when it is ended by a signal.
WILL_AT_DISCONNECT = {("mosquitto-clients", "5")}
PAYLOADS = {"empty": b"", "text": "grüße".encode(), "binary": bytes(range(256)) * 2,
            "100 kB": bytes((i * i >> 3) & 255 for i in range(100_000))}
ANSWER_TIMEOUT = 60  # seconds; only what hangs reaches it


class Failure(Exception):
    pass


def command_of(client, drivers):
    """The driver's command line; None and the reason if it cannot run here."""
    scripts = {"mosquitto-clients": ["/usr/bin/python3", "mosquitto_clients.py"],
               "paho-python": ["/usr/bin/python3", "paho_python.py"],
               "mqtt-js": ["node", "mqtt_node.js"], "mqtt-js-chromium": ["node", "mqtt_chromium.js"]}
    reason_file = os.path.join(drivers, client + ".missing")
    if os.path.exists(reason_file):
        with open(reason_file, encoding="utf-8") as file:
            return None, file.read().strip()
    if client in scripts:
        program, script = scripts[client]
        return [program, os.path.join(HERE, script)], None
    path = os.path.join(drivers, client)
    return ([path], None) if os.path.exists(path) else (None, "its driver was not built")


class Connection:
    """One process of a driver: one connection."""

    def __init__(self, command, place, version):
        self.version = version
        self.program = subprocess.Popen(command + [*place[:3], version, place[3]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answers, self.messages = queue.Queue(), queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.program.stdout:
            (self.messages if line.startswith("message ") else self.answers).put(line.rstrip("\n"))
        for lines in (self.answers, self.messages):
            lines.put("end")

    @staticmethod
    def take(lines, what):
        try:
            return lines.get(timeout=ANSWER_TIMEOUT)
        except queue.Empty:
            raise Failure(f"no answer: {what}") from None

    def ask(self, line, expected):
        self.program.stdin.write(line + "\n")
        got = self.take(self.answers, line[:60])
        if not got.startswith(expected):
            raise Failure(f"'{line[:60]}' was answered by '{got}'")
        return got

    def connect(self, client_id, clean, resume=False, will=None):
        words = [client_id, str(int(clean)), str(int(resume))]
        if will:
            topic, qos, retain, payload = will
            words += [topic, str(qos), str(int(retain)), payload.hex() or "-"]
        present = self.ask("connect " + " ".join(words), "connected").split()[1]
        if self.version != "3" and present not in ("?", str(int(resume))):  # MQTT 3.1 does not tell
            raise Failure(f"session present is {present}, not {int(resume)}")

    def subscribe(self, topic, qos):
        self.ask(f"subscribe {topic} {qos}", "subscribed")

    def publish(self, topic, qos, payload, retain=False):
        self.ask(f"publish {topic} {qos} {int(retain)} {payload.hex() or '-'}", "published")

    def expect(self, topic, qos, payload, retain=False):
        got = self.take(self.messages, f"message on {topic}")
        if got != f"message {topic} {qos} {int(retain)} {payload.hex() or '-'}":
            raise Failure(f"expected {topic} at QoS {qos} retain {int(retain)} with {len(payload)} bytes, "
                          f"got '{got[:80]}'")

    def disconnect(self):
        self.ask("disconnect", "disconnected")
        self.wait()

    def drop(self):
        """Ends the connection without DISCONNECT."""
        self.program.stdin.write("drop\n")
        self.wait()

    def wait(self):
        self.program.stdin.close()
        self.program.wait(ANSWER_TIMEOUT)

    def close(self):
        if self.program.poll() is None:
            self.program.terminate()
            try:
                self.program.wait(10)
            except subprocess.TimeoutExpired:
                self.program.kill()
                self.program.wait()


class Exchange:
    """What each client has to be able to do, with topics and ids of its own."""

    def __init__(self, client, command, place, version, name):
        self.client, self.command, self.place, self.version, self.name = client, command, place, version, name
        self.open = []

    def connection(self):
        self.open.append(Connection(self.command, self.place, self.version))
        return self.open[-1]

    def connected(self, suffix, clean=True, **more):
        made = self.connection()
        made.connect(f"{self.name}-{suffix}", clean, **more)
        return made

    def close(self):
        for connection in self.open:
            connection.close()

    def run(self):
        try:
            self.publisher = self.connected("pub")
            for qos in (0, 1, 2):
                self.payloads(qos)
            self.retained()
            self.wills()
            self.sessions()
            self.publisher.disconnect()
        finally:
            self.close()

    def payloads(self, qos):
        topic = f"{self.name}/qos{qos}"
        receiver = self.connected(f"sub{qos}")
        receiver.subscribe(topic, qos)
        for payload in PAYLOADS.values():
            self.publisher.publish(topic, qos, payload)
            receiver.expect(topic, qos, payload)
        receiver.disconnect()

    def retained(self):
        topic, payload = f"{self.name}/retained", PAYLOADS["binary"]
        self.publisher.publish(topic, 1, payload, retain=True)
        receiver = self.connected("keeper")
        receiver.subscribe(topic, 1)
        receiver.expect(topic, 1, payload, retain=True)
        receiver.disconnect()
        self.publisher.publish(topic, 1, b"", retain=True)  # removes it
        receiver = self.connected("keeper2")
        receiver.subscribe(topic, 1)
        self.publisher.publish(topic, 1, b"only this")
        receiver.expect(topic, 1, b"only this")
        receiver.disconnect()

    def wills(self):
        topic, payload = f"{self.name}/will", b"gone"
        receiver = self.connected("heir")
        receiver.subscribe(topic, 1)
        mortal = self.connected("mortal", will=(topic, 1, False, payload))
        mortal.disconnect()  # in order: no will
        if (self.client, self.version) in WILL_AT_DISCONNECT:
            receiver.expect(topic, 1, payload)
        mortal = self.connected("mortal", will=(topic, 1, False, b"lost"))
        mortal.drop()
        receiver.expect(topic, 1, b"lost")
        receiver.disconnect()

    def sessions(self):
        topic = f"{self.name}/session"
        receiver = self.connected("sleeper", clean=False)
        receiver.subscribe(topic, 2)
        receiver.disconnect()
        for qos in (1, 2):
            for payload in PAYLOADS.values():
                self.publisher.publish(topic, qos, payload)
        receiver = self.connection()
        receiver.connect(f"{self.name}-sleeper", False, resume=True)
        for qos in (1, 2):
            for payload in PAYLOADS.values():
                receiver.expect(topic, qos, payload)
        receiver.disconnect()


class Broker:
    def __init__(self, martlet, folder):
        listeners = [word for t in ("mqtt", "mqtts", "ws", "wss") for word in ("--listen", f"{t}://127.0.0.1:0")]
        self.program = subprocess.Popen([martlet, "broker", *listeners, "--tls-auto", folder, "--json-ready"],
                                        stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.program.stdout.readline())
        self.ports = {t: url.rsplit(":", 1)[1].split("/")[0] for t, url in zip(ALL, ready["listeners"])}
        self.ca_file = os.path.join(folder, "ca.crt")
        os.environ["SERVER_CERTIFICATE"] = os.path.join(folder, "server.crt")

        self.proxies = []

    def go_through_proxies(self, martlet, rules):
        for transport, port in self.ports.items():
            self.proxies.append(subprocess.Popen(
                [martlet, "proxy", "--to", "127.0.0.1:" + port, "--json-ready"] +
                [word for rule in rules for word in ("--fault", rule)], stdout=subprocess.PIPE, text=True))
            self.ports[transport] = str(json.loads(self.proxies[-1].stdout.readline())["port"])

    def place(self, transport):
        return "127.0.0.1", self.ports[transport], transport, self.ca_file

    def stop(self):
        """The broker's exit code, and how many faults there were."""
        faults = 0
        for proxy in self.proxies:
            proxy.terminate()
            faults += json.loads(proxy.stdout.readline())["faults"]
            proxy.wait(30)
        self.program.terminate()
        return self.program.wait(30), faults


def table(results, labels):
    lines = ["| client | version | TCP | TLS | WebSocket | WebSocket over TLS |", "|---|---|---|---|---|---|"]
    for client, (versions, transports) in CLIENTS.items():
        for version in versions:
            if not any((client, version, t) in results for t in ALL):
                continue
            cells = [results.get((client, version, t), "" if t in transports else "–") for t in ALL]
            lines.append(f"| {labels.get(client, client)} | {VERSIONS[version]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--drivers", required=True)
    parser.add_argument("--client", action="append", choices=CLIENTS)
    parser.add_argument("--version", action="append", choices=VERSIONS)
    parser.add_argument("--transport", action="append", choices=ALL)
    parser.add_argument("--fault", action="append", help="a rule of martlet proxy")
    parser.add_argument("--table")
    parser.add_argument("--labels", help="JSON: name and version of each client")
    options = parser.parse_args()
    labels = {}
    if options.labels:
        with open(options.labels, encoding="utf-8") as file:
            labels = json.load(file)

    results, failures, skipped = {}, [], []
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(options.martlet, os.path.join(folder, "tls"))
        if options.fault:
            broker.go_through_proxies(options.martlet, options.fault)
        for client in options.client or CLIENTS:
            command, missing = command_of(client, options.drivers)
            if missing:
                skipped.append(client)
                print(f"SKIPPED: {client}: {missing}", flush=True)
                continue
            versions, transports = CLIENTS[client]
            for version in [v for v in versions if v in (options.version or VERSIONS)]:
                for transport in [t for t in transports if t in (options.transport or ALL)]:
                    name = f"{client}-{version}-{transport}"
                    started = time.monotonic()
                    try:
                        Exchange(client, command, broker.place(transport), version, name).run()
                        results[client, version, transport] = "pass"
                        print(f"pass {name} ({time.monotonic() - started:.1f} s)", flush=True)
                    except Failure as failure:
                        results[client, version, transport] = "FAIL"
                        failures.append(name)
                        print(f"FAIL {name}: {failure}", flush=True)
        status, faults = broker.stop()
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write(table(results, labels))
    print(f"{sum(r == 'pass' for r in results.values())} of {len(results)} combinations pass; "
          f"{len(skipped)} clients skipped" + (f"; faults={faults}" if options.fault else ""), flush=True)
    return 1 if failures or not results or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
