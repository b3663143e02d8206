# make demo    watch it work, on the screen
# make test    everything CI runs: lint, types, import contracts, tests
# make check   lint, types and import contracts alone
# make bench   speed, side by side with peers
# make soak    the laws on many more histories, and a day of paper; takes hours
# make pretrained HISTORY=folder    the models that ship, anew; takes long, goes on when stopped
# A bare machine needs Python 3.11 or newer (with venv) and make, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# One more than there are cores: many tests wait for sockets and clocks.
JOBS   ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.PHONY: demo test check warm bench soak pretrained install packages clean

demo: $(VENV)/.installed
	$(BIN)/litehedge demo

test:
	@$(MAKE) --no-print-directory -j 2 install packages
	@$(MAKE) --no-print-directory -j 2 check warm
	$(BIN)/pytest -n $(JOBS) --dist loadgroup

# These compile most kernels: once, while the linters run, and not in each process of the tests.
WARM := tests/ui/test_builder_plans.py tests/live/test_following.py
warm: $(VENV)/.installed
	@$(BIN)/pytest -q -p no:cacheprovider $(WARM) > /dev/null 2>&1 || true

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.bench
	$(BIN)/python -m bench

# Histories in virtual time and of the desk, sessions over sockets, mutated messages, kills, a day of paper.
HISTORIES ?= 100000
SESSIONS  ?= 2000
MUTATIONS ?= 1000000
KILLS     ?= 20000

soak: $(VENV)/.installed
	LITEHEDGE_SOAK_HISTORIES=$(HISTORIES) LITEHEDGE_PROGRESS=1 $(BIN)/pytest -n 0 -s -q \
	  tests/live/test_trader_faults.py tests/orders/test_desk.py
	LITEHEDGE_SOCKET_HISTORIES=$(SESSIONS) $(BIN)/pytest -n $(JOBS) -q tests/faults/test_real_schedules.py
	LITEHEDGE_MUTATIONS=$(MUTATIONS) $(BIN)/pytest -n $(JOBS) -q \
	  tests/venues/test_binance_fuzz.py tests/venues/test_bybit_fuzz.py
	LITEHEDGE_KILLS=$(KILLS) $(BIN)/pytest -n $(JOBS) -q tests/faults/test_engine_kill.py
	$(BIN)/python -m bench.soak

# Parquet or CSV files with the bars that README names; what is half-done goes on when run again.
HISTORY  ?=
TRAINING := $(CURDIR)/.pretraining
SHIPPED  := src/litehedge/pretrained
NETWORK  := LITEHEDGE_HOME=$(TRAINING) $(BIN)/litehedge train --model network --seeds 5
LOGISTIC := LITEHEDGE_HOME=$(TRAINING) $(BIN)/litehedge train --model logistic
POLICY   := LITEHEDGE_HOME=$(TRAINING) $(BIN)/litehedge train-policy
BEFORE   := --validate-from 2023-07-01 --validate-until 2023-09-01

pretrained: $(VENV)/.installed
	@test -n "$(HISTORY)" || { echo "say where the history is: make pretrained HISTORY=folder"; exit 1; }
	LITEHEDGE_HOME=$(TRAINING) $(BIN)/litehedge data import $(HISTORY)/*.parquet
	$(NETWORK) --name ltc-5m --out $(SHIPPED)/ltc-5m --data ltc_spot_5m --data ltc_perp_5m \
	  --pool btc_spot_5m --pool btc_perp_5m
	$(NETWORK) --name ltc-1m --out $(SHIPPED)/ltc-1m --data ltc_spot_1m --data ltc_perp_1m \
	  --pool btc_spot_1m --worlds 2 --world-days 180 --epochs 10 --seeds 3 $(BEFORE)
	$(NETWORK) --name ltc-full --out $(SHIPPED)/ltc-full --worlds 6 --world-days 240 --epochs 6 --seeds 3
	$(LOGISTIC) --name ltc-5m-logistic --out $(SHIPPED)/ltc-5m-logistic \
	  --data ltc_spot_5m --data ltc_perp_5m
	$(LOGISTIC) --name ltc-1m-logistic --out $(SHIPPED)/ltc-1m-logistic \
	  --data ltc_spot_1m --data ltc_perp_1m $(BEFORE)
	$(POLICY) --name policy-5m --out $(SHIPPED)/policy-5m --data ltc_spot_5m --data ltc_perp_5m

install: $(VENV)/.installed

# What tests need of the system.
packages: $(VENV)/.postgres

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "litehedge needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

APT_POSTGRES := DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends \
  -o Dpkg::Options::=--force-confold postgresql

# Debian's Chromium, for the tests of the screen; where it cannot be installed they skip and say so.
$(VENV)/.browser:
	@mkdir -p $(VENV)
	@command -v chromium >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -yqq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null 2>&1 || \
	  { sudo -n apt-get update -qq && \
	    sudo -n apt-get install -yqq --no-install-recommends chromium fonts-dejavu-core; } \
	    >/dev/null 2>&1 || \
	  echo "Chromium cannot be installed here: tests of the screen in a browser are skipped"
	@touch $@

# Debian's PostgreSQL server, which tests start by themselves; no cluster of the system is made.
# Where it cannot be installed they skip and say so.
$(VENV)/.postgres: $(VENV)/.browser
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { apt-get update -qq && mkdir -p /etc/postgresql-common && \
	    echo create_main_cluster=false >/etc/postgresql-common/createcluster.conf && \
	    $(APT_POSTGRES); } >/dev/null 2>&1 || \
	  { sudo -n apt-get update -qq && sudo -n mkdir -p /etc/postgresql-common && \
	    echo create_main_cluster=false | sudo -n tee /etc/postgresql-common/createcluster.conf && \
	    sudo -n env $(APT_POSTGRES); } >/dev/null 2>&1 || \
	  echo "PostgreSQL cannot be installed here: tests of journals on a server are skipped"
	@touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src -name __pycache__ -type d -prune -exec rm -rf {} +
