"""Writes the documentation site: every page of docs/, README.md and the like as HTML in one look, and around Doxygen's
reference the same frame. scripts/docs calls it. Needs cmark-gfm (the renderer that repository hosts use) and nothing else.

Links between pages keep working: x.md#part becomes x.html#part, a public header its page in the reference, and any other
file of the tree a page with its text. A link to a file that is not there is an error.
"""

import argparse
import html
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The order of the menu. Pages of docs/ that nobody has put here come at the end of the guide.
MENU = [
    ("Start", ["README.md", "docs/getting-started.md", "docs/examples.md"]),
    ("Guide", ["docs/client.md", "docs/broker.md", "docs/transports.md", "docs/persistence.md", "docs/cli.md",
               "docs/benchmarks.md", "docs/scaling.md"]),
    ("Coming from", ["docs/from-paho-cpp.md", "docs/from-libmosquitto.md", "docs/from-boost-mqtt5.md",
                     "docs/from-mosquitto-tools.md"]),
    ("Reference", ["reference/index.html"]),
    ("How good", ["docs/conformance.md", "docs/performance.md", "docs/reliability.md", "docs/security.md",
                  "docs/interop.md", "docs/comparison.md"]),
    ("Project", ["docs/architecture.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]),
]
TITLES = {"README.md": "Martlet", "reference/index.html": "C++ reference", "CHANGELOG.md": "Changes",
          "SECURITY.md": "Reporting a vulnerability", "docs/cli.md": "Command line", "docs/from-mosquitto-tools.md": "Mosquitto's tools",
          "docs/from-paho-cpp.md": "Paho C++", "docs/from-libmosquitto.md": "libmosquitto",
          "docs/from-boost-mqtt5.md": "Boost.MQTT5"}

KEYWORDS = """alignas auto bool break case catch char class co_await co_return co_yield concept const constexpr continue
default delete do double else enum explicit extern false final float for friend if inline int long mutable namespace new
noexcept nullptr operator override private protected public requires return short signed sizeof static static_assert
static_cast struct switch template this throw true try typename union unsigned using virtual void volatile while""".split()
CPP = re.compile(r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<preprocessor>^[ \t]*#[^\n]*)|"
                 r"(?P<stringliteral>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])')|(?P<word>[A-Za-z_]\w*)", re.M | re.S)
SHELL = re.compile(r"(?P<comment>(?:^|(?<=\s))#[^\n]*)|(?P<prompt>^\$ )|(?P<stringliteral>\"[^\"\n]*\"|'[^'\n]*')", re.M)


def fail(text):
    sys.exit(f"docs: {text}")


def output_of(source):
    """Where a page of the menu goes, relative to the site."""
    if source.endswith(".html"):
        return source
    if source == "README.md":
        return "index.html"
    if source.endswith("/README.md"):  # of an example
        return "example-" + pathlib.PurePosixPath(source).parent.name + ".html"
    return pathlib.PurePosixPath(source).stem.lower() + ".html"


def title_of(source):
    if source in TITLES:
        return TITLES[source]
    first = (ROOT / source).read_text().splitlines()[0]
    return first.lstrip("# ").split(":")[0]


def menu():
    """The menu with the pages that exist, and those that nobody has listed."""
    listed = {page for _, pages in MENU for page in pages}
    others = sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md") if f"docs/{p.name}" not in listed)
    result = []
    for section, pages in MENU:
        there = [p for p in pages + (others if section == "Guide" else []) if p.endswith(".html") or (ROOT / p).exists()]
        result.append((section, there))
    return result


def frame(title, prefix, current=""):
    """What stands before and after the content of each page; `prefix` leads to the root of the site."""
    entries = []
    for section, pages in menu():
        items = "".join(
            f'<li><a href="{prefix}{output_of(p)}"{" aria-current=page" if p == current else ""}>'
            f"{html.escape(title_of(p))}</a></li>" for p in pages)
        entries.append(f"<h2>{section}</h2><ul>{items}</ul>")
    head = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{prefix}style.css">
</head>
<body>
<header><a class="name" href="{prefix}index.html">Martlet</a><span>MQTT for modern C++</span>
<a class="to-menu" href="#menu">Pages</a></header>
<main>
"""
    foot = f"""</main>
<nav id="menu" aria-label="Pages">{"".join(entries)}</nav>
</body>
</html>
"""
    return head, foot


def highlight(language, text):
    pattern = {"cpp": CPP, "sh": SHELL, "console": SHELL, "cmake": SHELL, "ini": SHELL}.get(language)
    if pattern is None:
        return html.escape(text, quote=False)
    parts, at = [], 0
    for token in pattern.finditer(text):
        kind = token.lastgroup
        if kind == "word":
            if token.group() not in KEYWORDS:
                continue
            kind = "keyword"
        parts.append(html.escape(text[at:token.start()], quote=False))
        parts.append(f'<span class="{kind}">{html.escape(token.group(), quote=False)}</span>')
        at = token.end()
    return "".join(parts) + html.escape(text[at:], quote=False)


def slug(text, taken):
    """The id of a heading, as repository hosts make it."""
    plain = html.unescape(re.sub(r"<[^>]*>", "", text)).strip().lower()
    base = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
    name, n = base, 0
    while name in taken:
        n += 1
        name = f"{base}-{n}"
    taken.add(name)
    return name


class Site:
    def __init__(self, into):
        self.into = into
        self.pages = [p for _, pages in menu() for p in pages if not p.endswith(".html")]
        self.pages += sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("examples/*/README.md"))
        self.sources = {}  # files of the tree that pages link to: path -> page of the site
        self.errors = []

    def write(self, path, text):
        target = self.into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def target_of(self, page, link):
        """What a link of `page` (a path in the tree) becomes, relative to the root of the site."""
        path, _, part = link.partition("#")
        part = f"#{part}" if part else ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        file = ROOT / path
        if path in self.pages:
            return output_of(path) + part
        if not file.exists():
            self.errors.append(f"{page}: {link} leads nowhere")
            return link
        if path == "examples":
            return "examples.html"
        if path.startswith("include/martlet"):
            header = pathlib.PurePosixPath(path)
            name = header.name.replace("_", "__").replace(".", "_8")
            return f"reference/{name}.html" if header.suffix else "reference/index.html"
        if file.is_dir():
            self.errors.append(f"{page}: {link} is a folder without a page")
            return link
        if file.suffix in (".png", ".svg"):
            self.into.joinpath("images").mkdir(exist_ok=True)
            shutil.copy(file, self.into / "images" / file.name)
            return f"images/{file.name}"
        self.sources[path] = f"source/{path}.html"
        return self.sources[path] + part

    def render(self, page):
        text = (ROOT / page).read_text()
        body = subprocess.run(["cmark-gfm", "--unsafe", "--github-pre-lang", "--full-info-string", "-e", "table", "-e", "autolink",
                               "-e", "strikethrough"], input=text, text=True, capture_output=True, check=True).stdout
        body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.S)  # orders to the test of the code
        taken = set()
        body = re.sub(r"<h([1-6])>(.*?)</h\1>",
                      lambda m: f'<h{m[1]} id="{slug(m[2], taken)}">{m[2]}</h{m[1]}>', body, flags=re.S)
        body = re.sub(r"<pre(?: lang=\"(\w+)\"[^>]*)?><code>(.*?)</code></pre>",
                      lambda m: f'<pre class="{m[1] or "text"}"><code>{highlight(m[1], html.unescape(m[2]))}</code></pre>',
                      body, flags=re.S)
        body = re.sub(r"<table>.*?</table>", lambda m: f'<div class="wide">{m[0]}</div>', body, flags=re.S)

        def relink(m):
            link = html.unescape(m[2])
            if re.match(r"[a-z]+:", link):
                return m[0]
            return f'{m[1]}="{html.escape(self.target_of(page, link))}"'
        body = re.sub(r'\b(href|src)="([^"]*)"', relink, body)
        head, foot = frame(f"{title_of(page)} · Martlet" if page != "README.md" else "Martlet", "", page)
        self.write(output_of(page), head + body + foot)

    def render_source(self, path, output):
        language = {".cpp": "cpp", ".hpp": "cpp", ".html": "text", ".mjs": "text"}.get(pathlib.PurePosixPath(path).suffix, "sh")
        head, foot = frame(f"{path} · Martlet", "../" * output.count("/"))
        text = highlight(language, (ROOT / path).read_text())
        self.write(output, f"{head}<h1>{html.escape(path)}</h1>\n<pre><code>{text}</code></pre>\n{foot}")

    def build(self):
        self.write("style.css", (ROOT / "docs/site/style.css").read_text())
        for page in self.pages:
            self.render(page)
        for path, output in self.sources.items():
            self.render_source(path, output)
        for text in self.errors:
            print(f"docs: {text}", file=sys.stderr)
        return not self.errors


def reference(into):
    """Doxygen's pages of the public headers, in our frame and without scripts."""
    build = into / ".doxygen"
    build.mkdir(parents=True, exist_ok=True)
    head, foot = frame("$title · Martlet", "$relpath^../", "reference/index.html")
    (build / "head.html").write_text(head)
    (build / "foot.html").write_text(foot)
    settings = (ROOT / "docs/Doxyfile").read_text() + f"""
INPUT += docs/site/reference.md
USE_MDFILE_AS_MAINPAGE = docs/site/reference.md
OUTPUT_DIRECTORY = {into}
HTML_OUTPUT = reference
HTML_HEADER = {build}/head.html
HTML_FOOTER = {build}/foot.html
HTML_STYLESHEET = docs/site/style.css
HTML_DYNAMIC_SECTIONS = NO
DISABLE_INDEX = YES
GENERATE_TREEVIEW = NO
SEARCHENGINE = NO
VERBATIM_HEADERS = NO
SHOW_NAMESPACES = NO
SORT_MEMBER_DOCS = NO
"""
    result = subprocess.run(["doxygen", "-"], input=settings, text=True, cwd=ROOT, capture_output=True)
    sys.stderr.write(result.stderr)
    folder = into / "reference"
    for file in folder.glob("*.html"):
        text = file.read_text()
        text = re.sub(r"<script.*?</script>", "", text, flags=re.S)
        text = re.sub(r'<tr class="inherit.*?</tr>', "", text, flags=re.S)  # would need a script to unfold
        text = text.replace('<a href="#nested-classes">Classes</a> &#124;', "") if 'id="nested-classes"' not in text and \
            'name="nested-classes"' not in text else text
        text = re.sub(r'<span[^>]*onclick="[^"]*"[^>]*>.*?</span>', "", text, flags=re.S)
        text = re.sub(r'<div class="levels">.*?</div>', "", text, flags=re.S)
        text = re.sub(r"<table class=\"(memberdecls|fieldtable|directory|params|doxtable|markdownTable)[^\"]*\".*?</table>",
                      lambda m: f'<div class="wide">{m[0]}</div>', text, flags=re.S)
        file.write_text(text)
    for pattern in ("*.js", "*.png", "*.svg", "*.css"):
        for file in folder.glob(pattern):
            file.unlink()
    shutil.rmtree(build)
    return result.returncode == 0 and not result.stderr.strip()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("into", type=pathlib.Path)
    arguments.add_argument("--no-reference", action="store_true", help="without Doxygen")
    given = arguments.parse_args()
    into = given.into.resolve()
    if into.exists():
        if not (into / "style.css").exists() and any(into.iterdir()):
            fail(f"{into} is not a site of ours; not removed")
        shutil.rmtree(into)
    into.mkdir(parents=True)
    is_right = Site(into).build()
    if not given.no_reference:
        is_right = reference(into) and is_right
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
