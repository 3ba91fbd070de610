# The front door: `make help` lists what can be done. Nothing here needs an AWS account but what says so.
SHELL := /bin/bash
# A user's startup files are not run: bash reads ~/.bashrc where its input is a socket, as under a program that starts make.
.SHELLFLAGS := --norc -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# What must be installed is installed side by side. Several goals keep their order: make down clean.
ifeq ($(filter-out 0 1,$(words $(MAKECMDGOALS))),)
MAKEFLAGS += --jobs=4
endif
# Nothing here starts another make on the same jobs: a test that runs make would get a warning of a jobserver it can't reach.
unexport MAKEFLAGS
# Node would follow the shell's proxy even to 127.0.0.1, before any line of ours could forbid it.
unexport NODE_USE_ENV_PROXY NODE_OPTIONS BASH_ENV
quoted = '$(subst ','\'',$(1))'
# What a user set for other projects changes nothing here. Of npm, pip and uv, what leads to packages is kept: registries,
# credentials, proxies, certificates, caches, patience, and where uv finds Pythons. See also local/setup/npm and uv-sync.
kept := %registry npm_config_//% npm_config_@% npm_config__% %proxy %cafile %_ca %_cert %_key %strict_ssl \
  %cache %config npm_config_fetch_% %offline %nodedir %disturl pip_index_url pip_extra_index_url pip_find_links pip_no_index \
  pip_trusted_host pip_%cert pip_%cache_dir pip_config_file pip_%timeout pip_%retries pip_keyring_provider \
  uv_index% uv_default_index uv_extra_index_url uv_find_links uv_keyring_provider uv_insecure_host uv_system_certs \
  uv_native_tls uv_%cache_dir uv_no_cache uv_link_mode uv_http_% uv_request_timeout uv_concurrent_% uv_config_file uv_no_config \
  uv_python_% uv_managed_python uv_no_managed_python uv_credentials_dir
settings := $(filter npm_config_% NPM_CONFIG_% PIP_% UV_%,$(.VARIABLES))
unexport $(foreach name,$(settings),$(if $(filter $(kept),$(shell printf %s $(call quoted,$(name)) | tr A-Z a-z)),,$(name)))
unexport NODE_ENV NODE_PATH PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE VIRTUAL_ENV CONDA_PREFIX GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/.venv/terraform:$(PATH)

# Each variable of the command line reaches programs exactly as typed, by the environment: make would expand a `$$` in it.
# So no recipe hands one on, and what is pasted into a shell line all the same is `quoted`.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),\
  $(eval override $(name) := $$(value $(name)))$(eval export $(name))))

UV := .venv/tools/bin/uv
PYTHON ?= >=3.11,<3.14
# Airflow 3.0 goes no further; MWAA runs it on 3.12.
AIRFLOW_PYTHON ?= >=3.11,<3.13

##@ The whole loop on this machine
.PHONY: up survey data-workflow traffic down status model-card access logs env clean
up: install ## Run the whole loop: survey, training, test website, production website [SURVEY=file]
	@local/setup/platform up

# What these do, they do with a platform that make up has made: without one there is nothing to do, nor to install.
platform_directory := $(or $(value PLATFORM_DIRECTORY),.local)
made := $(shell test -e $(call quoted,$(platform_directory)/.acme-platform) && echo yes)
no_platform := echo $(call quoted,Nothing runs: there is no platform in $(platform_directory); make up makes one.)

survey: $(if $(made),install) ## Let a new survey come in, of simulated animals [ROWS=500 SEED=7 SHIFT=0.2]
	@$(if $(made),local/setup/platform survey,$(no_platform); exit 1)

data-workflow: $(if $(made),install .venv/airflow/.installed) ## Bring in the surveys that came, in Airflow, and release what they change
	@$(if $(made),local/setup/platform data-workflow,$(no_platform); exit 1)

down: $(if $(made),install) ## Stop everything that make up started; its state is kept
	@$(if $(made),local/setup/platform down,$(no_platform))

status: $(if $(made),install) ## Show what runs, where, and which model is the champion
	@$(if $(made),local/setup/platform status,$(no_platform); exit 1)

traffic: $(if $(made),install) ## Ask the website about simulated animals, others than were surveyed if you like [ROWS=300 SEED=7 SHIFT=0.2]
	@$(if $(made),node --import tsx local/traffic.ts,$(no_platform); exit 1)

model-card: $(if $(made),install) ## Fetch the champion's model card and say where its page lies
	@$(if $(made),local/setup/platform model-card,$(no_platform); exit 1)

access: $(if $(made),install) ## Show what each role asked for, what it was refused, and which rights it never used [FORMAT=text|json]
	@$(if $(made),local/setup/platform access,$(no_platform); exit 1)

