"""Check what a job needs in Google Cloud before it is sent; say what is missing, with the command that fixes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import TensorboardServiceClient

from components import versions
from components.errors import UserError
from pipeline.platforms.vertex import experiments
from pipeline.platforms.vertex.cloud import CONSOLE, FAILED, SHORT, TIMEOUT, Cloud, CloudFault, explain, retry_transient

OBJECT_PERMISSIONS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
IMAGE = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
LANE = "1.21"  # TFX of the image that cloudbuild.yaml builds without _LANE
# The metric of Vertex AI's quota for training on an accelerator, where its name does not follow from the type's.
METRICS = {"NVIDIA_H100_80GB": "nvidia_h100_gpus", "NVIDIA_A100_80GB": "nvidia_a100_80gb_gpus"}


@dataclass(frozen=True)
class Requirements:
    """The resources and permissions that the job needs."""

    bucket: str
    bucket_is_guessed: bool  # a default name: data must not go to another project's bucket of that name
    data: str | None  # gs://… that the pipeline reads
    images: tuple[str, ...]
    services: tuple[str, ...]  # APIs, as aiplatform.googleapis.com
    permissions: tuple[str, ...]  # of the caller, on the project
    service_account: str | None
    accelerator: str | None = None  # as Vertex AI names it: TPU_V3, NVIDIA_TESLA_T4
    accelerators: int = 0  # of that type at one time; cores or chips of a TPU
    tensorboard: str | None = None  # its resource name
    experiment: str | None = None
    spot: bool = False  # on Spot VMs, which have a quota of their own


@dataclass(frozen=True)
class Finding:
    text: str
    fix: str = ""  # a command
    missing: bool = True  # False: only a note, and the job is sent

    def __str__(self) -> str:
        return f"{self.text}: {self.fix}" if self.fix else self.text


def check(cloud: Cloud, requirements: Requirements) -> list[Finding]:
    """Return what is missing or could not be checked. If the project is not accessible, nothing else is checked.

    Raises:
      CloudFault: Google Cloud does not answer.
    """
    findings = list(_project(cloud, requirements))
    if any(f.missing for f in findings):
        return findings
    for probe, subject in CHECKS.items():
        try:
            for finding in probe(cloud, requirements):
                findings.append(finding)
        except FAILED as error:  # what may not be checked is a note, and the job is sent
            findings.append(Finding(f"could not check {subject} ({explain(error)})", missing=False))
    return findings


def settle(findings: list[Finding]) -> None:
    """Print what was not checked. UserError if something is missing, with all of it."""
    for finding in findings:
        if not finding.missing:
            print(f"note      {finding}")
    missing = [str(finding) for finding in findings if finding.missing]
    if missing:
        things = "1 thing is" if len(missing) == 1 else f"{len(missing)} things are"
        raise UserError("\n  ".join([f"nothing was sent, {things} missing in Google Cloud", *missing]))


def _project(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    path = f"v1/projects/{cloud.project}:testIamPermissions"
    try:
        answer = cloud.ask("cloudresourcemanager", path, {"permissions": list(requirements.permissions)})
    except (exceptions.NotFound, exceptions.Forbidden) as error:
        if getattr(error, "reason", "") == "SERVICE_DISABLED":
            enable = f"gcloud services enable cloudresourcemanager.googleapis.com --project={cloud.project}"
            yield Finding("the Resource Manager API is off, so the permissions are not checked", enable, missing=False)
            return
        closed = f"the project {cloud.project} does not exist, or these credentials may not see it ({explain(error)})"
        yield Finding(closed, "gcloud projects list")
        return
    except FAILED as error:
        raise CloudFault(f"Google Cloud does not answer ({explain(error)}); nothing was sent") from None
    lacking = sorted(set(requirements.permissions) - set(answer.get("permissions", ())))
    if lacking:
        bind = f"gcloud projects add-iam-policy-binding {cloud.project} --member={cloud.member} --role="
        yield Finding(f"you lack {', '.join(lacking)}", bind + "roles/aiplatform.user")


def _services(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    names = urlencode([("names", f"projects/{cloud.project}/services/{name}") for name in requirements.services])
    answer = cloud.ask("serviceusage", f"v1/projects/{cloud.project}/services:batchGet?{names}")
    on = {s["name"].rpartition("/")[2] for s in answer.get("services", ()) if s.get("state") == "ENABLED"}
    off = [name for name in requirements.services if name not in on]
    if off:
        problem = f"the API {off[0]} is off" if len(off) == 1 else f"the APIs {', '.join(off)} are off"
        enable = f"gcloud services enable {' '.join(off)} --project={cloud.project}"
        yield Finding(f"{problem} in {cloud.project}", enable)


def _bucket(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    permissions = urlencode([("permissions", permission) for permission in OBJECT_PERMISSIONS])
    try:
        answer = cloud.ask("storage", f"storage/v1/b/{requirements.bucket}/iam/testPermissions?{permissions}")
    except exceptions.NotFound:
        create = f"gcloud storage buckets create gs://{requirements.bucket} --project={cloud.project}"
        options = f"--location={cloud.region} --uniform-bucket-level-access"
        yield Finding(f"the bucket gs://{requirements.bucket} does not exist", f"{create} {options}")
        return
    lacking = sorted(set(OBJECT_PERMISSIONS) - set(answer.get("permissions", ())))
    if lacking:
        bind = f"gcloud storage buckets add-iam-policy-binding gs://{requirements.bucket} --member={cloud.member}"
        text = f"you lack {', '.join(lacking)} on gs://{requirements.bucket}"
        yield Finding(text, f"{bind} --role=roles/storage.objectUser")
        return
    try:
        bucket = cloud.ask("storage", f"storage/v1/b/{requirements.bucket}?fields=location,locationType,projectNumber")
    except exceptions.Forbidden:
        bucket = {}
    if requirements.bucket_is_guessed:
        number = cloud.ask("cloudresourcemanager", f"v1/projects/{cloud.project}").get("projectNumber")
        if not number or str(bucket.get("projectNumber")) != str(number):
            text = f"the bucket gs://{requirements.bucket} is not, or not visibly, one of {cloud.project}"
            yield Finding(f"{text}; name the one to use", "--set vertex.bucket=NAME")
    location = str(bucket.get("location", "")).lower()
    continent = {"europe": "eu"}.get(cloud.region.split("-")[0], cloud.region.split("-")[0])
    if bucket.get("locationType") != "dual-region" and location not in ("", cloud.region, continent):
        text = f"gs://{requirements.bucket} is in {location}, not {cloud.region}: what crosses is slow and billed"
        yield Finding(text, missing=False)


def _data(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    if not requirements.data:
        return
    bucket, _, path = requirements.data.removeprefix("gs://").partition("/")
    path = path.rstrip("/")
    fixed = re.split(r"[*?[{]", path)[0]  # of a pattern, what comes before its first wildcard
    try:
        # An object of exactly this name comes first; what is in a folder of this name need not: photos-old/, photos/.
        there = _objects(cloud, bucket, fixed)
        if fixed == path and there != [path]:
            there = _objects(cloud, bucket, f"{path}/" if path else "")
    except exceptions.NotFound:
        there = []
    if not there:
        yield Finding(f"there is no data at {requirements.data}", f"gcloud storage cp -r YOUR_DATA {requirements.data}")


def _objects(cloud: Cloud, bucket: str, prefix: str) -> list[str]:
    """Return the name of the first object of a bucket that begins so, if there is one."""
    query = urlencode({"prefix": prefix, "maxResults": 1, "fields": "items(name)"})
    answer = cloud.ask("storage", f"storage/v1/b/{bucket}/o?{query}")
    return [item["name"] for item in answer.get("items", ())]


def _images(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    for image in requirements.images:
        match = IMAGE.fullmatch(image)
        if not match:
            yield Finding(f"not checked: {image} is not in Artifact Registry", missing=False)
            continue
        location, project, repository = match["location"], match["project"], match["repository"]
        parent = f"v1/projects/{project}/locations/{location}/repositories/{repository}"
        try:
            cloud.ask("artifactregistry", parent)
        except exceptions.NotFound:
            create = f"gcloud artifacts repositories create {repository} --repository-format=docker"
            where = f"--location={location} --project={project}"
            yield Finding(f"the repository {repository} for {image} does not exist", f"{create} {where}")
            continue
        version = f"versions/{match['digest']}" if match["digest"] else f"tags/{match['tag'] or 'latest'}"
        try:
            cloud.ask("artifactregistry", f"{parent}/packages/{quote(match['name'], safe='')}/{version}")
        except exceptions.NotFound:
            yield Finding(f"the image {image} does not exist", _build(match))


def _build(image: re.Match[str]) -> str:
    """Return the command that builds the image, if it is one of cloudbuild.yaml's."""
    ours = re.fullmatch(r"image-classification(?:-(gpu|tpu))?", image["name"])
    if not ours or image["repository"] != "pipelines" or image["digest"] or image["tag"] not in (None, "latest"):
        return f"docker push {image[0]}"
    more = f",_ACCELERATOR={ours[1]},_ENDING=-{ours[1]}" if ours[1] else ""
    if versions.lane() != LANE:  # the image must have the TFX that compiles the pipeline
        more += f",_LANE={versions.lane()}"
    build = f"gcloud builds submit --config=cloudbuild.yaml --project={image['project']}"
    return f"{build} --substitutions=_REGION={image['location']}{more}"


