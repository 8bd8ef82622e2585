"""JUnit XML: reports in, a suite for each policy and a case for each claim, test and finding out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from govlang.cli.formats.findings import Finding, Report


def junit(reports: Sequence[Report]) -> str:
    """The document of all reports."""
    root = ET.Element("testsuites", name="gov")
    for report in reports:
        _suite(root, report)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(root: ET.Element, report: Report) -> None:
    cases = list(_cases(report))
    failures = sum(case.find("failure") is not None for case in cases)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_xml(report.get("policy") or report.get("file") or "gov"),
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
    )
    suite.extend(cases)


def _cases(report: Report) -> Iterator[ET.Element]:
    name = report.get("policy") or report.get("file") or "gov"
    for proof in report.get("proved") or ():
        yield _case(name, proof["property"])
    for test in report.get("tests") or ():
        if test["status"] == "passed":
            yield _case(name, test["name"])
    failing = [f for f in report["findings"] if f["severity"] == "error" or _is_change(report, f)]
    for finding in failing:
        case = _case(name, _title(finding))
        failure = ET.SubElement(
            case, "failure", type=finding["code"], message=_xml(finding["message"])
        )
        failure.text = _xml(_detail(finding))
        yield case
    if not failing and not report.get("proved") and not report.get("tests"):
        yield _case(name, "no findings")


def _is_change(report: Report, finding: Finding) -> bool:
    """Whether a finding makes `gov diff` exit 1, whatever its severity."""
    return bool(report.get("changed")) and finding["kind"] == "diff"


def _case(policy: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=_xml(policy), name=_xml(name))


def _title(finding: Finding) -> str:
    about = finding.get("test") or finding.get("property") or ", ".join(finding.get("rules") or ())
    return f"{finding['code']} {about}".strip()


def _detail(finding: Finding) -> str:
    from govlang.cli.formats.text import witness_lines

    lines = [finding["message"]]
    if finding.get("span"):
        lines.append(f"{finding['span']['file']}:{finding['span']['line']}")
    if finding.get("witness"):
        lines += witness_lines(finding["witness"])
    if finding.get("help"):
        lines.append(finding["help"])
    return "\n".join(lines)


def _xml(text: str) -> str:
    """Text without the control characters that XML cannot carry."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