logs: $(if $(made),install) ## Show the services' last lines, and where the other logs are
	@$(if $(made),local/setup/platform logs,$(no_platform))

env: $(if $(made),install) ## Print what an AWS client needs to work on the platform: eval "$$(make -s env)"
	@$(if $(made),local/setup/platform env,$(no_platform) >&2; exit 1)

clean: $(if $(made),install) ## Stop everything and remove all local state, and what make synth wrote
	@$(if $(made),local/setup/platform clean,$(no_platform))
	@$(if $(value PLATFORM_DIRECTORY),,rm -rf cdktf.out dist)

##@ Infrastructure as code
.PHONY: synth
synth: install ## Write every stack's Terraform JSON to cdktf.out [ENVIRONMENT=local|development|production]
	@npm run --silent synth
	@folder="$${CDKTF_OUTDIR:-cdktf.out}"; \
	  names="$$(node -p 'Object.keys(JSON.parse(fs.readFileSync(process.argv[1])).stacks).join(", ")' "$$folder/manifest.json")"; \
	  echo "Wrote $${ENVIRONMENT:-local}'s stacks into $$folder/stacks, each as <name>/cdk.tf.json: $$names"

.PHONY: diff costs
diff: install ## Show what a deployment would change, losses first; needs terraform with a registry or mirror, and a bootstrapped environment (local: make up, make bootstrap) [ENVIRONMENT=production STACK= FORMAT=text|json|markdown OUTPUT=file DETAILS=yes]
	@node --import tsx delivery/cli.ts diff

costs: install ## Show what a month costs by AWS's list prices, and what of it is assumed [ENVIRONMENT=production FORMAT=text|markdown|json]
	@node --import tsx delivery/cli.ts costs

.PHONY: bootstrap deploy unlock
bootstrap: install ## Create the bucket that keeps Terraform's states, once an account [ENVIRONMENT=development]
	@node --import tsx delivery/cli.ts bootstrap

deploy: install ## Deploy a stack, or all in their order [ENVIRONMENT=development STACK=data APPROVE=yes LOCK_TIMEOUT=600]
	@node --import tsx delivery/cli.ts deploy

unlock: install ## Release a state that nobody works on any more [ENVIRONMENT=development STACK=data LOCK=<id>]
	@node --import tsx delivery/cli.ts unlock

.PHONY: hcl
hcl: install ## Write every stack as HCL that people read, into hcl/<environment> [ENVIRONMENT=production]
	@tsx delivery/cli.ts hcl

##@ What the pipeline does besides
.PHONY: install-terraform system-test review
install-terraform: ## Install the Terraform of the pipeline into this folder, unless it is there [Linux]
	@delivery/builds/install-terraform

system-test: install ## Test a stage of the website, or the website at any address [ENVIRONMENT=production STAGE=test|production, or URL=https://...]
	@tsx delivery/builds/system-test.ts

review: install ## Lay what an approver reads into the artefacts' bucket [ENVIRONMENT=production PLAN=plan.md RELEASE=id]
	@tsx delivery/builds/review.ts

##@ Quality
.PHONY: check test lint checkov format test-unit test-browser test-python test-end-to-end test-provider test-image fuzz mutation bench bench-original
.PHONY: test-python-image test-python-emulator test-python-dag test-python-dag-airflow-2 test-python-oldest
# These need the machine for themselves: beside anything else, their websites answered too late.
test_parts_alone := test-end-to-end test-unit test-browser
# In this order they are begun: the longest first, so that at the end no core waits for one.
test_parts := $(test_parts_alone) test-image test-python-image lint test-python-emulator test-python-dag \
  test-python-dag-airflow-2 test-python-oldest checkov test-provider

check: install-test ## What a change can break, within a minute: types, lint and tests of what differs [BASE=commit LIMIT=60]
	@node --import tsx __tests__/check.ts

test: install-test ## Everything that CI runs, side by side, and how long each part took [PARTS="lint test-unit" PARALLEL=3]
	@node --import tsx __tests__/run-parts.ts $(test_parts_alone:%=--alone %) $(foreach part,$(or $(value PARTS),$(test_parts)),$(call quoted,$(part)))

