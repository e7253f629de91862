"""The verdict's test cases in the report that pytest's `--junitxml` writes."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest
from _pytest.junitxml import LogXML, bin_xml_escape, xml_key

from tunegate.report import JunitCase


def add_cases(config: pytest.Config, cases: Sequence[JunitCase]) -> None:
    """Add test cases to the JUnit report of this session, if it writes one, and write that again.

    It is called once, after pytest's own `pytest_sessionfinish`: a verdict is known when everything has run, and by
    then the report lies on the disk without it. Workers of xdist write none, and for them nothing happens.
    """
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    for number, case in enumerate(cases, 1):
        _add(xml, case, number=number)
    xml.pytest_sessionfinish()


def _add(xml: LogXML, case: JunitCase, *, number: int) -> None:
    # Numbered, because two names may be one node id to pytest; what is shown are the attributes.
    reporter = xml.node_reporter(f"tunegate.gate::{number}")
    classname = f"{xml.prefix}.{case.classname}" if xml.prefix else case.classname
    reporter.attrs.update(classname=bin_xml_escape(classname), name=bin_xml_escape(case.name))
    if case.outcome == "passed":
        xml.add_stats("passed")
        return
    # pytest counts an element by its tag, which is why it is added through the reporter.
    tag = "failure" if case.outcome == "failed" else "skipped"
    element = ET.Element(tag, message=bin_xml_escape(case.message))
    element.text = bin_xml_escape(case.details)
    reporter.append(element)
