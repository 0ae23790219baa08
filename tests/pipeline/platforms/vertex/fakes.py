"""A stand-in for Google Cloud on loopback: the REST APIs that the commands use, of one project.

It reads and writes the messages of Vertex AI through their own protos, so that what the real API would not parse is
refused here too, keeps a record of what was asked, and fails in the ways that a test asks for.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.aiplatform_v1.types import (
    Context,
    CustomJob,
    JobState,
    ListCustomJobsResponse,
    ListPipelineJobsResponse,
    ListSchedulesResponse,
    PipelineJob,
    PipelineState,
    PipelineTaskDetail,
    Schedule,
    Tensorboard,
)
from google.protobuf import json_format

PROJECT, NUMBER, REGION = "my-project", "123456", "us-central1"
ACCESS = {  # settings below `vertex` that every job is sent with
    "service_account": f"runner@{PROJECT}.iam.gserviceaccount.com",
    "network": f"projects/{NUMBER}/global/networks/vpc",
    "encryption_key": f"projects/{PROJECT}/locations/{REGION}/keyRings/a/cryptoKeys/b",
    "labels": "{team: vision}",
}
SERVICES = (
    "aiplatform",
    "cloudresourcemanager",
    "serviceusage",
    "storage",
    "artifactregistry",
    "iam",
    "logging",
    "dataflow",
)
OBJECTS = {f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list")}


class Refused(Exception):  # noqa: N818
    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(code, message, reason)


@dataclass
class Fault:
    """What happens to the next `times` requests whose `METHOD path` matches."""

    matches: str
    # "drop": the connection closes unanswered, nothing is done; "lose": done, answer cut; "proxy": done, and a page of
    # HTML is the answer; or an error
    does: str | Refused
    times: int = 1


@dataclass
class GoogleCloud:
    """The facts of the project; a test changes what it is about."""

    permissions: set[str] = field(default_factory=lambda: {"*"})
    off: set[str] = field(default_factory=set)  # APIs
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    bucket_permissions: set[str] = field(default_factory=lambda: set(OBJECTS))
    objects: list[str] = field(default_factory=lambda: ["data/cifar-10-binary.tar.gz"])
    repositories: set[str] = field(default_factory=lambda: {"pipelines"})
    images: set[str] = field(
        default_factory=lambda: {"image-classification/tags/latest", "image-classification-gpu/tags/latest"}
    )
    accounts: dict[str, set[str]] = field(default_factory=dict)  # what the caller may do with each
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)  # {metric: {region or "": limit}}
    # {number of a custom job: lines, or (machine, line)}
    logs: dict[str, list[str | tuple[str, str]]] = field(default_factory=dict)
    contexts: dict[str, Context] = field(default_factory=dict)  # of Vertex ML Metadata, by name
    children: dict[str, set[str]] = field(default_factory=dict)  # of a context, by name
    tensorboards: set[str] = field(default_factory=set)  # their numbers
    trainings: dict[str, CustomJob] = field(default_factory=dict)  # by number: what stages have started
    dataflow: dict[str, dict[str, Any]] = field(default_factory=dict)  # jobs by id, with their labels
    frames: list[dict[str, Any]] = field(default_factory=list)  # what each look at a job finds: see `play`
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)  # (method, path, body)
    tokens: list[str] = field(default_factory=list)
    jobs: dict[str, PipelineJob] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    on_look: Callable[[int], None] = lambda looks: None
    looks: int = 0

    def __post_init__(self) -> None:
        self.buckets.setdefault(
            f"{PROJECT}-pipelines", {"location": "US-CENTRAL1", "locationType": "region", "projectNumber": NUMBER}
        )

    def count(self, matches: str) -> int:
        """How many requests were like it."""
        return sum(bool(re.search(matches, f"{method} {path}")) for method, path, _ in self.asked)

    # The APIs: method and path, and what answers.

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        for pattern, does in ROUTES:
            if match := re.fullmatch(pattern, f"{method} {path}"):
                return getattr(self, does)(*map(unquote, match.groups()), query=query, body=body)
        raise Refused(404, f"no such method: {method} {path}")

    def token(self, query: Any, body: Any) -> Any:
        return {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}

    def project(self, name: str, query: Any, body: Any) -> Any:
        self._open(name)
        return {"projectId": name, "projectNumber": NUMBER}

    def project_permissions(self, name: str, query: Any, body: Any) -> Any:
        self._open(name)
        wanted = body["permissions"]
        return {"permissions": [p for p in wanted if p in self.permissions or "*" in self.permissions]}

    def services(self, name: str, query: Any, body: Any) -> Any:
        states = ((n, "DISABLED" if n.split("/")[-1].split(".")[0] in self.off else "ENABLED") for n in query["names"])
        return {"services": [{"name": n.replace(name, NUMBER), "state": state} for n, state in states]}

    def bucket(self, name: str, query: Any, body: Any) -> Any:
        if name not in self.buckets:
            raise Refused(404, "The specified bucket does not exist.")
        return self.buckets[name]

    def bucket_test(self, name: str, query: Any, body: Any) -> Any:
        self.bucket(name, query, body)
        granted = [p for p in query["permissions"] if p in self.bucket_permissions]
        return {"kind": "storage#testIamPermissionsResponse", **({"permissions": granted} if granted else {})}

    def bucket_list(self, name: str, query: Any, body: Any) -> Any:
        self.bucket(name, query, body)
        prefix, most = query.get("prefix", [""])[0], int(query["maxResults"][0])
        found = [{"name": n} for n in sorted(self.objects) if n.startswith(prefix)][:most]
        return {"items": found} if found else {}

    def repository(self, name: str, query: Any, body: Any) -> Any:
        if name not in self.repositories:
            raise Refused(404, "Requested entity was not found.")
        return {"name": name}

    def image(self, name: str, version: str, query: Any, body: Any) -> Any:
        digests = {f"{image.partition('/')[0]}/versions/{digest(image)}" for image in self.images}
        if not self.repositories or f"{name}/{version}" not in self.images | digests:
            raise Refused(404, "Requested entity was not found.")
        return {"name": name, "version": f"packages/{name}/versions/{digest(f'{name}/{version}')}"}

    def account(self, name: str, query: Any, body: Any) -> Any:
        if name not in self.accounts:
            raise Refused(404, f"Unknown service account {name}")
        return {"permissions": [p for p in body["permissions"] if p in self.accounts[name]]}

    def tensorboard(self, project: str, region: str, number: str, query: Any, body: Any) -> Any:
        if number not in self.tensorboards:
            raise Refused(404, f"Tensorboard {number} not found.")
        return _json(Tensorboard(name=f"projects/{project}/locations/{region}/tensorboards/{number}"))

    def context(self, project: str, region: str, name: str, query: Any, body: Any) -> Any:
        if name not in self.contexts:
            raise Refused(404, f"Context {name} not found.")
        return _json(self.contexts[name])

    def create_context(self, project: str, region: str, query: Any, body: Any) -> Any:
        name = query["contextId"][0]
        if name in self.contexts:
            raise Refused(409, f"The context {name} already exists.")
        self.contexts[name] = Context.wrap(json_format.ParseDict(body, Context.pb(Context())))
        self.contexts[name].name = f"{_store(NUMBER, region)}/contexts/{name}"
        return _json(self.contexts[name])

    def add_children(self, project: str, region: str, name: str, query: Any, body: Any) -> Any:
        if name not in self.contexts:
            raise Refused(404, f"Context {name} not found.")
        self.children.setdefault(name, set()).update(body["childContexts"])
        return {}

    def quota(self, metric: str, query: Any, body: Any) -> Any:
        if metric not in self.quotas:
            raise Refused(404, "Requested entity was not found.")
        buckets = [
            {
                **({"effectiveLimit": str(limit)} if limit else {}),
                **({"dimensions": {"region": where}} if where else {}),
            }
            for where, limit in self.quotas[metric].items()
        ]
        return {"metric": metric, "consumerQuotaLimits": [{"unit": "1/{project}/{region}", "quotaBuckets": buckets}]}

    def log(self, query: Any, body: Any) -> Any:
        number = re.search(r'job_id="(\d+)"', body["filter"])
        lines = self.logs.get(number[1], []) if number else []
        said = [line if isinstance(line, tuple) else ("workerpool0-0", line) for line in reversed(lines)]
        return {
            "entries": [
                {"textPayload": line, "severity": "ERROR", "resource": {"labels": {"task_name": machine}}}
                for machine, line in said
            ]
        }

    def train(self, run: str, number: str, state: str = "RUNNING", error: str = "", stage: str = "trainer") -> None:
        """Have a stage of `run` start a custom job, with the labels that its executor gives it."""
        job = CustomJob(
            name=f"projects/{NUMBER}/locations/{REGION}/customJobs/{number}",
            display_name=f"cifar10-{stage}",
            labels={"pipeline_run": run, "pipeline_stage": stage},
            state=JobState[f"JOB_STATE_{state}"],
            create_time={"seconds": int(number)},
        )
        job.error.message = error
        self.trainings[number] = job

    def list_trainings(self, project: str, region: str, query: Any, body: Any) -> Any:
        wanted = dict(re.findall(r'labels\.(\w+)="([^"]+)"', query["filter"][0]))
        assert wanted
        found = [job for job in self.trainings.values() if wanted.items() <= dict(job.labels).items()]
        return _json(ListCustomJobsResponse(custom_jobs=found))

    def cancel_training(self, project: str, region: str, number: str, query: Any, body: Any) -> Any:
        if number not in self.trainings:
            raise Refused(404, f"The custom job {number} does not exist.")
        self.trainings[number].state = JobState.JOB_STATE_CANCELLING
        return {}

    def list_dataflow(self, query: Any, body: Any) -> Any:
        """Two jobs a page, and summaries only: labels are in the description of a job."""
        assert query["filter"] == ["ACTIVE"]
        active = [job for job in self.dataflow.values() if job["currentState"] == "JOB_STATE_RUNNING"]
        first = int(query.get("pageToken", ["0"])[0])
        page = [{key: job[key] for key in ("id", "name", "currentState")} for job in active[first : first + 2]]
        return {"jobs": page, **({"nextPageToken": str(first + 2)} if len(active) > first + 2 else {})}

    def describe_dataflow(self, job: str, query: Any, body: Any) -> Any:
        assert query["view"] == ["JOB_VIEW_DESCRIPTION"]
        return self.dataflow[job]

    def stop_dataflow(self, job: str, query: Any, body: Any) -> Any:
        assert body == {"requestedState": "JOB_STATE_CANCELLED"}
        self.dataflow[job]["currentState"] = "JOB_STATE_CANCELLING"
        return self.dataflow[job]

    def create_job(self, project: str, region: str, query: Any, body: Any) -> Any:
        name = query["pipelineJobId"][0]
        if name in self.jobs:
            raise Refused(409, f"The pipeline job {name} already exists.")
        if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", name):
            raise Refused(400, f"{name} is no name of a job")
        job = PipelineJob.wrap(json_format.ParseDict(body, PipelineJob.pb(PipelineJob())))
        job.name = f"projects/{NUMBER}/locations/{region}/pipelineJobs/{name}"
        job.state = PipelineState.PIPELINE_STATE_PENDING
        self.jobs[name] = job
        return _json(job)

    def get_job(self, project: str, region: str, name: str, query: Any, body: Any) -> Any:
        if name not in self.jobs:
            raise Refused(404, f"The pipeline job {name} does not exist.")
        self.looks += 1
        self.on_look(self.looks)
        if self.frames:
            self._play(self.jobs[name], self.frames.pop(0))
        if self.looks > 1:  # some time after the job
            self.jobs[name].job_detail.pipeline_run_context.name = f"{_store(NUMBER, region)}/contexts/{name}"
        return _json(self.jobs[name])

    def list_jobs(self, project: str, region: str, query: Any, body: Any) -> Any:
        wanted, _, states = query["filter"][0].removeprefix("display_name=").partition(" AND ")
        found = [
            job
            for job in reversed(self.jobs.values())
            if job.display_name == json.loads(wanted) and (not states or job.state.name in states)
        ]
        return _json(ListPipelineJobsResponse(pipeline_jobs=found))

    def cancel_job(self, project: str, region: str, name: str, query: Any, body: Any) -> Any:
        if name not in self.jobs:
            raise Refused(404, f"The pipeline job {name} does not exist.")
        self.jobs[name].state = PipelineState.PIPELINE_STATE_CANCELLED
        return {}

    def create_schedule(self, project: str, region: str, query: Any, body: Any) -> Any:
        schedule = Schedule.wrap(json_format.ParseDict(body, Schedule.pb(Schedule())))
        schedule.name = f"projects/{NUMBER}/locations/{region}/schedules/{len(self.schedules) + 1}"
        schedule.state = Schedule.State.ACTIVE
        self.schedules[schedule.name] = schedule
        return _json(schedule)

    def list_schedules(self, project: str, region: str, query: Any, body: Any) -> Any:
        wanted = json.loads(query["filter"][0].removeprefix("display_name="))
        found = [schedule for schedule in self.schedules.values() if schedule.display_name == wanted]
        return _json(ListSchedulesResponse(schedules=found))

    def delete_schedule(self, project: str, region: str, name: str, query: Any, body: Any) -> Any:
        if self.schedules.pop(f"projects/{NUMBER}/locations/{region}/schedules/{name}", None) is None:
            raise Refused(404, "no such schedule")
        return {"name": f"projects/{NUMBER}/locations/{region}/operations/1", "done": True}

    def _open(self, project: str) -> None:
        if project != PROJECT:
            raise Refused(403, "The caller does not have permission", "IAM_PERMISSION_DENIED")
        if "cloudresourcemanager" in self.off:
            raise Refused(403, "Cloud Resource Manager API has not been used in project", "SERVICE_DISABLED")

    def _play(self, job: PipelineJob, frame: dict[str, Any]) -> None:
        """Put the job in the state of a frame: {stage: state or (state, fields of the task), "job": state}."""
        tasks = {task.task_name: task for task in job.job_detail.task_details}
        for stage, what in frame.items():
            state, fields = what if isinstance(what, tuple) else (what, {})
            if stage == "job":
                job.state = PipelineState[f"PIPELINE_STATE_{state}"]
                continue
            if stage not in tasks:
                job.job_detail.task_details.append(PipelineTaskDetail(task_name=stage))
                tasks[stage] = job.job_detail.task_details[-1]
            times = {"startTime": "2026-11-22T10:00:00Z", "endTime": "2026-11-22T10:01:02Z"}
            if state in ("PENDING", "RUNNING"):
                del times["endTime"]
            patch = {"state": state, **times, **fields}
            json_format.ParseDict(patch, PipelineTaskDetail.pb(tasks[stage]))


_JOBS = r"/v1/projects/([^/]+)/locations/([^/]+)"
_DATAFLOW = rf"/v1b3/projects/(?:{PROJECT}|{NUMBER})/locations/{REGION}/jobs"
_IMAGES = rf"/v1/projects/{PROJECT}/locations/{REGION}/repositories/([^/]+)"
_QUOTA = rf"/v1beta1/projects/{PROJECT}/services/aiplatform.googleapis.com/consumerQuotaMetrics/([^/]+)"
ROUTES = [
    (r"POST /token", "token"),
    (r"GET /v1/projects/([^/:]+)", "project"),
    (r"POST /v1/projects/([^/]+):testIamPermissions", "project_permissions"),
    (r"GET /v1/projects/([^/]+)/services:batchGet", "services"),
    (r"GET /storage/v1/b/([^/]+)", "bucket"),
    (r"GET /storage/v1/b/([^/]+)/iam/testPermissions", "bucket_test"),
    (r"GET /storage/v1/b/([^/]+)/o", "bucket_list"),
    (rf"GET {_IMAGES}", "repository"),
    (rf"GET {_IMAGES.replace('([^/]+)', '[^/]+')}/packages/([^/]+)/(.+)", "image"),
    (r"POST /v1/projects/-/serviceAccounts/([^/]+):testIamPermissions", "account"),
    (rf"GET {_QUOTA}", "quota"),
    (r"POST /v2/entries:list", "log"),
    (rf"POST {_JOBS}/pipelineJobs", "create_job"),
    (rf"GET {_JOBS}/pipelineJobs/([^/]+)", "get_job"),
    (rf"GET {_JOBS}/pipelineJobs", "list_jobs"),
    (rf"POST {_JOBS}/pipelineJobs/([^/]+):cancel", "cancel_job"),
    (rf"GET {_JOBS}/customJobs", "list_trainings"),
    (rf"POST {_JOBS}/customJobs/([^/]+):cancel", "cancel_training"),
    (rf"GET {_DATAFLOW}", "list_dataflow"),
    (rf"GET {_DATAFLOW}/([^/]+)", "describe_dataflow"),
    (rf"PUT {_DATAFLOW}/([^/]+)", "stop_dataflow"),
    (rf"GET {_JOBS}/metadataStores/default/contexts/([^/:]+)", "context"),
    (rf"POST {_JOBS}/metadataStores/default/contexts", "create_context"),
    (rf"POST {_JOBS}/metadataStores/default/contexts/([^/:]+):addContextChildren", "add_children"),
    (rf"GET {_JOBS}/tensorboards/([^/]+)", "tensorboard"),
    (rf"POST {_JOBS}/schedules", "create_schedule"),
    (rf"GET {_JOBS}/schedules", "list_schedules"),
    (rf"DELETE {_JOBS}/schedules/([^/]+)", "delete_schedule"),
]


def _store(project: str, region: str) -> str:
    return f"projects/{project}/locations/{region}/metadataStores/default"


def digest(image: str) -> str:
    """Of an image that is there, NAME/tags/TAG."""
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _json(message: Any) -> Any:
    return json_format.MessageToDict(type(message).pb(message), use_integers_for_enums=True)


class _Handler(BaseHTTPRequestHandler):
    cloud: GoogleCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # which delays the second write of an answer by 40 ms
    lock = threading.Lock()

    def _any(self) -> None:
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_json = raw and "json" in self.headers.get("Content-Type", "")
        body = json.loads(raw) if is_json else raw.decode()
        line = f"{self.command} {unquote(url.path)}"
        with self.lock:
            self.cloud.asked.append((self.command, unquote(url.path), body))
            self.cloud.tokens.append(self.headers.get("Authorization", ""))
            fault = next((f for f in self.cloud.faults if f.times and re.search(f.matches, line)), None)
            if fault:
                fault.times -= 1
            if fault and fault.does == "drop":
                return self._close()
            code, answer = 200, {}
            try:
                if fault and isinstance(fault.does, Refused):
                    raise fault.does
                answer = self.cloud.answer(self.command, url.path, parse_qs(url.query), body)
            except Refused as refused:
                code, message, reason = refused.args
                info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
                answer = {"error": {"code": code, "message": message, "details": [info] if reason else []}}
            except json_format.ParseError as error:
                code, answer = 400, {"error": {"code": 400, "message": str(error)}}
        text = b"<html>log in to this network" if fault and fault.does == "proxy" else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if fault and fault.does == "lose":
            self.wfile.write(text[: len(text) // 2])
            return self._close()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    def _close(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *unused: object) -> None:
        pass


@contextmanager
def serving(cloud: GoogleCloud, folder: Path) -> Iterator[dict[str, str]]:
    """Serve `cloud`; the environment in which gcloud's variables and the credentials point to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cloud": cloud}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    (folder / "key.json").write_text(json.dumps(_account(address)))
    try:
        yield {
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "key.json"),
            "HTTPS_PROXY": "http://127.0.0.1:1",  # what would go to Google itself is refused here
            **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}": address for service in SERVICES},
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_KEY: list[str] = []


def _account(address: str) -> dict[str, str]:
    """The key file of a service account that exists nowhere; its key is made again in every session."""
    if not _KEY:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        _KEY.append(key.private_bytes(*pem).decode())
    return {
        "type": "service_account",
        "client_email": f"me@{PROJECT}.iam.gserviceaccount.com",
        "private_key": _KEY[0],
        "private_key_id": "1",
        "token_uri": f"{address}/token",
    }
