# Vitrine: everything a person types. `make help` lists it.
SHELL := /bin/bash
SWIFT_RELEASE := swift build -c release --product vitrine -Xswiftc -cross-module-optimization --static-swift-stdlib

.PHONY: help setup run test bench demo format lint release render

help: ## what there is
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing on Debian 12 (needs root the first time)
	@deploy/setup

release: setup
	@$(SWIFT_RELEASE)

run: release ## build, start the whole platform on this machine, print its URLs; Ctrl-C stops it
	@.build/release/vitrine up

demo: ## shop on the running platform (in a second terminal)
	@.build/release/vitrine demo

test: setup ## the whole test suite, against real servers that it starts itself
	@deploy/test

lint: ## formatting and configuration files
	@deploy/lint

render: ## write dashboards, alerts, runbooks and docs/telemetry.md from what the code declares
	@swift build --product vitrine
	@.build/debug/vitrine render

bench: ## ratios to peers, from alternating runs (Benchmarks/results/)
	@deploy/setup bench
	@Benchmarks/run

format: ## format every Swift file
	@swift format format -i --configuration .swift-format -r Sources Tests Package.swift
