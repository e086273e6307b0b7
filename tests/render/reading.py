"""The formats for CI servers, read back as those servers read them."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from markdown_it import MarkdownIt

# Jenkins' xUnit plugin, junit-10.xsd: element -> required attributes, optional attributes, what may stand in it.
SCHEMA = {
    "testsuites": ((), ("name", "time", "tests", "failures", "errors"), ("testsuite",)),
    "testsuite": (
        ("name", "tests", "failures", "errors"),
        ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"),
        ("testsuite", "properties", "testcase", "system-out", "system-err"),
    ),
    "testcase": (
        ("name",),
        ("time", "classname", "group"),
        ("skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out",
         "system-err"),
    ),
    "error": ((), ("type", "message"), ()),
    "failure": ((), ("type", "message"), ()),
    "skipped": ((), ("type", "message"), ()),
}  # fmt: skip
WITH_TEXT = ("error", "failure", "skipped")
COUNTS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def junit(text):
    """The root element of a document that keeps to the schema and whose counts are right."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag in ("testsuites", "testsuite")
    for element in root.iter():
        required, optional, inside = SCHEMA[element.tag]
        assert set(required) <= set(element.attrib) <= {*required, *optional}
        assert {child.tag for child in element} <= set(inside)
        assert element.tag in WITH_TEXT or not (element.text or "").strip()
        assert not (element.tail or "").strip()
    for suite in root.iter("testsuite"):
        assert {name: int(suite.get(name)) for name in COUNTS} == {
            name: len(list(suite.iter(tag))) for name, tag in COUNTS.items()
        }
    return root


# GitHub's documentation, "Workflow commands": `::name property=value,property=value::message`, escaped.
COMMAND = re.compile(r"::(?P<name>\w+)(?: (?P<properties>[^:\r\n]*))?::(?P<message>[^\r\n]*)")
KNOWN = {"title", "file", "line", "endLine", "col", "endColumn"}


def unescaped(text):
    for escape, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, letter)
    return text


def annotations(lines):
    """(level, properties, message) of lines each of which is an annotation."""
    found = []
    for line in lines:
        command = COMMAND.fullmatch(line)
        assert command, line
        pairs = [pair.split("=", 1) for pair in command["properties"].split(",")]
        properties = {name: unescaped(value) for name, value in pairs}
        assert set(properties) <= KNOWN
        found.append((command["name"], properties, unescaped(command["message"])))
    return found


def markdown(text):
    """(kind, text) of each block that holds text, in order: `h3`, `p`, and the cells `th` and `td`."""
    blocks = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for before, token in pairwise(tokens):
        if token.type == "inline":
            blocks.append((before.tag, "".join(child.content for child in token.children)))
    return blocks
