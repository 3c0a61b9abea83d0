# The two commands that do everything: `make run` and `make test`. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

NPM := npm --no-update-notifier --no-fund
INSTALLED := node_modules/.package-lock.json

# `npm ci` installs what the lockfile pins, checks each package's hash, and fails where lockfile and package.json
# disagree; `npm install` would change the lockfile instead.
$(INSTALLED): package-lock.json package.json
	$(NPM) ci
	@touch $@

.PHONY: run
run: $(INSTALLED) ## Start a control plane and the operator, show a Token and its verified claims, run until Ctrl-C (ONCE=1 stops; CLUSTER=current uses KUBECONFIG)
	$(NPM) run --silent run

.PHONY: programs
programs: $(INSTALLED) ## Obtain the programs that tests need, once, into the cache (`make test` does this too)
	$(NPM) run --silent programs

.PHONY: test-unit
test-unit: $(INSTALLED) ## Run the tests that need neither Go nor a cluster (JEST="..." passes options on)
	$(NPM) run --silent test-unit -- $(JEST)

.PHONY: test
test: $(INSTALLED) ## Obtain the programs that tests need, then run every test that this machine can run (JEST="..." passes options on)
	$(NPM) run --silent test -- $(JEST)

.PHONY: test-faults
test-faults: $(INSTALLED) ## Kill replicas, kube-apiserver and etcd under load, many times (JEST="..." passes options on)
	$(NPM) run --silent test-faults -- $(JEST)

.PHONY: e2e
e2e: $(INSTALLED) ## Install the chart on a real node with two workloads that use tokens (root on Linux; skipped elsewhere)
	$(NPM) run --silent programs e2e
	NODE_TESTS=1 $(NPM) run --silent jest -- --selectProjects integration --runTestsByPath test/integration/cluster/node.test.ts
	$(NPM) run --silent e2e

.PHONY: bench
bench: $(INSTALLED) ## Measure the operator and its limits in the same run (QUICK=1 for a short form)
	$(NPM) run --silent bench

.PHONY: attack
attack: $(INSTALLED) ## Attack a running operator and measure what honest clients notice (ATTACK=name,name ATTACK_SECONDS=n; QUICK=1 for a short form)
	$(NPM) run --silent attack

.PHONY: lint
lint: $(INSTALLED) ## Check format, lint, types and unused code
	$(NPM) run --silent lint

.PHONY: format
format: $(INSTALLED) ## Format the sources and apply safe lint fixes
	$(NPM) run --silent format

.PHONY: generate
generate: $(INSTALLED) ## Write crds/, files of the chart and the gRPC messages
	$(NPM) run --silent generate

.PHONY: generate-check
generate-check: $(INSTALLED) ## Fail if a generated file is out of date
	$(NPM) run --silent generate -- --check

.PHONY: build
build: $(INSTALLED) ## Compile the operator to dist/
	$(NPM) run --silent build

IMAGE ?= m2m-oauth-operator:$(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)
BUILDER ?= $(notdir $(firstword $(shell command -v docker podman buildah)))
# The commit decides about the image, byte for byte: its date stands in the place of the time of the build.
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# BuildKit takes it from its build argument, and else attests when it was at work; the others have options.
export BUILDX_NO_DEFAULT_ATTESTATIONS := 1
SAME_podman := --timestamp $(SOURCE_DATE_EPOCH) --identity-label=false
SAME_buildah := $(SAME_podman)

# Base images other than the Dockerfile's, such as a registry mirror's; a release names both by digest.
BASES := $(foreach base,BUILD_IMAGE RUNTIME_IMAGE,$(if $($(base)),--build-arg $(base)=$($(base))))
BUILD_ARGS = --build-arg VERSION=$(lastword $(subst :, ,$(IMAGE))) --build-arg REVISION=$(REVISION) \
	--build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(BASES) $(SAME_$(notdir $(BUILDER))) $(IMAGE_FLAGS)
SBOM ?= build

.PHONY: image
image: ## Build the operator's image, reproducibly, and its SBOM in build/ (IMAGE=name:tag, BUILDER=docker|podman|buildah, BUILD_IMAGE=, RUNTIME_IMAGE=, RELEASE=1 demands digests, IMAGE_FLAGS="..." passes options on)
	@test -n "$(BUILDER)" || { echo "make image needs docker, podman or buildah"; exit 1; }
	@for base in $(if $(RELEASE),"BUILD_IMAGE=$(BUILD_IMAGE)" "RUNTIME_IMAGE=$(RUNTIME_IMAGE)"); do \
		[[ $$base =~ @sha256:[0-9a-f]{64}$$ ]] || { echo "$$base: a release names it by digest, name@sha256:... (docs/release.md)"; exit 1; }; \
	done
	$(BUILDER) build --tag $(IMAGE) $(BUILD_ARGS) .
	$(BUILDER) build --target sbom --output type=local,dest=$(SBOM) $(BUILD_ARGS) .
	@echo "SBOM: $(SBOM)/sbom.cdx.json"

.PHONY: audit
audit: $(INSTALLED) ## Ask the npm registry about signatures, attestations and known vulnerabilities of what is installed
	$(NPM) audit signatures
	$(NPM) audit --omit=dev --audit-level=high

.PHONY: clean
clean: ## Remove what was built or installed here (the programs in the cache stay)
	rm -rf dist build node_modules coverage bench-results

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
