"""Runs the code of the documentation: every fenced block of the pages in the root, of docs and of the examples.

The first word of a fence is its language, what follows is for us:
  cpp        compiled: in a namespace of its own if it has includes, else as the inside of a coroutine (see PREAMBLE)
             needs=HEADER: only where this header (of another library) can be found
             alone: in a file of its own, because it opens a namespace of that library
  sh         run by bash in an empty folder, in a network of its own (so port 1883 is free), with the tools in PATH
             needs=COMMAND: only where there is such a command
             installed: together with the page's files where martlet is installed, with the cmake blocks
  console    the same for what follows "$ "; the other lines are what it prints, in any order
  cmake      configured against an installed martlet, beside the page's files; put behind project() if it has none
  ini, json, text  not code: files, diagrams, output
  no-run="REASON", no-compile="REASON"  neither, for this reason
A comment <!-- before: COMMANDS --> in front of a block is run before it, <!-- file: NAME --> makes the block a file.
Indented blocks and fences without a language are errors.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LANGUAGES = ("cpp", "sh", "console", "cmake", "ini", "json", "text")

# What a fragment may use without having made it.
PREAMBLE = """#include <martlet/accounts.hpp>
#include <martlet/blocking_client.hpp>
#include <martlet/bridge.hpp>
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/faults.hpp>
#include <martlet/http_status.hpp>
#include <martlet/martlet.hpp>
#include <martlet/scram.hpp>
#include <martlet/sqlite_store.hpp>
#include <martlet/testing.hpp>
#include <martlet/tls.hpp>
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <iostream>
#include <sqlite3.h>
#include <string>
namespace asio = boost::asio;
using namespace std::chrono_literals;
"""
FRAGMENT = """namespace {
[[maybe_unused]] asio::awaitable<void> block_%s([[maybe_unused]] asio::io_context& io, [[maybe_unused]] martlet::client& client,
    [[maybe_unused]] martlet::blocking_client& blocking, [[maybe_unused]] martlet::broker& broker,
    [[maybe_unused]] martlet::client_options client_options, [[maybe_unused]] martlet::broker_options broker_options,
    [[maybe_unused]] martlet::subscription& stream, [[maybe_unused]] const martlet::message message,
    [[maybe_unused]] sqlite3* database) {
#line %d "%s"
%s
    co_return;
}
}  // namespace
"""


class Block:
    def __init__(self, page, line, info, before, file):
        self.page, self.line, self.info, self.before, self.file = page, line, info, before, file
        self.text = ""
        words = info.split()
        self.language = words[0] if words else ""
        reason = re.search(r'no-(?:run|compile)="([^"]+)"', info)
        self.reason = reason.group(1) if reason else None
        self.needs = re.findall(r"needs=(\S+)", info)
        self.is_alone = "alone" in words[1:]
        self.is_for_installation = "installed" in words[1:] and self.language == "sh"
        self.name = re.sub(r"\W", "_", f"{page.parent.name}_{page.stem}_{line}").lower()

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def read(page):
    """The blocks of a page, and what is wrong with their form."""
    blocks, errors, current, before, file = [], [], None, "", None
    in_paragraph = in_list = in_comment = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if current is not None:
            if line.strip() == "```":
                blocks.append(current)
                current = None
                before, file = "", None
            else:
                current.text += line + "\n"
        elif line.startswith("```"):
            current = Block(page, number, line[3:].strip(), before, file)
            if current.language not in LANGUAGES:
                errors.append(f"{page.name}:{number}: a block whose language is '{current.language}'")
            in_paragraph = in_list = False
        elif in_comment or line.startswith("<!--"):
            in_comment = "-->" not in line
            order = re.match(r"<!-- before: (.*?)(?: -->)?$", line)
            before += (order.group(1) if order else line.replace("-->", "") if before else "") + "\n"
            named = re.match(r"<!-- file: (\S+) -->", line)
            file = named.group(1) if named else file
        elif not line.strip():
            in_paragraph = False
        else:
            in_list = in_list and line[0] == " " or re.match(r"\s*([-*]|\d+\.) ", line) is not None
            if line.startswith("    ") and not in_paragraph and not in_list:
                errors.append(f"{page.name}:{number}: an indented block; use a fence with a language")
            in_paragraph = not line.startswith("#")
    if current is not None:
        errors.append(f"{page.name}:{current.line}: a fence that does not end")
    return blocks, errors


# ---- C++

def has_header(header, compiler):
    return subprocess.run([*compiler, "-fsyntax-only", "-x", "c++", "-include", header, "/dev/null"],
                          capture_output=True).returncode == 0


PROGRAM = """namespace program_%s {
#line %d "%s"
%s
}
"""


def compile_all(blocks, compiler, folder):
    """Nearly everything in one file, since most of the time goes into the headers: programs in a namespace each,
    fragments in a coroutine each."""
    parts, includes, skipped, count, sources = [], [], [], 0, []
    for block in blocks:
        if block.language != "cpp" or block.reason:
            continue
        missing = [h for h in block.needs if not has_header(h, compiler)]
        if missing:
            skipped.append(f"{block}: {missing[0]} is missing")
            continue
        count += 1
        if block.is_alone:
            sources.append(folder / f"{block.name}.cpp")
            sources[-1].write_text(f'#line {block.line + 1} "{block.page.name}"\n{block.text}')
        elif "#include" in block.text:
            includes += re.findall(r"^#include .*", block.text, re.M)
            parts.append(PROGRAM % (block.name, block.line + 1, block.page.name,
                                    re.sub(r"^#include .*", "", block.text, flags=re.M).replace("int main(", "int run(")))
        else:
            parts.append(FRAGMENT % (block.name, block.line + 1, block.page.name, block.text))
    sources.append(folder / "blocks.cpp")
    sources[-1].write_text("\n".join(sorted(set(includes))) + "\n" + PREAMBLE + "".join(parts))
    wrong = []
    for source in sources:
        result = subprocess.run([*compiler, "-fsyntax-only", source], capture_output=True, text=True)
        if result.returncode != 0:
            wrong.append(result.stderr)
    return count, skipped, wrong


# ---- shell

# After a command in the background: a broker or proxy has to listen before it is of use.
SETTLE = """settle() { for _ in $(seq 200); do martlet ping -p $1 -C 1 >/dev/null 2>&1 && return; sleep 0.02; done; }
"""


def script_of(commands):
    lines = []
    for line in commands.splitlines():
        lines.append(line)
        code = re.sub(r"\s+#.*$", "", line).rstrip()
        server = re.search(r"martlet (?:broker|proxy)\b", code)
        if code.endswith("&") and not code.endswith("&&") and server and "--port-file" not in code:
            port = re.search(r" -p (\d+)", code)
            lines.append(f"settle {port.group(1) if port else 1883}")
    return "\n".join(lines) + "\n"


def split_console(text):
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return "\n".join(commands), [line for line in text.splitlines() if not line.startswith("$ ")]


def own_network():
    """The words in front of a command that give it a network of its own; none if that cannot be had here. Root needs no
    namespace of users for it, which would be refused in a chroot; others do."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*words, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
            return words
    return []


