"""Every format, to the character."""

import pytest

from cnninspect.render import Format
from tests.render.golden import EXTENSIONS, FOLDER, SAMPLES, texts


@pytest.mark.parametrize("name", texts())
def test_golden_file(name):
    assert texts()[name] == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("fmt", Format)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_format_has_a_golden_file(fmt, sample):
    assert (FOLDER / f"{sample}.{EXTENSIONS.get(fmt, fmt.value)}").is_file()