lint: install-test ## Types, ESLint, Prettier, Ruff, hadolint for the Dockerfile, and the subjects of new commits
	@local/setup/check-commits
	@npm run --silent check:types
	@npm run --silent lint
	@.venv/emulator/bin/ruff check --quiet local/emulator __tests__/checkov __tests__/fuzz packages/*/__tests__ && .venv/emulator/bin/ruff format --check --quiet local/emulator __tests__/checkov __tests__/fuzz packages/*/__tests__
	@.venv/model/bin/hadolint model-image/Dockerfile
	@.venv/model/bin/ruff check --quiet model-image && .venv/model/bin/ruff format --check --quiet model-image
	@.venv/model/bin/ruff check --quiet --config model-image/pyproject.toml benchmarks && .venv/model/bin/ruff format --check --quiet --config model-image/pyproject.toml benchmarks
	@.venv/airflow/bin/ruff check --quiet airflow-dags && .venv/airflow/bin/ruff format --check --quiet airflow-dags
	@.venv/airflow/bin/ruff check --quiet --config airflow-dags/pyproject.toml local/data-workflow
	@.venv/airflow/bin/ruff format --check --quiet --config airflow-dags/pyproject.toml local/data-workflow

checkov: install-test ## checkov on every environment: no failure without a written reason
	@node --import tsx __tests__/checkov/run.ts

