"""Requests to Google Cloud: credentials, region, retries, and errors in one line."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import google.auth
import requests
from google.api_core import exceptions, retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession
from google.protobuf import json_format
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from components.errors import UserError
from pipeline.platforms.vertex.config import Vertex
from pipeline.platforms.vertex.resources import check_region

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
TIMEOUT = 30.0  # seconds that one request waits for its answer
RETRY_DEADLINE = 300.0  # seconds for which a request is retried if there is no response
SHORT = 20.0  # the same, before anything was sent
FIRST_WAIT = 1.0  # seconds before the first retry, doubled each time
LOGIN = "gcloud auth application-default login"
CONSOLE = "https://console.cloud.google.com"

LOST = (  # the request may or may not have been executed
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # the connection closed within the answer
    TransportError,
)
FAILED = (
    exceptions.GoogleAPICallError,
    exceptions.RetryError,
    requests.RequestException,
    GoogleAuthError,
    json_format.ParseError,  # what answers is no API of Google's: a proxy, for example
)
LONGEST = 1000  # characters of a message of Google's that are shown


def say(error: Exception) -> None:
    print(f"          {explain(error)}; retrying", flush=True)


def retry_transient(
    *also: type[Exception], on_error: Callable[[Exception], Any] = say, deadline: float | None = None
) -> retry.Retry:
    """Return a policy that retries for `deadline` seconds if there is no response or the error is one of `also`."""
    return retry.Retry(
        predicate=lambda error: isinstance(error, (*LOST, *also)) or getattr(error, "retryable", False),
        initial=FIRST_WAIT,
        maximum=20.0,
        timeout=RETRY_DEADLINE if deadline is None else deadline,
        on_error=on_error,
    )


class CloudFault(Exception):  # noqa: N818 (as GateRefused: how a command ends)
    """Google Cloud refused or did not respond; not a mistake in the command."""


def _not_sent(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def retry_unsent() -> retry.Retry:
    """Return a policy that retries only if there was no connection: for requests that must not be executed twice."""
    return retry.Retry(predicate=_not_sent, initial=FIRST_WAIT, maximum=20.0, timeout=RETRY_DEADLINE)


@dataclass(frozen=True)
class Cloud:
    """One project in one region, asked with the user's own credentials."""

    project: str
    region: str
    credentials: Any
    session: AuthorizedSession

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def member(self) -> str:
        """Return the caller as IAM writes it, or a shell expression for it if Google does not tell."""
        email = getattr(self.credentials, "service_account_email", None)
        return f"serviceAccount:{email}" if email else "user:$(gcloud config get account)"

    def client(self, kind: type[Any]) -> Any:
        """Return a client of google.cloud.aiplatform_v1, over REST like all other requests."""
        address = endpoint("aiplatform") or f"{self.region}-aiplatform.googleapis.com"
        return kind(credentials=self.credentials, transport="rest", client_options={"api_endpoint": address})

    def ask(
        self,
        service: str,
        path: str,
        body: dict[str, Any] | None = None,
        method: str | None = None,
        deadline: float = SHORT,
    ) -> dict[str, Any]:
        """Return the answer of a REST API. Only of methods that may be executed twice: a request may be sent again.

        Args:
          method: POST with a body and GET without, if not given.
          deadline: seconds for which it is sent again.

        Raises:
          google.api_core.exceptions.GoogleAPICallError: the service refuses.
        """
        base, verb = endpoint(service) or f"https://{service}.googleapis.com", method or ("POST" if body else "GET")

        @retry_transient(exceptions.TooManyRequests, deadline=min(RETRY_DEADLINE, deadline))
        def ask() -> dict[str, Any]:
            response = self.session.request(verb, f"{base}/{path}", json=body, timeout=TIMEOUT)
            if not response.ok:
                raise exceptions.from_http_response(response)
            answer = response.json()
            return answer if isinstance(answer, dict) else {}

        return ask()


def endpoint(service: str) -> str | None:
    """Return the address that replaces the public one of `service`, from the variable that gcloud reads too.

    It is how Private Service Connect is used, and a stand-in.
    """
    address = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}")
    return address.rstrip("/") if address else None


def connect(vertex: Vertex) -> Cloud:
    """Return a connection to Google Cloud.

    Raises:
      UserError: there are no credentials that hold, or no such region.
      CloudFault: Google does not answer.
    """
    assert vertex.project  # the command line sees to it
    check_region(vertex.region)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing quota project: reported if Google refuses because of it
            credentials, _ = google.auth.default(scopes=SCOPES)
    except DefaultCredentialsError as error:
        hint = _first(error) if "GOOGLE_APPLICATION_CREDENTIALS" in os.environ else "there are none"
        raise UserError(f"no credentials for Google Cloud ({hint}): {LOGIN}") from None
    session = AuthorizedSession(credentials, refresh_timeout=TIMEOUT)
    try:
        retry_transient(deadline=min(RETRY_DEADLINE, SHORT))(credentials.refresh)(
            google.auth.transport.requests.Request()
        )
    except RefreshError as error:
        raise UserError(f"the credentials for Google Cloud do not hold ({_first(error)}): {LOGIN}") from None
    except FAILED as error:
        raise CloudFault(f"cannot ask Google for a token: {explain(error)}") from None
    return Cloud(vertex.project, vertex.region, credentials, session)


def explain(error: Exception) -> str:
    """Return the message for an error, in one line."""
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        error = error.cause
    if isinstance(error, TransportError) and error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    if isinstance(error, exceptions.GoogleAPICallError):
        if "quota project" in str(error) and "requires" in str(error):
            return "the credentials name no project to bill: gcloud auth application-default set-quota-project PROJECT"
        # "403 POST https://…: what the service said"
        text = re.sub(r"^(GET|POST|PUT|DELETE|PATCH) \S+: ", "", str(error.message or error))
        login = f"; log in again: {LOGIN}" if isinstance(error, exceptions.Unauthorized) else ""
        return f"{int(error.code or 0)} {one_line(text)}{login}"
    if isinstance(error, RefreshError):
        return f"the credentials no longer hold ({_first(error)}); log in again: {LOGIN}"
    if isinstance(error, (json_format.ParseError, requests.exceptions.JSONDecodeError)):
        return "an answer that is not one of Google Cloud's; is there a proxy between?"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(error, requests.RequestException):
        url = str(error.request.url) if error.request is not None else ""
        return f"the connection to {urlsplit(url).netloc or 'Google Cloud'} broke or was refused"
    return _first(error)


def one_line(text: str) -> str:
    """Return a message of Google's, or of a log, as it is shown on a terminal."""
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _first(error: Exception) -> str:
    return one_line(str(error.args[0] if error.args else error))[:300]


def job_page(name: str) -> str:
    """Return the page in the console of `projects/…/locations/…/pipelineJobs/…`."""
    _, project, _, region, _, job = name.split("/")
    return f"{CONSOLE}/vertex-ai/locations/{region}/pipelines/runs/{job}?project={project}"


def log_page(project: str, job: str) -> str:
    """Return the page in the console of the log of the custom job `job`, its number."""
    query = quote(f'resource.type="ml_job"\nresource.labels.job_id="{job}"', safe="")
    return f"{CONSOLE}/logs/query;query={query}?project={project}"
