"""The policy as a page that people read: a checked policy and its report in, one HTML file out."""

from govlang.cli.html.page import html_page

__all__ = ["html_page"]
