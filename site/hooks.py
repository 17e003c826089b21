"""What the site needs beyond the pages: links to files that are no pages lead to the repository."""

import glob
import html
import os
import re

LINK = re.compile(r"\]\(([^()\s#]+)(#[^()\s]*)?\)")
FENCE = re.compile(r"(?ms)(^ *```.*?^ *```)")


FIRST = ["README.md", "docs/getting-started.md", "docs/choosing.md", "docs/journeys.md"]


def on_config(config):
    """Puts every page into the menu, under its first heading, and the version into the title."""
    pages = sorted(glob.glob("**/*.md", root_dir=config.docs_dir, recursive=True))

    def titled(path):
        with open(os.path.join(config.docs_dir, path), encoding="utf-8") as f:
            heading = next((line[2:].strip() for line in f if line.startswith("# ")), path)
        return {re.sub(r"[`*]", "", heading): path}

    guides = [p for p in pages if p.startswith("docs/") and p not in FIRST]
    config.nav = [
        {"Start": [titled(p) for p in FIRST if p in pages]},
        {"Guides": sorted((titled(p) for p in guides), key=lambda item: next(iter(item)).lower())},
        {"Examples and operation": [titled(p) for p in pages if p.startswith(("examples/", "deploy/"))]},
        {"Project": [titled(p) for p in pages if "/" not in p and p not in FIRST]},
    ]
    config.site_name = f"Codegrant {os.environ['CODEGRANT_SITE_VERSION']}"
    return config


def on_page_markdown(markdown, page, config, files):
    here = os.path.dirname(page.file.src_uri)

    def rewritten(match):
        target = match.group(1)
        if "://" in target or target.startswith("mailto:"):
            return match.group(0)
        path = os.path.normpath(os.path.join(here, target))
        if files.get_file_from_path(path) is not None:
            return match.group(0)
        return f"]({config.repo_url}/blob/main/{path}{match.group(2) or ''})"

    parts = FENCE.split(markdown)
    return "".join(part if i % 2 else LINK.sub(rewritten, part) for i, part in enumerate(parts))


def on_post_page(output, page, config):
    """Leads from a page to the other versions: plain links, so that it works from files."""
    this = os.environ["CODEGRANT_SITE_VERSION"]
    versions = os.environ.get("CODEGRANT_SITE_VERSIONS", "").split()
    if len(versions) < 2:
        return output
    up = "../" * page.file.dest_uri.count("/")
    top = up if this == versions[0] else up + "../"

    def link(i, version):
        name = html.escape(version)
        if version == this:
            return f"<li><strong>{name}</strong></li>"
        return f'<li><a href="{top}{"" if i == 0 else name + "/"}index.html">{name}</a></li>'

    links = "".join(link(i, v) for i, v in enumerate(versions))
    menu = f'<details class="versions"><summary>{html.escape(this)}</summary><ul>{links}</ul></details>'
    style = "<style>.versions{float:right;margin:0 0 0 1rem;font-size:.7rem}.versions summary{cursor:pointer}</style>"
    article = '<article class="md-content__inner md-typeset">'
    return output.replace(article, f'{article}{style}<nav aria-label="Versions">{menu}</nav>', 1)
