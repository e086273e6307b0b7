"""A report as text: one file per format behind one registry. Renderers see a Report and nothing else."""

from __future__ import annotations

from cnninspect.render.formats import Format, render, render_text
from cnninspect.render.screen import Screen
from cnninspect.report.selection import By, Ops, View

__all__ = ["By", "Format", "Ops", "Screen", "View", "render", "render_text"]
