"""What is rendered must not depend on where the tests run."""

import pytest


@pytest.fixture(autouse=True)
def nowhere_in_particular(monkeypatch):
    """Renders as outside of GitHub's runners."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