format: install-test ## Bring every file into the house's form, and write what documents take from the code
	@tsx docs/generate.ts
	@tsx delivery/costs/document.ts
	@npm run --silent readme -w sagemaker-local
	@prettier --write --log-level warn .
	@.venv/emulator/bin/ruff format --quiet local/emulator __tests__/checkov __tests__/fuzz packages/*/__tests__
	@.venv/model/bin/ruff format --quiet model-image
	@.venv/model/bin/ruff format --quiet --config model-image/pyproject.toml benchmarks
	@.venv/airflow/bin/ruff format --quiet airflow-dags
	@.venv/airflow/bin/ruff format --quiet --config airflow-dags/pyproject.toml local/data-workflow

test-unit: install-test ## Jest: stacks, modules, handlers, survey, website, local platform
	@npm run --silent test:unit

test-browser: install-test ## The website in Chromium, in each state, light and dark, narrow and wide; leaves pictures in screenshots
	@npm run --silent test:browser

test-python: install-test ## pytest: model image, emulator, and the DAG on Airflow 3 and 2
	@node --import tsx __tests__/run-parts.ts test-python-image test-python-emulator test-python-dag test-python-dag-airflow-2

test-python-image: install-test
	@cd model-image && ../.venv/model/bin/python -m pytest

test-python-emulator: install-test
	@cd local/emulator && ../../.venv/emulator/bin/python -m pytest

test-python-dag: install-test
	@cd airflow-dags && ../.venv/airflow/bin/python -m pytest

test-python-dag-airflow-2: install-test
	@cd airflow-dags && ../.venv/airflow-2/bin/python -m pytest

test-python-oldest: install-test ## Training, evaluation, serving and the emulator on the oldest Python that README allows; says so where there is none
	@__tests__/oldest/run $(call quoted,$(value PYTHON)) 3.11

test-end-to-end: install-test ## The whole loop on an instance of its own, with faults
	@npm run --silent test:end-to-end

fuzz: install .venv/fuzz/.installed ## Ask a website's API thousands of times what its OpenAPI document allows and forbids [URL=https://... EXAMPLES=10000 SEED=1]
	@node --import tsx __tests__/fuzz/run.ts

mutation: install-test ## Change the code in one place at a time, and show which changes no test notices [FILES='policies/**' SAMPLE=100 SEED=1]
	@node --import tsx __tests__/mutation/run.ts

test-provider: install-test ## Terraform's real providers: every stack planned, the local environment deployed into an emulator; says whether they were there
	@node --import tsx __tests__/provider/run.ts

test-image: install-test ## Build, push, pull and run the model image without Docker; says so where it can't
	@local/setup/with-image-tools jest --selectProjects image --runInBand --verbose --forceExit

bench_parts := $(or $(value PARTS),synth diff platform model growth website)
bench: install-test $(if $(filter website,$(bench_parts)),benchmarks/lighthouse/node_modules/.installed) ## Measure, and print ratios against the default way [PARTS="synth website" ROWS=4000000 SURVEY_DATA=file ORIGINAL_WEBSITE=folder]
	@node --import tsx benchmarks/run.ts $(foreach part,$(bench_parts),$(call quoted,$(part)))

bench-original: install .venv/benchmark/.installed ## Measure the model and its server against the original's, with TensorFlow (1.5 GB) [FOLDS=10 SURVEY_DATA=file]
	@node --import tsx benchmarks/run.ts original

##@ Tools
.PHONY: install install-test install-exit-door lock help
install: node_modules/.installed .venv/emulator/.installed .venv/model/.installed ## Install what the platform needs, into this folder only

install-exit-door: __tests__/exit-door/node_modules/.installed ## Install what the exit door to cdktn needs (480 MB)

install-test: install .venv/fuzz/.installed install-exit-door __tests__/mutation/node_modules/.installed .venv/emulator/.installed-test .venv/model/.installed-test .venv/airflow/.installed-test .venv/airflow-2/.installed-test .venv/checkov/.installed .venv/.installed-system ## Install what the tests need besides

node_modules/.installed: package-lock.json
	@echo "Installing the Node packages (once, about a minute)" >&2
	@local/setup/npm ci --ignore-scripts >&2
	@# Only the packages that package.json allows run scripts of their own.
	@local/setup/npm rebuild $$(node -p 'Object.entries(require("./package.json").allowScripts).filter((entry) => entry[1]).map((entry) => entry[0]).join(" ")') >&2
	@node_modules/.bin/node --version >/dev/null || { echo "The package node came without its program: its install script found no registry, or did not run. See npm's lines above, then make install again." >&2; exit 1; }
	@touch $@

# Node packages that only one tool needs lie in its folder: $(call own-packages,what they are)
define own-packages
	@echo "Installing $(1)" >&2
	@local/setup/npm ci --prefix $(<D) --ignore-scripts >&2
	@touch $@
endef

__tests__/exit-door/node_modules/.installed: __tests__/exit-door/package-lock.json
	$(call own-packages,the Node packages of the exit door (once))

__tests__/mutation/node_modules/.installed: __tests__/mutation/package-lock.json
	$(call own-packages,the mutators of make mutation (once: 24 MB))

benchmarks/lighthouse/node_modules/.installed: benchmarks/lighthouse/package-lock.json
	$(call own-packages,Lighthouse (once: 180 MB))

$(UV): local/setup/requirements-tools.txt
	@local/setup/require-python >&2
	@python3 -m venv .venv/tools
	@# Fetched with the user's settings, which know the way to an index; installed without, for they may name another place.
	@.venv/tools/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	  --dest .venv/tools/wheels --requirement $<
	@PIP_CONFIG_FILE=/dev/null .venv/tools/bin/pip --isolated install --quiet --disable-pip-version-check --require-hashes \
	  --no-index --find-links .venv/tools/wheels --requirement $<
	@touch $@

# One environment for each Python part: $(call environment,name,requirement files), and other versions of Python if need be
define environment
	@echo "Installing the Python packages of $(1) (once)" >&2
	@local/setup/uv-sync .venv/$(1) $(call quoted,$(or $(3),$(value PYTHON))) $(2)
	@touch $@
endef

.venv/emulator/.installed: local/emulator/requirements.txt $(UV)
	$(call environment,emulator,$<)

.venv/model/.installed: model-image/requirements.txt $(UV)
	$(call environment,model,$<)

.venv/emulator/.installed-test: local/emulator/requirements-dev.txt .venv/emulator/.installed
	$(call environment,emulator,$<)

.venv/model/.installed-test: model-image/requirements-dev.txt .venv/model/.installed
	$(call environment,model,$<)

.venv/airflow/.installed: airflow-dags/requirements-dev.txt $(UV)
	$(call environment,airflow,$<,$(value AIRFLOW_PYTHON))

.venv/airflow/.installed-test: .venv/airflow/.installed
	@touch $@

.venv/airflow-2/.installed-test: airflow-dags/requirements-airflow-2.txt $(UV)
	$(call environment,airflow-2,$<,$(value AIRFLOW_PYTHON))

.venv/checkov/.installed: __tests__/checkov/requirements.txt $(UV)
	$(call environment,checkov,$<)

.venv/fuzz/.installed: __tests__/fuzz/requirements.txt $(UV)
	$(call environment,fuzz,$<)

.venv/benchmark/.installed: benchmarks/original/requirements.txt $(UV)
	$(call environment,benchmark,$<)

.venv/.installed-system: local/setup/require-chromium
	@local/setup/require-chromium >&2
	@mkdir -p $(@D) && touch $@

compile := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
  --no-annotate

lock: $(UV) ## Compile the Python requirement files again
	@for folder in local/setup benchmarks/original __tests__/checkov __tests__/fuzz local/emulator model-image; do for file in $$folder/requirements*.in; do \
	  $(compile) $$file --output-file $${file%.in}.txt; done; done
	@# Airflow's dependencies have no upper limits: what was there on the day after its release is what it was tested with.
	@cd airflow-dags && for pair in requirements-dev@2025-08-30 requirements-airflow-2@2025-05-21; do \
	  ../$(compile) --exclude-newer $${pair#*@}T00:00:00Z $${pair%@*}.in --output-file $${pair%@*}.txt; done

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-zA-Z_-]+:.*## / { sub(/[$$][$$]/, "$$", $$2); printf "  \033[1mmake %-20s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
