"""Checks the links of a site on disk: every local page, image and part (#id) that is linked to is there; nothing is
loaded from elsewhere. Usage: links.py FOLDER"""

import html.parser
import pathlib
import re
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, file):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.ids.add(value)
            elif name in ("href", "src", "srcset", "poster", "data", "action"):
                (self.links if tag == "a" else self.loads).append(value)
            elif name.startswith("on"):
                self.loads.append(f"script in {name}")


def check(root):
    pages = {file: Page(file) for file in sorted(root.rglob("*.html"))}
    errors = []
    for file, page in pages.items():
        where = file.relative_to(root)
        for link in page.loads:
            if re.match(r"//|(?!data:)[a-z]+:|script in", link):
                errors.append(f"{where}: loads {link}")
        for link in page.links + page.loads:
            if re.match(r"[a-z]+:|script in", link):
                continue
            path, part = urllib.parse.urldefrag(link)
            target = (file.parent / urllib.parse.unquote(path)).resolve() if path else file
            if not target.is_file():
                errors.append(f"{where}: {link}: there is no such file")
            elif part and target in pages and urllib.parse.unquote(part) not in pages[target].ids:
                errors.append(f"{where}: {link}: that page has no such part")
    for style in root.rglob("*.css"):
        for link in re.findall(r"url\(([^)]*)\)|@import", style.read_text()):
            errors.append(f"{style.relative_to(root)}: loads {link}")
    return len(pages), sum(len(p.links) for p in pages.values()), errors


def main():
    count, links, errors = check(pathlib.Path(sys.argv[1]).resolve())
    for error in errors:
        print(error, file=sys.stderr)
    print(f"{count} pages, {links} links, {len(errors)} broken")
    sys.exit(1 if errors or count == 0 else 0)


if __name__ == "__main__":
    main()