def _service_account(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    account = requirements.service_account
    if not account:
        return
    path = f"v1/projects/-/serviceAccounts/{account}:testIamPermissions"
    try:
        answer = cloud.ask("iam", path, {"permissions": ["iam.serviceAccounts.actAs"]})
    except exceptions.NotFound:
        name, _, domain = account.partition("@")
        project = domain.removesuffix(".iam.gserviceaccount.com")
        create = f"gcloud iam service-accounts create {name} --project={project}"
        yield Finding(f"the service account {account} does not exist", create)
        return
    if not answer.get("permissions"):
        bind = f"gcloud iam service-accounts add-iam-policy-binding {account} --member={cloud.member}"
        text = f"you may not act as {account} (iam.serviceAccounts.actAs)"
        yield Finding(text, f"{bind} --role=roles/iam.serviceAccountUser")


def _tensorboard(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    if not requirements.tensorboard:
        return
    try:
        client = cloud.client(TensorboardServiceClient)
        client.get_tensorboard(name=requirements.tensorboard, retry=retry_transient(deadline=SHORT), timeout=TIMEOUT)
    except exceptions.NotFound:
        create = f"gcloud ai tensorboards create --display-name=trainings --project={cloud.project}"
        yield Finding(f"there is no {requirements.tensorboard}", f"{create} --region={cloud.region}")


def _experiment(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    if requirements.experiment and (problem := experiments.problem(cloud, requirements.experiment)):
        yield Finding(f"{problem}; give another name", "--set vertex.experiment=NAME")


def metric(accelerator: str, spot: bool = False) -> str:
    """Return Vertex AI's name of the quota for training on `accelerator`: custom_model_training_tpu_v3."""
    name = METRICS.get(accelerator) or accelerator.lower().replace("tesla_", "")
    if name.startswith("nvidia") and not name.endswith("_gpus"):
        name += "_gpus"
    return f"custom_model_training_{'preemptible_' if spot else ''}{name}"


def _quota(cloud: Cloud, requirements: Requirements) -> Iterator[Finding]:
    if not requirements.accelerator:
        return
    name = f"aiplatform.googleapis.com/{metric(requirements.accelerator, requirements.spot)}"
    path = f"v1beta1/projects/{cloud.project}/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
    try:
        answer = cloud.ask("serviceusage", path + quote(name, safe=""))
    except exceptions.NotFound:
        yield Finding(f"not checked: Google lists no quota named {name}", missing=False)
        return
    # The most specific bucket comes last: the default of all regions, then this region's own.
    buckets = [bucket for limit in answer.get("consumerQuotaLimits", ()) for bucket in limit.get("quotaBuckets", ())]
    limits = [
        int(bucket.get("effectiveLimit", 0))  # an int64 that is zero is left out of Google's JSON
        for bucket in buckets
        if bucket.get("dimensions", {}).get("region", cloud.region) == cloud.region
    ]
    if limits and 0 <= limits[-1] < requirements.accelerators:
        text = f"the quota {name} in {cloud.region} is {limits[-1]}, and the job needs {requirements.accelerators}"
        yield Finding(f"{text}; ask for more", f"{CONSOLE}/iam-admin/quotas?project={cloud.project}")


Check = Callable[[Cloud, Requirements], Iterator[Finding]]
CHECKS: dict[Check, str] = {
    _services: "which APIs are on",
    _bucket: "the bucket",
    _data: "the data",
    _images: "the images",
    _service_account: "the service account",
    _quota: "the quota",
    _tensorboard: "the TensorBoard",
    _experiment: "the experiment",
}
