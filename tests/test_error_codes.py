"""Test the table of error codes against botocore's model and botocore's own lists of retryable codes."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.retries import standard

from aiorekostream import errors
from aiorekostream.error_codes import ERROR_CODES, Category, category_of, error_class
from aiorekostream.operations import OPERATIONS

_MODEL = botocore.session.get_session().get_service_model("rekognition")
_MODELLED = sorted({shape.name for name in OPERATIONS for shape in _MODEL.operation_model(name).error_shapes})
# botocore retries these as throttling; here they are hard, or belong to other services.
_NOT_THROTTLING = {
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
}


@pytest.mark.parametrize("code", _MODELLED)
def test_table_names_every_error_of_the_model_with_its_class(code: str) -> None:
    documented = error_class(code).__doc__ or ""
    assert f"``{code}``" in documented
    assert code in ERROR_CODES


@pytest.mark.parametrize("code", _MODELLED)
def test_category_of_a_modelled_error_agrees_with_the_model(code: str) -> None:
    """``InternalServerError`` is its only failure of the service; any other error is a refusal."""
    allowed = {Category.TRANSIENT} if code == "InternalServerError" else {Category.HARD, Category.THROTTLING}
    assert category_of(code, 400) in allowed


@pytest.mark.parametrize("code", sorted({*standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES} - _NOT_THROTTLING))
def test_throttling_code_of_botocore_is_throttling(code: str) -> None:
    assert category_of(code, 400) is Category.THROTTLING
    assert issubclass(error_class(code), errors.ThrottlingError | errors.ProvisionedThroughputExceededError)


@pytest.mark.parametrize("code", ["RequestTimeout", "RequestTimeoutException"])
def test_transient_code_of_botocore_is_transient(code: str) -> None:
    assert code in standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES
    assert category_of(code, 400) is Category.TRANSIENT


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (0, Category.UNSPECIFIED),
        (400, Category.HARD),
        (403, Category.HARD),
        (408, Category.TRANSIENT),
        (429, Category.THROTTLING),
        (500, Category.TRANSIENT),
        (503, Category.TRANSIENT),
    ],
)
def test_unknown_code_is_judged_by_its_status(status: int, category: Category) -> None:
    assert category_of("TomorrowsException", status) is category
    assert error_class("TomorrowsException") is errors.ServiceError


@pytest.mark.parametrize("code", ERROR_CODES)
def test_throttling_category_and_class_agree(code: str) -> None:
    is_throttling = issubclass(error_class(code), errors.ThrottlingError | errors.ProvisionedThroughputExceededError)
    assert is_throttling is (category_of(code, 400) is Category.THROTTLING)
