"""What the fixtures of all tests promise: no error goes unseen, and no GPU test passes by being skipped."""

import pytest
import torch

from conftest import ROOT


@pytest.fixture
def ours(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder of tests with our fixtures and marks."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n    cuda\n    logs_errors\n")
    return pytester


LOGS = """
import logging
import pytest

def test_quiet():
    logging.getLogger("gfpvideo.media").warning("fewer")
    logging.getLogger("gfpvideoesque").error("not ours")

def test_logs():
    logging.getLogger("gfpvideo.media").error("lost")

@pytest.mark.logs_errors
def test_says_that_it_logs():
    logging.getLogger("gfpvideo.media").error("lost")

@pytest.mark.logs_errors
def test_says_so_and_does_not():
    pass
"""


@pytest.mark.logs_errors
def test_an_error_in_the_log_fails_the_test(ours: pytest.Pytester) -> None:
    ours.makepyfile(LOGS)
    result = ours.runpytest_inprocess()
    result.assert_outcomes(passed=4, errors=2)  # all pass by themselves, two fail when the fixture looks back
    result.stdout.fnmatch_lines(["ERROR *::test_logs*", "ERROR *::test_says_so_and_does_not*"])


GPU = """
import pytest

@pytest.mark.cuda
def test_on_a_gpu():
    pass

def test_elsewhere():
    pass
"""


@pytest.mark.parametrize(
    ("present", "demanded", "outcomes"),
    [
        (False, False, {"passed": 1, "skipped": 1}),
        (False, True, {"passed": 1, "errors": 1}),
        (True, True, {"passed": 2}),
    ],
)
def test_a_machine_with_a_gpu_does_not_pass_by_skipping(
    present: bool, demanded: bool, outcomes: dict[str, int], ours: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    monkeypatch.delenv("FAIL_WITHOUT_CUDA", raising=False)
    if demanded:
        monkeypatch.setenv("FAIL_WITHOUT_CUDA", "1")
    ours.makepyfile(GPU)
    ours.runpytest_inprocess().assert_outcomes(**outcomes)


def test_names_of_what_passed_are_written_down(ours: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = ours.path / "passed"
    monkeypatch.setenv("GFPVIDEO_PASSED", str(passed))
    ours.makepyfile("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no')")
    ours.runpytest_inprocess()
    assert passed.read_text() == "test_names_of_what_passed_are_written_down.py::test_a\n"
