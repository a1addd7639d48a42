"""Rendered files as code that is not ours reads them: dashboards by Grafana's own SDK, the pipeline by a Logstash parser.

A dashboard is read into the SDK's types and written again: what we wrote and Grafana's schema does not know gets lost on
the way, and is told.
"""

import glob
import json
import os
import sys

from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from logstash_pipeline_parser import Pipeline

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
problems = []


def compare(ours, theirs, path):
    """Everything of ours is in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            if name not in theirs:
                if value not in (None, "", [], {}, False, 0):
                    problems.append(f"{path}.{name}: Grafana's schema does not know it")
            else:
                compare(value, theirs[name], f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            problems.append(f"{path}: {len(ours)} elements became {len(theirs)}")
        for index, (a, b) in enumerate(zip(ours, theirs)):
            compare(a, b, f"{path}[{index}]")
    elif ours != theirs:
        problems.append(f"{path}: {ours!r} became {theirs!r}")


plugins.register_default_plugins()
dashboards = sorted(glob.glob(f"{root}/dashboards/grafana/*.json"))
for file in dashboards:
    with open(file) as stream:
        ours = json.load(stream)
    theirs = json.loads(encoder.JSONEncoder().encode(Dashboard.from_json(ours)))
    compare(ours, theirs, os.path.basename(file))

with open(f"{root}/dashboards/elastic/logstash.conf") as stream:
    sections = Pipeline(stream.read()).parse()
if len(sections) != 3:
    problems.append(f"logstash.conf: {len(sections)} sections instead of input, filter, output")

objects = {}
with open(f"{root}/dashboards/kibana/vitrine.ndjson") as stream:
    for line in stream:
        saved = json.loads(line)
        objects[saved["type"], saved["id"]] = saved
for saved in objects.values():
    for reference in saved["references"]:
        if (reference["type"], reference["id"]) not in objects:
            problems.append(f"vitrine.ndjson: {saved['id']} refers to {reference['id']}, which is not there")

for name in ("ilm-policy", "index-template"):
    with open(f"{root}/dashboards/elastic/{name}.json") as stream:
        json.load(stream)

for problem in problems:
    print(problem)
print(f"{len(dashboards)} dashboards, {len(objects)} Kibana objects, 1 pipeline: {len(problems)} problems")
sys.exit(1 if problems else 0)
