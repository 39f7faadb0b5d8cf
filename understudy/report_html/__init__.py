"""The report page: one self-contained HTML file of a run, rendered from its record and the logs of its folder."""

from __future__ import annotations

from understudy.report_html.page import render
from understudy.report_html.writing import REPORT, page_of, read_record, write_report

__all__ = ["REPORT", "page_of", "read_record", "render", "write_report"]
