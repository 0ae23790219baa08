# From images to a pushed model: `make run`. All set-up happens by itself, once. `make help` lists the targets.
VENV_PYTHON := .venv/bin/python
READY := .venv/.locked
ARGS ?=
ACCELERATOR ?= cpu
BUILDER ?= docker
IMAGE_LANE = $(or $(LANE),$(if $(filter tpu,$(ACCELERATOR)),1.16,1.21))
IMAGE ?= image-classification$(if $(filter-out cpu,$(ACCELERATOR)),-$(ACCELERATOR))
export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run predict report test test-fast chaos lint format types imports infra docs notebooks lock sbom audit image bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/portable.txt setup.py tools/bootstrap.py
	@python3 tools/bootstrap.py

# What is asked for by LANE, PYTHON or ACCELERATOR is compared with what .venv has.
ifneq ($(LANE)$(PYTHON)$(filter-out file,$(origin ACCELERATOR)),)
.PHONY: $(READY)
endif

setup: $(READY) ## make .venv from the lock (every target does it when needed); ACCELERATOR=gpu or tpu for such a machine

run: $(READY) ## the whole pipeline on the embedded digits; ARGS="--data PATH" for your own images
	@$(VENV_PYTHON) -m pipeline run $(ARGS)

predict: $(READY) ## classify images with the latest pushed model: make predict ARGS="a.png b.jpg"
	@$(VENV_PYTHON) -m pipeline predict $(ARGS)

report: $(READY) ## the page of the latest run, in the browser
	@$(VENV_PYTHON) -m pipeline report --open $(ARGS)

test: $(READY) ## every test that needs no download
	@$(VENV_PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(READY) ## the unit tests, under two minutes
	@$(VENV_PYTHON) -m pytest -m "not slow" -n auto --maxprocesses 4 $(ARGS)

chaos: $(READY) ## the long fault tests: at least 100 kills, every cut of every archive
	@$(VENV_PYTHON) -m pytest -m chaos --timeout 14400 $(ARGS)

lint: $(READY) ## ruff: lint and check the format, without changes
	@$(VENV_PYTHON) -m ruff check . && $(VENV_PYTHON) -m ruff format --check .

format: $(READY) ## ruff: format and fix what it can
	@$(VENV_PYTHON) -m ruff check --fix . && $(VENV_PYTHON) -m ruff format .

types: $(READY) ## mypy
	@$(VENV_PYTHON) -m mypy

UV_TOOL = $$(python3 tools/bootstrap.py --tools-only) tool run --quiet

imports: ## import-linter: who may import whom
	@PYTHONPATH=. $(UV_TOOL) --from import-linter==2.17 lint-imports --no-cache --no-logo

PROVIDER = .tools/provider

infra: $(READY) ## infra/ and the builds: arguments of Google's Terraform provider, checkov, the schema of Cloud Build, yamllint
	@if command -v terraform >/dev/null; then terraform fmt -check -diff infra/terraform; \
	  else echo "terraform is not installed: the format of infra/terraform is not checked" >&2; fi
	@[ -d $(PROVIDER) ] || $$(python3 tools/bootstrap.py --tools-only) pip install --quiet --no-deps --target $(PROVIDER) \
	  cdktn-provider-google==21.1.0
	@$(VENV_PYTHON) tools/provider_schema.py $(PROVIDER)
	@$(UV_TOOL) --from checkov==3.3.30 checkov --directory infra --framework terraform --compact --quiet --skip-download
	@$(UV_TOOL) --from check-jsonschema==0.39.0 check-jsonschema --quiet --builtin-schema vendor.cloudbuild \
	  cloudbuild.yaml infra/cloudbuild.yaml
	@$(UV_TOOL) --from yamllint==1.38.0 yamllint --strict \
	  --config-data '{extends: default, rules: {document-start: disable, line-length: {max: 140}, comments: {min-spaces-from-content: 1}}}' \
	  cloudbuild.yaml infra

bench: $(READY) ## seconds, CPU seconds and memory a stage, beside the plain TFX pipeline (needs CIFAR10_JPEG)
	@$(VENV_PYTHON) -m benchmarks.pipeline $(ARGS)

notebooks: $(READY) ## execute the notebooks, from a kernel of another Python, into build/notebooks, as pages too
	@$(VENV_PYTHON) tools/notebooks.py $(ARGS)

docs: $(READY) ## regenerate docs/README.md, api.md, cli.md and config.md, and the packages in ARCHITECTURE.md
	@$(VENV_PYTHON) tools/docs.py

COMPILE = $$(python3 tools/bootstrap.py --tools-only) pip compile --universal --python-version 3.10 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --quiet --upgrade --custom-compile-command "make lock"

lock: ## regenerate requirements/*.txt: portable for work, image for the container, gpu and tpu on top, kernel for notebooks
	@$(COMPILE) setup.py --extra test --extra vertex --output-file requirements/portable.txt
	@$(COMPILE) setup.py --extra vertex --constraint requirements/portable.txt --output-file requirements/image.txt
	@$(COMPILE) requirements/gpu.in --no-deps --output-file requirements/gpu.txt
	@$(COMPILE) requirements/tpu.in --no-deps --output-file requirements/tpu.txt
	@$(COMPILE) requirements/kernel.in --output-file requirements/kernel.txt

LOCKS ?= portable image gpu tpu kernel

sbom: ## what each lock installs, as CycloneDX JSON below build/sbom
	@mkdir -p build/sbom
	@for lock in $(LOCKS); do \
	  $(UV_TOOL) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/$$lock.txt --output-reproducible \
	    --output-file build/sbom/$$lock.cdx.json && echo build/sbom/$$lock.cdx.json || exit 1; \
	done

audit: ## known vulnerabilities of what the locks pin; requirements/audit.txt has those that are accepted
	@failed=0; accepted=$$(sed -n 's/^\([A-Z][^ ]*\) .*/--ignore-vuln \1/p' requirements/audit.txt); \
	for lock in $(LOCKS); do \
	  $(UV_TOOL) --from pip-audit==2.10.1 pip-audit --progress-spinner off --strict --require-hashes \
	    --disable-pip $$accepted --requirement requirements/$$lock.txt || failed=1; \
	done; exit $$failed

image: ## the image for Vertex AI and Dataflow; ACCELERATOR=gpu or tpu for the Trainer's, LANE, IMAGE=NAME, BUILDER=podman or buildah
	@command -v $(BUILDER) >/dev/null || { echo "make image needs $(BUILDER); without it see cloudbuild.yaml" >&2; exit 1; }
	$(BUILDER) build --build-arg ACCELERATOR=$(ACCELERATOR) --build-arg LANE=$(IMAGE_LANE) --tag $(IMAGE) .

clean: ## remove .venv, the tool folder and caches; output/ is kept
	@rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache build *.egg-info