def run_page(blocks, network, environment):
    """All blocks of a page, one after the other in one shell and one folder: later ones use what earlier ones made."""
    count, failed, skipped = 0, [], []
    folder = pathlib.Path(tempfile.mkdtemp())
    script, expected = ["set -e", "ip link set lo up", SETTLE], []
    for block in blocks:
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)
        if block.language not in ("sh", "console") or block.reason or block.is_for_installation:
            continue
        missing = [c for c in block.needs if not shutil.which(c, path=environment["PATH"])]
        if missing:
            skipped.append(f"{block}: {missing[0]} is missing")
            continue
        count += 1
        commands, prints = (block.text, None) if block.language == "sh" else split_console(block.text)
        script.append(f"echo 'at {block}' >&2")
        if block.before:
            script.append(script_of(block.before).strip() or ":")
        output = folder / f".printed-{block.line}"
        script.append("{\n" + script_of(commands) + f"}} > {output.name} < /dev/null")
        if prints is not None:
            expected.append((block, output, prints))
    if count == 0:
        shutil.rmtree(folder)
        return 0, [], skipped
    (folder / ".script").write_text("\n".join(script) + "\necho 'all done' >&2\n")
    log = open(folder / ".log", "w+")
    shell = subprocess.Popen([*network, "bash", ".script"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, start_new_session=True, env=environment | {"HOME": str(folder)})
    try:
        status = shell.wait(timeout=120)
    except subprocess.TimeoutExpired:
        status = "no end"
    log.seek(0)
    said = log.read()
    if status != 0:
        failed.append(f"{blocks[0].page.name}: {status}\n{said}")
    else:
        for block, output, prints in expected:  # what runs in the background may still be printing
            for _ in range(400):
                if sorted(output.read_text().splitlines()) == sorted(prints):
                    break
                time.sleep(0.05)
            else:
                failed.append(f"{block} prints\n{output.read_text()}instead of\n" + "\n".join(prints))
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    log.close()
    shutil.rmtree(folder)
    return count, failed, skipped


# ---- against an installation

def run_installed(blocks, prefix, generator, folder):
    """Blocks of shell that need an installed martlet, beside the files of their pages."""
    count, failed = 0, []
    found = ":".join(str(p.parent) for p in pathlib.Path(prefix).glob("**/pkgconfig/martlet-core.pc"))
    environment = os.environ | {"PKG_CONFIG_PATH": found, "PREFIX": prefix, "CMAKE_GENERATOR": generator}
    for block in blocks:
        if not block.is_for_installation:
            continue
        count += 1
        beside = folder / f"{block.name}_files"
        beside.mkdir()
        for other in blocks:
            if other.page == block.page and other.file:
                (beside / other.file).write_text(other.text)
        result = subprocess.run(["bash", "-e", "-c", block.text], cwd=beside, env=environment, capture_output=True, text=True)
        if result.returncode != 0:
            failed.append(f"{block}: {result.returncode}\n{result.stdout}{result.stderr}")
    return count, failed


def configure(blocks, prefix, root, generator, folder):
    count, failed = 0, []
    for block in blocks:
        if block.language != "cmake" or block.reason:
            continue
        count += 1
        project = folder / block.name
        project.mkdir()
        text = block.text.replace("https://example.org/martlet.git", f"file://{root}")
        if "project(" not in text:
            text = ("cmake_minimum_required(VERSION 3.25)\nproject(user LANGUAGES CXX)\n"
                    "add_executable(gate gate.cpp)\n" + text)
            (project / "gate.cpp").write_text("int main() {}\n")
        for other in blocks:
            if other.file and other.page == block.page:
                (project / other.file).write_text(other.text)
        (project / "CMakeLists.txt").write_text(text)
        result = subprocess.run(["cmake", "-G", generator, "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
                                 f"-DFETCHCONTENT_SOURCE_DIR_MARTLET={root}"], capture_output=True, text=True)
        if result.returncode != 0:
            failed.append(f"{block}: cmake says\n{result.stdout}{result.stderr}")
    return count, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path, help="the source tree")
    parser.add_argument("what", choices=("form", "compile", "run", "cmake"))
    parser.add_argument("--compiler", default="c++", help="with its options, one string separated by ;")
    parser.add_argument("--path", default="", help="folders with the programs, before PATH")
    parser.add_argument("--prefix", default="", help="an installed martlet, for cmake blocks")
    parser.add_argument("--generator", default="Ninja", help="CMake's, for cmake blocks")
    parser.add_argument("--only", default="", help="a part of the page's name")
    given = parser.parse_args()
    root = given.root.resolve()
    pages = sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")])
    pages = [p for p in pages if given.only in str(p)]
    blocks, failed = [], []
    for page in pages:
        found, errors = read(page)
        blocks += found
        failed += errors
    if given.what == "form":
        code = [b for b in blocks if b.language in ("cpp", "sh", "console", "cmake")]
        excused = [b for b in code if b.reason]
        for block in excused:
            print(f"{block}: not run: {block.reason}")
        print(f"{len(blocks)} blocks, {len(code)} of them code, {len(excused)} not run for a stated reason")
    elif given.what == "compile":
        with tempfile.TemporaryDirectory() as folder:
            count, skipped, wrong = compile_all(blocks, given.compiler.split(";"), pathlib.Path(folder))
        failed = wrong
        for text in skipped:
            print(f"skipped: {text}")
        print(f"{count} blocks of C++ compiled, {len(skipped)} skipped")
    elif given.what == "run":
        network = own_network()
        if not network:
            print("skipped: no network namespace can be made here")
            return
        environment = dict(os.environ, PATH=f"{given.path}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
        failed, count = [], 0
        for page in pages:
            n, wrong, skipped = run_page([b for b in blocks if b.page == page], network, environment)
            count += n
            failed += wrong
            for text in skipped:
                print(f"skipped: {text}")
        print(f"{count} blocks of shell run")
    else:
        with tempfile.TemporaryDirectory() as folder:
            count, failed = configure(blocks, given.prefix, root, given.generator, pathlib.Path(folder))
            if shutil.which("pkg-config"):
                others, wrong = run_installed(blocks, given.prefix, given.generator, pathlib.Path(folder))
                failed += wrong
                print(f"{others} blocks of shell run with the installation")
            else:
                print("skipped: the blocks that use an installation: pkg-config is missing")
        print(f"{count} blocks of CMake configured")
    for text in failed:
        print(text, file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
