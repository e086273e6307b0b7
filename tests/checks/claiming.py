"""Claims written as CSV, held against a report."""

from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import read_claims


def checked(report, folder, text):
    """The checks of claims in CSV."""
    file = folder / "claims.csv"
    file.write_text(text, encoding="utf-8")
    return check_claims(report, read_claims(str(file)))


def wrong(checks):
    """(path, call, name) of the checks that differ."""
    return [(check.path, check.call, check.name) for check in checks if check.verdict == "differ"]
