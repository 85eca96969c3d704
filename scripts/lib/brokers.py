"""Brokers on loopback as the benchmarks start them, and what tests/bench/load.cpp finds with each."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def fail(text):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {text}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Broker:
    """One process, freshly started for each round; `ports` by kind: tcp, tls, ws."""

    def __init__(self, name, program, folder, certificate=None):
        self.name, self.program, self.folder = name, program, tempfile.mkdtemp(dir=folder)
        self.process, self.ports, self.certificate = None, {}, certificate

    def start(self):
        getattr(self, "start_" + ("martlet" if self.name.startswith("martlet") else self.name))()
        return self

    def run(self, arguments, **more):
        self.process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, **more)

    def wait_for(self, port):
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.025)
        fail(f"{self.name} does not listen")

    def start_raw(self):
        port_file = os.path.join(self.folder, "port")
        tls = []
        if self.program.endswith("+tls"):
            tls = ["--certificate", self.certificate[0], "--key", self.certificate[1]]
        self.run([self.program.removesuffix("+tls"), "--port-file", port_file, *tls], stdout=subprocess.DEVNULL)
        while not os.path.exists(port_file):
            time.sleep(0.02)
        self.ports["tls" if tls else "tcp"] = int(open(port_file).read())

    def start_martlet(self):
        ports = {kind: free_port() for kind in ("tcp", "ws", "tls")}
        if self.program.endswith("_bench_broker"):
            return self.start_embedded(ports)
        arguments = [self.program, "broker", "-p", str(ports["tcp"]), "--listen", f"ws://127.0.0.1:{ports['ws']}"]
        if self.certificate:
            arguments += ["--listen", f"mqtts://127.0.0.1:{ports['tls']}", "--certfile", self.certificate[0]]
            arguments += ["--keyfile", self.certificate[1]]
        self.run(arguments, stdout=subprocess.DEVNULL)
        self.ports = ports
        self.wait_for(ports["tcp"])

    def start_embedded(self, ports):
        tls = ["--certificate", self.certificate[0], "--key", self.certificate[1]] if self.certificate else []
        schemes = {"tcp": "mqtt", "ws": "ws"} | ({"tls": "mqtts"} if self.certificate else {})
        urls = [f"{scheme}://127.0.0.1:{ports[kind]}" for kind, scheme in schemes.items()]
        self.run([self.program, *tls, *urls], stdout=subprocess.DEVNULL)
        self.ports = {kind: ports[kind] for kind in schemes}
        self.wait_for(ports["tcp"])

    def start_mosquitto(self):
        port = free_port()
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w") as out:
            out.write(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n"
                      "connection_messages false\nsys_interval 0\nset_tcp_nodelay true\nmax_queued_messages 0\n"
                      "max_queued_bytes 0\nmax_inflight_messages 1000\n")
        self.run([self.program, "-c", conf], stdout=subprocess.DEVNULL)
        self.ports["tcp"] = port
        self.wait_for(port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def make_certificate(folder):
    if not shutil.which("openssl"):
        return None
    files = os.path.join(folder, "crt"), os.path.join(folder, "key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-out", files[0], "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)
    return files


def kind_of(arguments):
    return "tls" if "--tls" in arguments else "ws" if "--websocket" in arguments else "tcp"


def measure(load, broker, case, arguments, seconds):
    """The generator's findings; None, and a line on stderr, if there are none."""
    command = [load, "--port", str(broker.ports[kind_of(arguments)]), "--broker-pid", str(broker.process.pid),
               "--seconds", str(seconds), *arguments]
    # Only fan-out multiplies what each subscriber has to take before the next turn of a slow broker.
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.strip():
        print(f"  {broker.name} {case}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def mosquitto():
    return shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")


def write_into(path, section, lines):
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    text = open(path).read()
    if begin not in text:
        fail(f"{path} has no {begin}")
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    with open(path, "w") as out:
        out.write(head + begin + "\n" + "\n".join(lines) + end + tail)
