# The course's commands. `make` alone lists them.
#
#   PYTHON=/path/to/python   build .venv with this interpreter (3.11, 3.12 or 3.13)
#   JOBS=2                   processes that the fast tests share
#   ARGS=...                 passed on: make lab ARGS=--no-browser, make build ARGS=ch06_decoder, make test ARGS=-x
#
# GPU owners: on Linux the torch that `make install` brings has CUDA in it, and its own triton. If your driver is too old
# for it, or on Windows, install afterwards into .venv the build that the selector on PyTorch's site names.

PYTHON ?=
ARGS ?=
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-tests
JS := course/widgets/js
NODE_MODULES := $(JS)/node_modules
MADE_WITH := $(shell cat $(VENV)/.python 2>/dev/null)
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check
# Tools that start others by name (nbgrader starts alembic) must find those of .venv first.
RUN = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python
PYTEST = $(RUN) -m pytest
FAST = -m "not slow and not browser" -n $(JOBS) --dist loadfile
SLOW = -m "slow or browser" -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install lab instructor test test-fast build check grade-demo doctor audit attacks faults bench-grading \
	screenshots bench-latency bench-frames bench-train bench-kernels train-lab js lock chromium another-python

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(TEST_STAMP) ## Install everything into .venv (again only when the lock or pyproject.toml changed)

$(STAMP): requirements.lock pyproject.toml $(if $(filter-out $(MADE_WITH),$(PYTHON)),another-python)
	@if [ "$(or $(PYTHON),$(MADE_WITH))" != "$(MADE_WITH)" ] || ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		python=$$(tools/find_python.sh $(PYTHON)) && \
		echo "Making $(VENV) with $$python. Installing takes a few minutes." && \
		"$$python" -m venv --clear $(VENV) && echo "$$python" >$(VENV)/.python; \
	fi
	@tools/find_python.sh $(BIN)/python >/dev/null
	@$(PIP) -c requirements.lock -e ".[instructor,postgres]"
	@touch $@

$(TEST_STAMP): $(STAMP) # and what only the tests need
	@$(PIP) -c requirements.lock -e ".[instructor,test,oracle]"
	@touch $@

another-python: # asked for by PYTHON=, and not the one that .venv was made with

lab: $(STAMP) ## Open the course in JupyterLab (ARGS=--no-browser: only print the address)
	@[ -d release ] || $(RUN) -m autograder build --if-missing
	@$(RUN) -m course lab $(ARGS)

instructor: $(STAMP) ## Open JupyterLab in this folder, with formgrader (menu Nbgrader)
	@mkdir -p -m 777 exchange
	@$(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: $(TEST_STAMP) chromium $(NODE_MODULES) ## Run all tests, the fast ones first
	$(PYTEST) $(FAST) $(ARGS)
	$(PYTEST) $(SLOW) $(ARGS)

test-fast: $(TEST_STAMP) ## Run the tests that need neither a browser nor much time
	$(PYTEST) $(FAST) $(ARGS)

build: $(STAMP) ## Make release/, solutions/ and the checks' data from source/ (ARGS=LESSON ...)
	$(RUN) -m autograder build $(ARGS)

check: $(TEST_STAMP) ## Is everything that is generated up to date, and the code clean?
	$(RUN) -m autograder build --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

grade-demo: $(STAMP) ## Grade a class of six made-up submissions and show marks and feedback
	$(RUN) -m autograder grade-demo $(ARGS)

doctor: $(STAMP) ## Try every layer of the sandbox on this machine
	$(RUN) -m autograder doctor $(ARGS)

audit: $(TEST_STAMP) ## Prove the graders: mutants, misconceptions, right alternatives (writes docs/audit.md; ARGS=LESSON)
	$(RUN) -m autograder audit $(if $(ARGS),$(ARGS),--write)

attacks: $(TEST_STAMP) ## Run every attack submission through the engine (writes docs/attacks.md)
	$(RUN) -m tests.attacks $(ARGS)

faults: $(TEST_STAMP) ## Kill graders at random, damage notebooks (writes docs/faults.md; about half an hour)
	$(RUN) -m tests.faults $(ARGS)

bench-grading: $(TEST_STAMP) ## Grade a class by stock nbgrader and by the engine, in turn
	$(RUN) tools/bench_grading.py $(ARGS)

bench-kernels: $(STAMP) ## Measure every Triton kernel against torch's own on a GPU (ARGS=--dry-run: without one, no times)
	$(RUN) tools/bench_kernels.py $(ARGS)

bench-latency: $(TEST_STAMP) chromium ## Time from a key press to the repainted picture
	$(BIN)/python tools/measure_latency.py $(ARGS)

bench-frames: $(TEST_STAMP) chromium ## Frames a second of the view in 3-D while it is turned (drawn in software)
	$(BIN)/python tools/measure_frames.py $(ARGS)

screenshots: $(TEST_STAMP) chromium $(NODE_MODULES) ## Run the browser tests and leave their pictures in ci-artifacts/
	$(PYTEST) -m browser $(ARGS)
	$(BIN)/python tools/readme_images.py

bench-train: $(STAMP) ## Measure how fast the laboratory trains, and what 100 % takes, against plain AdamW (5 minutes)
	$(RUN) tools/bench_train.py $(ARGS)

train-lab: $(STAMP) ## Train the multiplication laboratory's model anew (a minute; ARGS="--seeds 10": ten, and their record)
	PYTHONPATH=. $(BIN)/python tools/train_lab.py $(ARGS)

js: $(NODE_MODULES) ## Rebuild the widgets' JavaScript bundle (needs node and npm; students do not)
	cd $(JS) && npm run build

lock: ## Write requirements.lock anew (needs Python 3.11, 3.12 and 3.13; ARGS names their commands)
	$(if $(PYTHON),$(PYTHON),python3.11) tools/lock.py $(ARGS)

$(NODE_MODULES): $(JS)/package-lock.json
	@command -v npm >/dev/null || { \
		echo "The browser tests need npm (esbuild, axe-core): apt-get install nodejs npm." >&2; exit 1; }
	cd $(JS) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

chromium:
	@for name in $${CHROMIUM:-chromium-headless-shell chromium chromium-browser google-chrome}; do \
		command -v "$$name" >/dev/null && exit 0; \
	done; \
	echo "The browser tests need Chromium: apt-get install chromium (or CHROMIUM=/path/to/it make test)." >&2; exit 1
