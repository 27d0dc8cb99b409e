"""A report in Markdown as one page of HTML that holds all of its pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

_STYLE = """
:root { color-scheme: light dark; --line: #cbd5e1; --soft: #64748b; --back: #fff; --text: #0f172a; }
@media (prefers-color-scheme: dark) {
  :root { --line: #334155; --soft: #94a3b8; --back: #0f172a; --text: #e2e8f0; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
p { max-width: 46rem; }
p:has(img) { max-width: none; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); min-width: 4rem; max-width: 26rem; }
th { color: var(--soft); font-weight: 600; }
img { max-width: 100%; background: #fff; }
code { font-size: .9em; }
"""
_NOT_INSTALLED = (
    "the page needs markdown-it-py; install it with: pip install 'microgradient[report]'"
)


def page(markdown: str, title: str, pictures: Mapping[str, bytes]) -> str:
    """Return a page; ``pictures`` are PNG files by the name that the text gives as their address.

    Raises ImportError without markdown-it-py.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise ImportError(_NOT_INSTALLED) from None
    body = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))
    body = body.replace("<table>", '<div class="table"><table>')
    body = body.replace("</table>", "</table></div>")
    for name, content in pictures.items():
        data = base64.b64encode(content).decode()
        body = body.replace(f'src="{html.escape(name)}"', f'src="data:image/png;base64,{data}"')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )
