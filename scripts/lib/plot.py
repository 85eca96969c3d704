"""Plots as plain SVG, readable on light and dark pages."""
import math

COLOURS = ["#7a869a", "#2f7ed8", "#e07b39", "#58a55c", "#a05fb4", "#c2a43a"]
STYLE = ("<style>text{font:12px sans-serif;fill:#57606a}line{stroke:#8b949e;stroke-width:.5;stroke-opacity:.6}"
         "@media(prefers-color-scheme:dark){text{fill:#b1bac4}}</style>")


def text(x, y, content, anchor="start", size=12):
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font-size:{size}px">{content}</text>'


def save(path, width, height, parts):
    with open(path, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                  f'height="{height}">{STYLE}\n' + "\n".join(parts) + "\n</svg>\n")


def short(value):
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def size(value):
    for limit, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= limit:
            return f"{value / limit:g} {unit}"
    return f"{value:g} B"


def legend(names, x, y, first=0):
    parts = []
    for i, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="{y - 10}" width="11" height="11" fill="{COLOURS[(first + i) % len(COLOURS)]}"/>')
        parts.append(text(x + 16, y, name))
        x += 28 + 7.5 * len(name)
    return parts


def bars(path, rows, names, values, title):
    """Horizontal bars on a logarithmic scale: `values[row, name]`, or None."""
    left, width, top, bar = 250, 900, 58, 9
    known = [v for v in values.values() if v]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    scale = (width - left - 70) / (high - low)
    heights = [sum(1 for n in names if values.get((r, n))) * bar + 12 for r in rows]
    height = top + sum(heights) + 24
    parts = [text(10, 20, title, size=14), *legend(names, 10, 42)]
    for power in range(low, high + 1):
        x = left + (power - low) * scale
        parts += [f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{height - 20}"/>',
                  text(x, height - 6, f"{10.0 ** power:g}", "middle", 11)]
    y = top
    for row, row_height in zip(rows, heights):
        parts.append(text(left - 8, y + row_height / 2, row, "end"))
        for i, name in enumerate(names):
            value = values.get((row, name))
            if not value:
                continue
            length = (math.log10(value) - low) * scale
            parts.append(f'<rect x="{left}" y="{y + 1:.1f}" width="{length:.1f}" height="{bar - 1}" '
                         f'fill="{COLOURS[i % len(COLOURS)]}"/>')
            parts.append(text(left + length + 4, y + bar, f"{value:.3g}", size=9))
            y += bar
        y += 12
    save(path, width, height, parts)


def tick(least):
    """The round number at or above `least` for the steps of an axis."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least)


def lines(path, series, title, x_title, y_title, label=short):
    """Lines over a logarithmic x and a y that begins at 0: `series[name]` is a list of (x, y)."""
    left, top, width, height = 60, 58, 640, 320
    first = 1 if len(series) == 1 else 0  # alone it is ours, and has the colour that it has beside others
    points = [p for s in series.values() for p in s]
    low, high = (math.log10(f(x for x, _ in points)) for f in (min, max))
    step = tick(max(y for _, y in points) / 4 or 1)
    y_max = step * math.ceil(max(y for _, y in points) * 1.02 / step)
    at = lambda x, y: (left + (math.log10(x) - low) / ((high - low) or 1) * (width - left - 30),  # noqa: E731
                       height - 45 - y / y_max * (height - 45 - top))
    parts = [text(10, 20, title, size=14), *legend(list(series), 10, 42, first), text(width / 2, height - 8, x_title, "middle")]
    for i in range(round(y_max / step) + 1):
        y = step * i
        parts += [f'<line x1="{left}" y1="{at(10 ** low, y)[1]:.1f}" x2="{width - 30}" y2="{at(10 ** low, y)[1]:.1f}"/>',
                  text(left - 6, at(10 ** low, y)[1] + 4, f"{y:.4g}", "end", 11)]
    for x in sorted({x for x, _ in points}):
        parts.append(text(at(x, 0)[0], height - 28, label(x), "middle", 11))
    parts.append(text(width - 30, top - 10, y_title, "end", 11))
    for i, (name, found) in enumerate(series.items()):
        colour = COLOURS[(first + i) % len(COLOURS)]
        path_text = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*p) for p in found))
        parts.append(f'<polyline points="{path_text}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (at(*p) for p in found)]
    save(path, width, height, parts)
